from __future__ import annotations

import pytest

from switchboard.rules.iptables import (
    MATCHES,
    TARGETS,
    Chain,
    Match,
    Option,
    Rule,
    Ruleset,
    Unknown,
    parse,
    parse_rule,
    render,
    render_chain,
    validate,
    words_of,
)

RULES = """\
! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m comment --comment "d/s cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-m comment --comment "a \\"quoted\\" \\\\ text" -m statistic --mode random --probability 0.50000000000 -j KUBE-MARK-MASQ
-m comment --comment plain-word -g KUBE-MARK-MASQ
-m recent --rcheck --seconds 30 --reap --name A --mask 255.255.255.255 --rsource -j ACCEPT
-p tcp -m recent --set --name A --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.0.1:80
-m mark ! --mark 0x4000/0x4000 -j RETURN
-m addrtype --dst-type LOCAL -m conntrack --ctstate NEW -j REJECT --reject-with icmp-port-unreachable
-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
-i pod+ -j MARK --set-xmark 0x4000/0x4000
-j MASQUERADE --random-fully
""".splitlines()


@pytest.mark.parametrize("line", RULES)
def test_parsing_a_rendering_returns_it(line):
    rule = parse_rule(words_of(line))
    assert rule.render() == line
    assert not any(isinstance(m, Unknown) for m in rule.matches)


def whole():
    rules = tuple(parse_rule(words_of(line)) for line in RULES)
    chains = {"INPUT": Chain(rules, "ACCEPT"), "KUBE-MARK-MASQ": Chain()}
    return Ruleset(4, {"filter": chains, "nat": {"OUTPUT": Chain(policy="DROP")}})


def test_a_ruleset_is_read_back():
    assert parse(render(whole()), 4) == (whole(), ())
    assert validate(whole()) == ()
    assert whole().chain("filter", "KUBE-MARK-MASQ") == Chain()
    assert whole().chain("raw", "X") is None


def test_counters_comments_and_the_end_are_no_rules():
    text = "# Generated\n*nat\n:A - [3:7]\n[5:9] -A A -j ACCEPT\nCOMMIT\n"
    assert parse(text, 6) == (Ruleset(6, {"nat": {"A": Chain((Rule((), "ACCEPT"),))}}), ())


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("-m quota --quota 5 -j ACCEPT", "-m quota --quota 5 -j ACCEPT"),
        ("-p tcp -m tcp --syn -j DROP", "--syn -j DROP"),
        ("-p tcp -j LOG --log-prefix x", "-j LOG --log-prefix x"),
        ("-j DNAT --to-destination 10.0.0.1 --persistent", "-j DNAT --to-destination 10.0.0.1 --persistent"),
        ("-s", "-s"),
        ("-j", "-j"),
        ("!", "!"),
    ],
)
def test_what_is_not_understood_is_kept_and_said(line, kept):
    rule = parse_rule(words_of(line))
    assert rule.matches[-1] == Unknown(kept)
    assert rule.render() == line
    ruleset, (finding,) = parse(f"*filter\n-A A {line}\nCOMMIT\n", 4)
    assert (finding.reference, finding.object) == ("iptables-unknown", "line 2")
    assert "iptables-unknown" in {f.reference for f in validate(ruleset)}


def test_lines_that_are_no_rules_are_said():
    assert parse("*filter\nnonsense\n", 4)[1][0].object == "line 2"


@pytest.mark.parametrize(
    ("name", "rule", "reference"),
    [
        ("A" * 29, Rule(), "iptables-name"),
        ("A B", Rule(), "iptables-name"),
        ("A", Rule((), "GONE"), "iptables-reference"),
        ("A", Rule((Match("quota", ()),)), "iptables-unknown"),
        ("A", Rule((Match("tcp", (Option("--syn"),)),)), "iptables-unknown"),
        ("A", Rule((Match("tcp", (Option("--dport"),)),)), "iptables-unknown"),
        ("A", Rule((Match("comment", (Option("--comment", ("x" * 256,)),)),)), "iptables-name"),
        ("A", Rule((), "ACCEPT", (Option("--x"),)), "iptables-unknown"),
    ],
)
def test_faults(name, rule, reference):
    assert [f.reference for f in validate(Ruleset(4, {"filter": {name: Chain((rule,))}}))] == [reference]


def test_comment_and_lines_of_a_chain():
    rule = parse_rule(words_of(RULES[0]))
    assert (rule.comment, Rule().comment) == ("d/s cluster IP", "")
    assert render_chain("A", Chain((Rule(), rule))) == ["-A A", f"-A A {RULES[0]}"]


def test_every_option_is_exercised():
    text = " ".join(RULES)
    untested = {"--sport", "-o", "--src-type", "--or-mark", "--xor-mark"}
    names = {o for known in (*MATCHES.values(), *TARGETS.values()) for o in known}
    assert {n for n in names if f"{n} " not in f"{text} "} == untested
