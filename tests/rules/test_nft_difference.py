"""Transactions: few commands, in an order that the fake (and in ``live`` the kernel) accepts."""

from __future__ import annotations

import msgspec
import pytest

from switchboard.apply.nft_fake import FakeNft
from switchboard.rules.nft import Chain, Hook, Rule, Ruleset, Set, Table
from switchboard.rules.nft_difference import difference, removal, replacement
from switchboard.rules.nft_parse import parse
from switchboard.rules.nft_statement import Action, Masquerade, Match, Verdict, VerdictMap

DROP = Rule((Verdict(Action.DROP),))
BASE = Chain((Rule((VerdictMap(("ip daddr",), "m"),)),), Hook("nat", "output", -100))


def table(elements=None, chains=None, sets=None, base=BASE):
    named = {"m": Set(key="ipv4_addr", data="verdict", elements=elements or {})} | (sets or {})
    return Ruleset((Table(family="ip", name="t", chains={"base": base} | (chains or {}), sets=named),))


EMPTY = table()
ONE = table({"10.0.0.1": "goto a"}, {"a": Chain((DROP,))})


def test_equal_rulesets_need_nothing():
    assert not difference(ONE, ONE)
    assert difference(ONE, ONE).render() == ""


def test_changed_element_is_one_deletion_and_one_addition():
    other = table({"10.0.0.1": "drop"}, {"a": Chain((DROP,))})
    assert difference(ONE, other).commands == (
        "delete element ip t m { 10.0.0.1 }",
        "add element ip t m { 10.0.0.1 : drop }",
    )


def test_changed_body_is_flushed_and_written_again():
    other = table({"10.0.0.1": "goto a"}, {"a": Chain((Rule((Masquerade(),)), DROP))})
    assert difference(ONE, other).commands == (
        "flush chain ip t a",
        "add rule ip t a masquerade",
        "add rule ip t a drop",
    )


def test_removed_chain_goes_after_everything_that_names_it():
    assert difference(ONE, EMPTY).commands == (
        "flush chain ip t a",
        "delete element ip t m { 10.0.0.1 }",
        "delete chain ip t a",
    )


def test_elements_of_dynamic_sets_are_left_alone():
    def clients(elements):
        return table(sets={"s": Set(key="ipv4_addr", flags=("dynamic",), elements=elements)})

    assert not difference(clients({"10.0.0.1": ""}), clients({}))


@pytest.mark.parametrize(
    "other",
    [
        table(base=msgspec.structs.replace(BASE, hook=Hook("nat", "output", -90))),
        table(sets={"m": Set(key="ipv6_addr", data="verdict")}),
    ],
)
def test_another_hook_or_type_replaces_the_table(other):
    assert difference(ONE, other) == replacement(other)


def test_tables_come_and_go():
    assert difference(Ruleset(), ONE) == replacement(ONE)
    assert difference(ONE, Ruleset()).commands == ("delete table ip t",)
    assert removal([("ip", "t")]).commands == ("add table ip t", "delete table ip t")


STATES = [
    Ruleset(),
    EMPTY,
    ONE,
    table(
        {"10.0.0.1": "goto b"},
        {"b": Chain((Rule((Match(("ip saddr",), ("@s",)), Verdict(Action.GOTO, "c"))),)), "c": Chain()},
        {"s": Set(key="ipv4_addr")},
    ),
    table({"10.0.0.1": "goto c"}, {"c": Chain((DROP, DROP))}),
]


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_every_change_leads_to_the_wanted_state(before, after):
    nft = FakeNft()
    nft.apply(replacement(before).render())
    nft.apply(difference(before, after).render())
    listed = parse("".join(nft.list_table(*key) for key in sorted(nft.tables)))
    assert listed == (after, ())
