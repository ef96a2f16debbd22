from __future__ import annotations

import pytest

from switchboard.compile.modes import _ipt_frame as ipt
from switchboard.compile.modes._ipvs_chains import SETS, chains, set_name
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.rules.iptables import Ruleset, validate
from switchboard.view.model import View
from switchboard.view.node import Node


def of(family=4, **facts):
    options = ProxyOptions(**({"cluster_cidrs": ("10.244.0.0/16", "fd00:244::/48")} | facts))
    return chains(ipt.frame(family, View(), Node(name="n1"), options), ())


def test_names_of_sets_are_unique_and_short():
    names = [set_name(n, f) for n in SETS for f in (4, 6)]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) == 31
    assert set_name("LOAD-BALANCER-SOURCE-CIDR", 6) == "KUBE-6-LOAD-BALANCER-SOURCE-CID"


@pytest.mark.parametrize("family", [4, 6])
def test_chains_are_valid(family):
    assert validate(Ruleset(family, of(family))) == ()


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({}, "! -s 10.244.0.0/16 -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
        ({"masquerade_all": True}, "-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
        ({"cluster_cidrs": ()}, "-m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ"),
    ],
)
def test_who_is_masqueraded_at_cluster_addresses(facts, rule):
    said = '-m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" '
    rules = [r.render().replace(said, "") for r in of(**facts)["nat"]["KUBE-SERVICES"].rules]
    assert rule in rules


def test_unused_ports_are_rejected_and_invalid_packets_are_left_alone():
    tables = of()
    assert tables["filter"]["KUBE-IPVS-FILTER"].rules[-1].target == "REJECT"
    assert [r.target for r in tables["filter"]["KUBE-FORWARD"].rules] == ["ACCEPT", "ACCEPT"]
