"""Policies in the kernel of a node: the tables ``ip switchboard-policy`` and ``ip6 switchboard-policy``.

In go the view and a node's name; out come a ``Ruleset`` and findings.
A family in which no policy is about a pod of the node has no table.
Called by ``run``; ``rules.nft_difference`` tells the kernel.

Packets between pods, and between pods and the world, pass the hook *forward* of the pod's node, where destinations are
translated already and sources not yet: policies see the client's address and the pod's port.  Egress is asked at
priority 0 on the node of the source, ingress at priority 1 on the node of the destination, so that accepting in one
chain does not end the other.  Traffic between a node and its own pods passes other hooks and is never touched.
Replies and established connections are accepted by their connection's state: a policy concerns new connections.
Specification: ``view.policy_decision``; for every packet the rules give the verdict that ``decide`` gives.
"""

from __future__ import annotations

from switchboard.base.findings import Finding, Severity
from switchboard.compile._policy_match import ADDRESS_TYPE, Matcher, comment, named
from switchboard.compile.modes._nft_frame import DROP, Words, any_of, chain, goto, jump, rule
from switchboard.rules.nft import Chain, Hook, Ruleset, Set, Table
from switchboard.rules.nft_statement import Action as Act
from switchboard.rules.nft_statement import Match, Verdict, VerdictMap
from switchboard.view.choice import addresses_of
from switchboard.view.model import View
from switchboard.view.node import Pod
from switchboard.view.policy import Action, Direction, Policy, Tier
from switchboard.view.policy_decision import PolicyIndex

TABLE = "switchboard-policy"
TABLES = (("ip", TABLE), ("ip6", TABLE))
_OWN = "own-addresses"
_ACCEPT = Verdict(Act.ACCEPT)
_KNOWN = rule(any_of("ct state", ["established", "related"]), _ACCEPT)


def compile_node(view: View, node_name: str) -> tuple[Ruleset, tuple[Finding, ...]]:
    """The tables of one node; a pod whose address another pod of the node has already goes without, with a finding."""
    index = PolicyIndex(view)
    pods = sorted((p for p in index.subjects if p.node == node_name and node_name), key=lambda p: p.key)
    findings: dict[Finding, None] = {}
    tables: list[Table] = []
    for family in (4, 6):
        owners: dict[str, Pod] = {}
        for pod in pods:
            for address in addresses_of(pod.addresses, family):
                if owners.setdefault(address, pod) is not pod:
                    message = f"{address} belongs to pod {owners[address].key} already, whose policies hold for it."
                    found = Finding(
                        reference="address-taken", message=message, severity=Severity.WARNING, object=f"Pod {pod.key}"
                    )
                    findings[found] = None
        draft = _Draft(index, Words(family), tuple(pods))
        for address, pod in owners.items():
            draft.add(address, pod)
        tables += draft.tables()
    return Ruleset(tuple(tables)), tuple(findings)


class _Draft:
    """One table in the making: chains by name, elements of the dispatch by direction."""

    def __init__(self, index: PolicyIndex, words: Words, local: tuple[Pod, ...]) -> None:
        self._index = index
        self._words = words
        self._matcher = Matcher(index, words, local)
        self._chains: dict[str, Chain] = {}
        self._pods: dict[Direction, dict[str, str]] = {d: {} for d in Direction}
        self._own: dict[str, str] = {}

    def add(self, address: str, pod: Pod) -> None:
        """One address of a pod of this node: nothing when no policy is about the pod."""
        for direction in Direction:
            name = self._first_chain(pod, direction)
            if name:
                self._pods[direction][address] = goto(name).render()
                if self._index.policies(pod, direction, Tier.NETWORK_POLICY):
                    self._own[f"{address} . {address}"] = ""

    def tables(self) -> tuple[Table, ...]:
        """The table, none when it would be empty."""
        if not any(self._pods.values()):
            return ()
        address = ADDRESS_TYPE[self._words.family]
        sets = dict(self._matcher.sets)
        if self._own:
            sets[_OWN] = Set(key=f"{address} . {address}", elements=self._own)
        for priority, direction in enumerate((Direction.EGRESS, Direction.INGRESS)):
            elements = self._pods[direction]
            if elements:
                name = f"{direction}-pods"
                expression = self._words.saddr if direction is Direction.EGRESS else self._words.daddr
                sets[name] = Set(key=address, data="verdict", elements=elements)
                dispatch = rule(VerdictMap((expression,), name))
                self._chains[f"forward-{direction}"] = chain(_KNOWN, dispatch, hook=Hook("filter", "forward", priority))
        return (Table(family=self._words.table, name=TABLE, chains=self._chains, sets=sets),)

    def _first_chain(self, pod: Pod, direction: Direction) -> str:
        """The chain that decides about a pod; empty when no policy does.  Pods under the same policies share it."""
        isolating = self._index.policies(pod, direction, Tier.NETWORK_POLICY)
        admin = self._index.policies(pod, direction, Tier.ADMIN)
        if isolating:
            name = self._isolation(isolating, direction)
        else:
            name = self._ordered(self._index.policies(pod, direction, Tier.BASELINE), direction, "")
        return self._ordered(admin, direction, name)

    def _ordered(self, policies: tuple[Policy, ...], direction: Direction, following: str) -> str:
        """A chain in which the first rule that matches decides; what none decides is for the chain ``following``."""
        if not policies:
            return following
        name = named(direction, "\n".join((*(p.key for p in policies), following)))
        if name not in self._chains:
            on = goto(following) if following else _ACCEPT
            verdicts = {Action.ACCEPT: _ACCEPT, Action.DENY: DROP, Action.PASS: on}
            rules = [
                rule(*matches, verdicts[each.action])
                for policy in policies
                for each in policy.rules(direction) or ()
                for matches in self._matcher.matches(each, direction)
            ]
            self._chains[name] = chain(*rules, rule(on), comment=comment(p.key for p in policies))
        return name

    def _isolation(self, policies: tuple[Policy, ...], direction: Direction) -> str:
        """A chain that drops what no NetworkPolicy allows; a pod may reach itself, through a Service too."""
        name = named(direction, "\n".join(p.key for p in policies))
        if name not in self._chains:
            itself = rule(Match((self._words.saddr, self._words.daddr), (f"@{_OWN}",)), _ACCEPT)
            jumps = [rule(jump(self._policy(policy, direction))) for policy in policies if policy.rules(direction)]
            self._chains[name] = chain(itself, *jumps, rule(DROP), comment=comment(p.key for p in policies))
        return name

    def _policy(self, policy: Policy, direction: Direction) -> str:
        """The chain of what one NetworkPolicy allows, for all pods that it is about."""
        key = f"{policy.namespace}/{policy.name}"
        name = named(f"{direction}-policy", key, readable=key)
        if name not in self._chains:
            rules = [
                rule(*matches, _ACCEPT)
                for each in policy.rules(direction) or ()
                for matches in self._matcher.matches(each, direction)
            ]
            self._chains[name] = chain(*dict.fromkeys(rules))
        return name
