import pytest

from switchboard.view.build.cluster_policies import cluster_policy
from switchboard.view.build.selectors import Faults
from switchboard.view.policy import (
    Action,
    AddressPeer,
    NodePeer,
    Operator,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Requirement,
    Tier,
)

TEAM = Requirement("team", Operator.IN, ("x",))
LABELS = {"matchLabels": {"team": "x"}}


def read(**changes):
    spec = {"tier": "Admin", "priority": 5, "subject": {"namespaces": {}}} | changes
    findings = []
    obj = {"kind": "ClusterNetworkPolicy", "metadata": {"name": "c"}, "spec": spec}
    return cluster_policy(obj, Faults(obj, findings)), findings


def test_all_of_it():
    found, findings = read(
        subject={"pods": {"namespaceSelector": {}, "podSelector": LABELS}},
        ingress=[{"action": "Pass", "from": [{"namespaces": LABELS}], "protocols": [{"destinationNamedPort": "http"}]}],
        egress=[
            {
                "action": "Deny",
                "to": [{"networks": ["10.0.0.0/8", "::/0"]}, {"nodes": LABELS}],
                "protocols": [
                    {"tcp": {"destinationPort": {"number": 80}}},
                    {"udp": {"destinationPort": {"range": {"start": 1, "end": 9}}}},
                    {"sctp": {}},
                ],
            }
        ],
    )
    assert findings == []
    assert found == Policy(
        name="c",
        tier=Tier.ADMIN,
        priority=5,
        subject=PodPeer("", (), (TEAM,)),
        ingress=(
            PolicyRule(
                field="spec.ingress[0]",
                action=Action.PASS,
                peers=(PodPeer("", (TEAM,)),),
                ports=(PolicyPort("", name="http"),),
            ),
        ),
        egress=(
            PolicyRule(
                field="spec.egress[0]",
                action=Action.DENY,
                peers=(AddressPeer("10.0.0.0/8"), AddressPeer("::/0"), NodePeer((TEAM,))),
                ports=(PolicyPort("TCP", 80, 80), PolicyPort("UDP", 1, 9), PolicyPort("SCTP")),
            ),
        ),
    )


def test_a_direction_without_rules_is_not_its_business():
    found, _ = read(tier="Baseline", ingress=[])
    assert (found.tier, found.ingress, found.egress) == (Tier.BASELINE, None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"tier": []},
        {"tier": "Middle"},
        {"priority": True},
        {"priority": 1001},
        {"subject": {}},
        {"subject": {"pods": 3}},
    ],
)
def test_without_a_place_or_a_subject_it_is_left_out(change):
    found, findings = read(**change)
    assert found is None
    assert len(findings) == 1


@pytest.mark.parametrize(
    ("rule", "peers", "ports"),
    [
        ({"from": [{}]}, (), None),
        ({"from": [{"networks": ["x"]}]}, (), None),
        ({"from": [{"nodes": 3}]}, (), None),
        ({"from": [{"namespaces": {}}], "protocols": [{}]}, (PodPeer(),), ()),
        ({"from": [{"namespaces": {}}], "protocols": [{"tcp": {"destinationPort": {"number": 0}}}]}, (PodPeer(),), ()),
        ({"from": [{"namespaces": {}}], "protocols": [{"destinationNamedPort": 3}]}, (PodPeer(),), ()),
    ],
)
def test_what_cannot_be_read_matches_nothing(rule, peers, ports):
    found, findings = read(ingress=[{"action": "Accept", **rule}])
    assert (found.ingress[0].peers, found.ingress[0].ports) == (peers, ports)
    assert len(findings) == 1


@pytest.mark.parametrize("action", [None, [], "Maybe"])
def test_a_rule_without_an_action_is_left_out(action):
    found, findings = read(ingress=[{"action": action, "from": [{"namespaces": {}}]}])
    assert found.ingress is None
    assert [f.field for f in findings] == ["spec.ingress[0].action"]
