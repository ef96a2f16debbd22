from __future__ import annotations

import pytest

from switchboard.apply.iptables_fake import FakeIptables
from switchboard.rules.iptables import Chain, Rule, Ruleset, parse, parse_rule
from switchboard.rules.iptables_difference import difference

JUMP, ELSE = Rule((), "KUBE-A"), Rule((), "ACCEPT")


def ruleset(**chains):
    named = {n.replace("_", "-"): Chain(r, "ACCEPT" if n == "INPUT" else "") for n, r in chains.items()}
    return Ruleset(4, {"filter": named})


def holding(fake):
    return parse(fake.save(4), 4)[0]


EMPTY = Ruleset(4)
ONE = ruleset(INPUT=(JUMP,), KUBE_A=(ELSE,))
TWO = ruleset(INPUT=(JUMP, Rule((), "KUBE-B")), KUBE_A=(Rule((), "KUBE-B"),), KUBE_B=())


@pytest.mark.parametrize(("before", "after"), [(EMPTY, ONE), (ONE, TWO), (TWO, ONE), (EMPTY, TWO)])
def test_the_kernel_gets_there_and_then_nothing_is_left_to_do(before, after):
    fake = FakeIptables()
    fake.restore(4, difference(EMPTY, before))
    fake.restore(4, difference(holding(fake), after))
    assert holding(fake) == after
    assert difference(holding(fake), after) == ""


def test_only_what_changed_is_written():
    more = ruleset(INPUT=(JUMP,), KUBE_A=(ELSE,), KUBE_C=(ELSE,))
    assert difference(ONE, more) == "*filter\n:KUBE-C - [0:0]\n-A KUBE-C -j ACCEPT\nCOMMIT\n"


def test_rules_of_others_stay_and_ours_come_first():
    fake = FakeIptables()
    fake.restore(4, "*filter\n-A INPUT -i lo -j ACCEPT\n:OTHER - [0:0]\nCOMMIT\n")
    fake.restore(4, difference(holding(fake), TWO))
    others = parse_rule(["-i", "lo", "-j", "ACCEPT"])
    assert holding(fake).chain("filter", "INPUT").rules == (JUMP, Rule((), "KUBE-B"), others)
    fake.restore(4, difference(holding(fake), EMPTY))
    assert holding(fake) == Ruleset(4, {"filter": {"INPUT": Chain((others,), "ACCEPT"), "OTHER": Chain()}})
