import pytest

from switchboard.view.build import policies
from switchboard.view.policy import AddressPeer, Namespace, Operator, PodPeer, PolicyPort, PolicyRule, Requirement

NAME = "kubernetes.io/metadata.name"
APP = Requirement("app", Operator.IN, ("web",))


def policy(**spec):
    return {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "d"}, "spec": spec}


def built(*found, **others):
    return policies.build({"NetworkPolicy": found, **others})


def rules(*ingress):
    _, (found,), findings = built(policy(ingress=list(ingress)))
    return found.ingress, findings


def test_namespaces_carry_their_name_also_when_nobody_wrote_them_down():
    spaces, _, _ = built(
        policy(),
        Namespace=[{"metadata": {"name": "a", "labels": {"x": "1", "bad": 2}}}],
        Pod=[{"metadata": {"name": "q", "namespace": "b"}}],
    )
    assert spaces == (
        Namespace("a", {"x": "1", NAME: "a"}),
        Namespace("b", {NAME: "b"}),
        Namespace("d", {NAME: "d"}),
    )


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"egress": []}, True, False),
        ({"egress": [{}]}, True, True),
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, True, False),
        ({"policyTypes": ["Ingress", "Ingress"]}, True, False),
        ({"policyTypes": []}, True, False),
    ],
)
def test_types_default_as_the_api_server_does(spec, ingress, egress):
    _, (found,), findings = built(policy(**spec))
    assert (found.ingress is not None, found.egress is not None) == (ingress, egress)
    assert findings == ()


def test_rules_with_every_kind_of_peer():
    found, findings = rules(
        {
            "from": [
                {"podSelector": {"matchLabels": {"app": "web"}}},
                {"namespaceSelector": {}, "podSelector": {}},
                {"ipBlock": {"cidr": "10.0.0.0/8"}},
            ]
        },
        {"from": [], "ports": []},
    )
    assert findings == ()
    assert found == (
        PolicyRule(field="spec.ingress[0]", peers=(PodPeer("d", (), (APP,)), PodPeer(), AddressPeer("10.0.0.0/8"))),
        PolicyRule(field="spec.ingress[1]"),
    )


def test_ports():
    found, findings = rules(
        {"ports": [{}, {"port": 80}, {"port": "http"}, {"protocol": "UDP", "port": 5000, "endPort": 5999}]}
    )
    assert findings == ()
    expected = (
        PolicyPort("TCP"),
        PolicyPort("TCP", 80, 80),
        PolicyPort("TCP", name="http"),
        PolicyPort("UDP", 5000, 5999),
    )
    assert found[0].ports == expected


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"ports": [{"port": 0}]}, "spec.ingress[0].ports[0]"),
        ({"ports": [{"port": True}]}, "spec.ingress[0].ports[0]"),
        ({"ports": [{"endPort": 5}]}, "spec.ingress[0].ports[0]"),
        ({"ports": [{"port": 9, "endPort": 5}]}, "spec.ingress[0].ports[0]"),
        ({"ports": [{"port": "http", "endPort": 5}]}, "spec.ingress[0].ports[0]"),
        ({"ports": [{"protocol": []}]}, "spec.ingress[0].ports[0].protocol"),
        ({"ports": 7}, "spec.ingress[0].ports"),
        ({"from": 7}, "spec.ingress[0].from"),
        ({"from": [{}]}, "spec.ingress[0].from[0]"),
        ({"from": [{"ipBlock": {"cidr": "::/0"}, "podSelector": {}}]}, "spec.ingress[0].from[0]"),
        ({"from": [{"podSelector": 3}]}, "spec.ingress[0].from[0].podSelector"),
        ({"from": [{"ipBlock": {"cidr": "x"}}]}, "spec.ingress[0].from[0].ipBlock.cidr"),
    ],
)
def test_what_the_server_would_refuse_never_opens_a_door(rule, field):
    (found,), (finding,) = rules(rule)
    assert () in (found.peers, found.ports)
    assert finding.field == field


def test_a_rule_that_is_none_allows_nothing():
    found, findings = rules(None, "x")
    assert found == ()
    assert len(findings) == 2


def test_a_policy_whose_subject_cannot_be_read_is_left_out():
    _, found, findings = built(policy(podSelector=[]))
    assert found == ()
    assert [f.field for f in findings] == ["spec.podSelector"]


def test_unknown_types_are_told():
    _, (found,), (finding,) = built(policy(policyTypes=["Ingress", []]))
    assert found.egress is None
    assert finding.field == "spec.policyTypes[1]"


def test_order_is_irrelevant_and_nonsense_is_no_policy():
    one, other = policy(), {**policy(), "metadata": {"name": "a", "namespace": "d"}}
    assert built(one, other) == built(other, one)
    assert built(None, 3, {}, {"metadata": 4}, {"metadata": {"name": "x"}}) == ((), (), ())
