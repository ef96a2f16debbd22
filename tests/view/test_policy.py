import pytest

from switchboard.view.policy import (
    Direction,
    Operator,
    Policy,
    PolicyPort,
    PolicyRule,
    Requirement,
    Tier,
    selects,
)


@pytest.mark.parametrize(
    ("operator", "with_", "other", "without"),
    [
        (Operator.IN, True, False, False),
        (Operator.NOT_IN, False, True, True),
        (Operator.EXISTS, True, True, False),
        (Operator.DOES_NOT_EXIST, False, False, True),
    ],
)
def test_requirements_match(operator, with_, other, without):
    values = ("a", "") if operator in (Operator.IN, Operator.NOT_IN) else ()
    requirement = Requirement("k", operator, values)
    assert requirement.matches({"k": "a"}) is with_
    assert requirement.matches({"k": ""}) is with_
    assert requirement.matches({"k": "b"}) is other
    assert requirement.matches({"x": "a"}) is without


def test_all_requirements_must_hold():
    selector = (Requirement("a", Operator.EXISTS), Requirement("b", Operator.IN, ("1",)))
    assert selects(selector, {"a": "", "b": "1"})
    assert not selects(selector, {"a": ""})
    assert selects((), {})


def test_requirements_read_as_in_selectors():
    shown = [str(Requirement("a", o, ("x", "y") if "In" in o else ())) for o in Operator]
    assert shown == ["a in (x,y)", "a notin (x,y)", "a", "!a"]


def test_a_policy_knows_its_rules_and_its_name():
    rules = (PolicyRule(field="spec.egress[0]"),)
    policy = Policy(name="p", namespace="d", egress=rules)
    assert policy.rules(Direction.EGRESS) == rules
    assert policy.rules(Direction.INGRESS) is None
    assert policy.key == "NetworkPolicy d/p"
    assert Policy(name="p", tier=Tier.ADMIN).key == "ClusterNetworkPolicy p"


def test_every_port_of_a_protocol():
    assert PolicyPort("TCP").every
    assert not PolicyPort("TCP", 1, 65535).every
    assert not PolicyPort("TCP", name="http").every
