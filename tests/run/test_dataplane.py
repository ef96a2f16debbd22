"""The rules of a node in memory and, as the fake shows, in the kernel: services and policies in one transaction."""

from __future__ import annotations

import msgspec
import pytest

from switchboard.apply.conntrack_fake import FakeConntrack
from switchboard.apply.nft_fake import FakeNft
from switchboard.base.errors import MachineError
from switchboard.compile import lab, policy
from switchboard.compile.modes.nftables import MODE
from switchboard.run.dataplane import NodeRules
from switchboard.view.model import View
from switchboard.view.node import Node, Pod
from switchboard.view.policy import PodPeer, Policy

DENY = Policy(name="deny", namespace="d", subject=PodPeer("d"), ingress=())
FREE = View(
    nodes=(Node(name="n1", addresses=("172.30.0.11",)),),
    pods=(Pod(namespace="d", name="p", node="n1", addresses=("10.244.1.2",)),),
)
DENIED = msgspec.structs.replace(FREE, policies=(DENY,))


@pytest.fixture
def nft():
    return FakeNft()


@pytest.fixture
def rules(nft):
    return NodeRules("n1", nft, FakeConntrack(), MODE, lab.Ranges())


def tables(nft):
    return {name for _, name in nft.tables}


def test_policies_come_and_go_with_the_rules_for_services(rules, nft):
    assert rules.sync(FREE) == ()
    assert tables(nft) == {"kube-proxy", "switchboard-pods"}
    assert rules.sync(DENIED) == ()
    assert tables(nft) == {"kube-proxy", "switchboard-pods", policy.TABLE}
    assert rules.sync(FREE) == ()
    assert policy.TABLE not in tables(nft)
    assert len(nft.transactions) == 3


def test_the_same_view_again_is_no_transaction(rules, nft):
    rules.sync(DENIED)
    rules.sync(DENIED)
    assert len(nft.transactions) == 1


def test_a_first_sync_removes_policies_that_nothing_asks_for(rules, nft):
    nft.apply(f"add table ip {policy.TABLE}\n")
    rules.sync(FREE)
    assert policy.TABLE not in tables(nft)


def test_a_refused_transaction_is_a_finding_and_the_next_one_is_whole(rules, nft, monkeypatch):
    rules.sync(FREE)
    before = dict(nft.tables)

    def refuse(transaction):
        raise MachineError("nft-refused", "no", context="line")

    with monkeypatch.context() as broken:
        broken.setattr(nft, "apply", refuse)
        (finding,) = rules.sync(DENIED)
    assert (finding.reference, finding.object, finding.field) == ("nft-refused", "Node n1", "line")
    assert nft.tables == before
    assert rules.sync(DENIED) == ()
    assert policy.TABLE in tables(nft)
    assert nft.transactions[-1].startswith("add table")
