"""Neutral facts about who may connect to whom: namespaces, policies, their rules, peers and ports.

Made by ``view.build.policies``; read by ``view.policy_decision``, ``compile.policy`` and reports.
NetworkPolicies and ClusterNetworkPolicies are the same facts: what tells them apart is the tier.
Specification: networking.k8s.io/v1 NetworkPolicy, policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

HIGHEST_PORT = 65535


class Operator(StrEnum):
    """How a requirement compares a label; NOT_IN holds for a label that is not there."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(msgspec.Struct, frozen=True, order=True):
    """One condition on labels; ``values`` are sorted, and empty for EXISTS and DOES_NOT_EXIST."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil it."""
        match self.operator:
            case Operator.IN:
                return self.key in labels and labels[self.key] in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
        word = "in" if self.operator is Operator.IN else "notin"
        return f"{self.key} {word} ({','.join(self.values)})"


#: All must hold, so the empty one selects everything; sorted and without repetitions, so that equal ones compare equal.
Selector = tuple[Requirement, ...]


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether the labels fulfil every requirement."""
    return all(requirement.matches(labels) for requirement in selector)


class Namespace(msgspec.Struct, frozen=True):
    """A namespace with its labels, ``kubernetes.io/metadata.name`` among them."""

    name: str
    labels: dict[str, str] = {}


class Direction(StrEnum):
    """As seen from the pod that a policy is about."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Tier(StrEnum):
    """The tiers in the order in which they are asked: ADMIN, NETWORK_POLICY, BASELINE."""

    ADMIN = "Admin"
    NETWORK_POLICY = "NetworkPolicy"
    BASELINE = "Baseline"


class Action(StrEnum):
    """What a rule that matches does; PASS leaves the decision to the next tier."""

    ACCEPT = "Accept"
    DENY = "Deny"
    PASS = "Pass"


class PodPeer(msgspec.Struct, frozen=True, tag=True):
    """Pods by labels, never those in the host's network; ``namespace`` is the only one when it is not empty."""

    namespace: str = ""
    namespaces: Selector = ()
    pods: Selector = ()


class AddressPeer(msgspec.Struct, frozen=True, tag=True):
    """Addresses of a CIDR without those of the ``excluded`` CIDRs inside it, of pods and nodes as of others."""

    cidr: str
    excluded: tuple[str, ...] = ()


class NodePeer(msgspec.Struct, frozen=True, tag=True):
    """Nodes by labels, and with them everything that uses their addresses."""

    nodes: Selector = ()


Peer = PodPeer | AddressPeer | NodePeer


class PolicyPort(msgspec.Struct, frozen=True):
    """Ports of the destination: those of a range, or the one that its pod declares under ``name``.

    ``protocol`` is TCP, UDP or SCTP; empty, for names only, is whatever the pod declares.
    """

    protocol: str
    first: int = 0
    last: int = HIGHEST_PORT
    name: str = ""

    @property
    def every(self) -> bool:
        """Whether it is the whole protocol."""
        return not self.name and self.first == 0 and self.last == HIGHEST_PORT


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy says about some peers and ports; None is any, and the empty tuple matches nothing.

    ``field`` is where the rule is written: ``spec.ingress[0]``.
    """

    field: str
    action: Action = Action.ACCEPT
    peers: tuple[Peer, ...] | None = None
    ports: tuple[PolicyPort, ...] | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy; ``namespace`` is empty for those of the cluster.

    ``ingress`` and ``egress`` are None when the policy says nothing about that direction; a NetworkPolicy isolates its
    subject in the others, and an empty tuple then allows nothing.  Lower ``priority`` is asked first.
    """

    name: str
    namespace: str = ""
    tier: Tier = Tier.NETWORK_POLICY
    priority: int = 0
    subject: PodPeer = PodPeer()
    ingress: tuple[PolicyRule, ...] | None = None
    egress: tuple[PolicyRule, ...] | None = None

    @property
    def key(self) -> str:
        """``NetworkPolicy namespace/name`` or ``ClusterNetworkPolicy name``."""
        if self.tier is Tier.NETWORK_POLICY:
            return f"NetworkPolicy {self.namespace}/{self.name}"
        return f"ClusterNetworkPolicy {self.name}"

    def rules(self, direction: Direction) -> tuple[PolicyRule, ...] | None:
        """The rules of one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress
