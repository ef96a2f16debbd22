import pytest

from switchboard.view.build.selectors import Faults, address_peer, is_port, selector
from switchboard.view.policy import AddressPeer, Operator, Requirement

OBJECT = {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "d"}}


@pytest.fixture
def found():
    return []


@pytest.fixture
def faults(found):
    return Faults(OBJECT, found)


def test_labels_and_expressions_in_one_order(faults, found):
    given = {
        "matchLabels": {"b": "2"},
        "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["y", "x", "y"]}],
    }
    assert selector(given, "f", faults) == (
        Requirement("a", Operator.NOT_IN, ("x", "y")),
        Requirement("b", Operator.IN, ("2",)),
    )
    assert found == []


@pytest.mark.parametrize("given", [None, {}, {"matchLabels": None, "matchExpressions": None}])
def test_nothing_asked_selects_everything(given, faults):
    assert selector(given, "f", faults) == ()


@pytest.mark.parametrize(
    "given",
    [
        3,
        [],
        {"matchLabels": []},
        {"matchLabels": {"a": 1}},
        {"matchExpressions": {}},
        {"matchExpressions": [None]},
        {"matchExpressions": [{"key": "a", "operator": []}]},
        {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]},
        {"matchExpressions": [{"key": "a", "operator": "In"}]},
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
        {"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]},
    ],
)
def test_what_the_server_would_refuse_selects_nothing_and_says_so(given, faults, found):
    assert selector(given, "spec.podSelector", faults) is None
    (finding,) = found
    assert finding.object == "NetworkPolicy d/p"
    assert finding.field.startswith("spec.podSelector")


def test_blocks_are_canonical(faults):
    given = {"cidr": "10.1.2.3/8", "except": ["10.2.0.0/16", "10.1.0.0/16"]}
    assert address_peer(given, "f", faults) == AddressPeer("10.0.0.0/8", ("10.1.0.0/16", "10.2.0.0/16"))


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"cidr": []},
        {"cidr": "10.0.0.0"},
        {"cidr": "10.0.0.0/8", "except": [[]]},
        {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]},
        {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]},
        {"cidr": "10.0.0.0/8", "except": ["fd00::/64"]},
    ],
)
def test_faulty_blocks_match_nothing(given, faults, found):
    assert address_peer(given, "f", faults) is None
    assert len(found) == 1


def test_ports():
    assert [v for v in (0, 1, 65535, 65536, True, "80", None) if is_port(v)] == [1, 65535]
