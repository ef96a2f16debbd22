"""Where a pod may run: node affinity, taints, host ports, pod affinity, topology spread; and which node is best.

In: nodes, the pods that have one, the labels of namespaces.  Out: a node, or why each node was refused.
Called by the scheduler, which assigns pods one after the other.
Specification: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from switchboard.api import selectors
from switchboard.controllers._pods import integer, node_of
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

AFFINITY = "didn't match Pod's node affinity/selector"
POD_AFFINITY = "didn't match pod affinity rules"
ANTI_AFFINITY = "didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "didn't satisfy existing pods anti-affinity rules"
SPREAD = "didn't match pod topology spread constraints"
SPREAD_LABEL = "didn't match pod topology spread constraints (missing required label)"
_ALWAYS = "requiredDuringSchedulingIgnoredDuringExecution"
_RATHER = "preferredDuringSchedulingIgnoredDuringExecution"


class Placement:
    """The state of the cluster during one round of scheduling.

    Args:
        nodes: candidates.
        placed: pods that are on a node and not finished.
        namespace_labels: labels of each namespace, for ``namespaceSelector``.
    """

    def __init__(
        self, nodes: list[Object], placed: Iterable[Object], namespace_labels: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._nodes = nodes
        self._labels = {objects.name(n): objects.labels(n) for n in nodes}
        self._namespaces = namespace_labels
        self._on: dict[str, list[Object]] = defaultdict(list)
        self._owners: Counter[tuple[str, str]] = Counter()
        self._repelling: list[Object] = []
        for pod in placed:
            self.assign(pod)

    @property
    def node_count(self) -> int:
        """How many nodes there are to choose from."""
        return len(self._nodes)

    def assign(self, pod: Object) -> None:
        """Take a pod with its ``nodeName`` into account for those that follow."""
        node = node_of(pod)
        self._on[node].append(pod)
        self._owners[(node, _owner(pod))] += 1
        if _terms(pod, "podAntiAffinity", _ALWAYS):
            self._repelling.append(pod)

    def choose(self, pod: Object) -> tuple[Object | None, Counter[str]]:
        """The best node for a pod, or None and how many nodes were refused for which reason."""
        reasons: Counter[str] = Counter()
        fitting = []
        for node in self._nodes:
            reason = self._refusal(pod, node)
            if reason:
                reasons[reason if reason.startswith("Too many") else f"node(s) {reason}"] += 1
            else:
                fitting.append(node)
        return (min(fitting, key=lambda n: self._rank(pod, n)) if fitting else None), reasons

    def _refusal(self, pod: Object, node: Object) -> str:
        spec = objects.spec(pod)
        if objects.spec(node).get("unschedulable") and not _tolerates(
            spec, {"key": names.UNSCHEDULABLE_TAINT, "effect": "NoSchedule"}
        ):
            return "were unschedulable"
        if not _node_matches(spec, node):
            return AFFINITY
        for taint in sequence(objects.spec(node).get("taints")):
            if mapping(taint).get("effect") in ("NoSchedule", "NoExecute") and not _tolerates(spec, mapping(taint)):
                return f"had untolerated taint {{{text(taint.get('key'))}: {text(taint.get('value'))}}}"
        here = self._on[objects.name(node)]
        limit = mapping(objects.status(node).get("allocatable")).get("pods")
        if str(limit or "").isdecimal() and len(here) >= int(str(limit)):
            return "Too many pods"
        wanted_ports = _host_ports(pod)
        if wanted_ports and any(wanted_ports & _host_ports(other) for other in here):
            return "didn't have free ports for the requested pod ports"
        return self._spread_refusal(pod, node) or self._affinity_refusal(pod, node)

    def _affinity_refusal(self, pod: Object, node: Object) -> str:
        for term in _terms(pod, "podAffinity", _ALWAYS):
            near = self._domain(term, node)
            if near is None:
                return POD_AFFINITY
            if any(self._matches(term, pod, other) for other in near):
                continue
            # The first of a group that wants to be together may start anywhere.
            alone = not any(self._matches(term, pod, o) for pods in self._on.values() for o in pods)
            if not (alone and self._matches(term, pod, pod)):
                return POD_AFFINITY
        for term in _terms(pod, "podAntiAffinity", _ALWAYS):
            if any(self._matches(term, pod, other) for other in self._domain(term, node) or ()):
                return ANTI_AFFINITY
        for other in self._repelling:
            for term in _terms(other, "podAntiAffinity", _ALWAYS):
                if self._matches(term, other, pod) and self._same_domain(term, node, node_of(other)):
                    return EXISTING_ANTI_AFFINITY
        return ""

    def _spread_refusal(self, pod: Object, node: Object) -> str:
        for constraint in _constraints(pod, "DoNotSchedule"):
            topology = text(constraint.get("topologyKey"))
            value = objects.labels(node).get(topology)
            if value is None:
                return SPREAD_LABEL
            counts = self._spread(pod, constraint)
            fewest = min(counts.values(), default=0)
            if len(counts) < integer(constraint.get("minDomains"), 1):
                fewest = 0
            itself = 1 if selectors.matches(_spread_selector(pod, constraint) or (), objects.labels(pod)) else 0
            if counts.get(value, 0) + itself - fewest > integer(constraint.get("maxSkew"), 1):
                return SPREAD
        return ""

    def _spread(self, pod: Object, constraint: Mapping[str, Any]) -> dict[str, int]:
        """Matching pods by topology value, over the nodes that the pod could use (``nodeAffinityPolicy: Honor``)."""
        topology = text(constraint.get("topologyKey"))
        selector = _spread_selector(pod, constraint)
        counts: dict[str, int] = {}
        for node in self._nodes:
            value = objects.labels(node).get(topology)
            honour = constraint.get("nodeAffinityPolicy") != "Ignore"
            if value is None or (honour and not _node_matches(objects.spec(pod), node)):
                continue
            counts[value] = counts.get(value, 0) + sum(
                selector is not None
                and objects.namespace(other) == objects.namespace(pod)
                and not objects.deleting(other)
                and selectors.matches(selector, objects.labels(other))
                for other in self._on[objects.name(node)]
            )
        return counts

    def _rank(self, pod: Object, node: Object) -> tuple[int, int, int, int, int, str]:
        """Smaller is better: preferences, soft spread, own kind in the zone and on the node, pods, name."""
        name, owner = objects.name(node), _owner(pod)
        zone = objects.labels(node).get(names.ZONE_LABEL)
        peers = [n for n, labels in self._labels.items() if zone is not None and labels.get(names.ZONE_LABEL) == zone]
        soft = sum(
            self._spread(pod, c).get(objects.labels(node).get(text(c.get("topologyKey")), ""), 0)
            for c in _constraints(pod, "ScheduleAnyway")
        )
        own_zone = sum(self._owners[(peer, owner)] for peer in peers) if owner else 0
        return (-self._preference(pod, node), soft, own_zone, self._owners[(name, owner)] if owner else 0,
                len(self._on[name]), name)  # fmt: skip

    def _preference(self, pod: Object, node: Object) -> int:
        total = 0
        node_affinity = mapping(mapping(objects.spec(pod).get("affinity")).get("nodeAffinity"))
        for weighted in map(mapping, sequence(node_affinity.get(_RATHER))):
            if _node_term(mapping(weighted.get("preference")), node):
                total += integer(weighted.get("weight"), 0)
        for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
            for weighted in map(mapping, _terms(pod, kind, _RATHER)):
                term = mapping(weighted.get("podAffinityTerm"))
                near = sum(self._matches(term, pod, other) for other in self._domain(term, node) or ())
                total += sign * integer(weighted.get("weight"), 0) * near
        return total

    def _domain(self, term: Mapping[str, Any], node: Object) -> list[Object] | None:
        """Pods on the nodes that share the node's topology value; None when the node has none."""
        topology = text(term.get("topologyKey"))
        value = objects.labels(node).get(topology)
        if value is None:
            return None
        return [pod for name, labels in self._labels.items() if labels.get(topology) == value for pod in self._on[name]]

    def _same_domain(self, term: Mapping[str, Any], node: Object, other_node: str) -> bool:
        topology = text(term.get("topologyKey"))
        value = objects.labels(node).get(topology)
        return value is not None and self._labels.get(other_node, {}).get(topology) == value

    def _matches(self, term: Mapping[str, Any], holder: Object, other: Object) -> bool:
        """Whether a pod is meant by an affinity term of another (``holder``)."""
        spaces = sequence(term.get("namespaces"))
        by_label = selectors.from_object(term.get("namespaceSelector"))
        space = objects.namespace(other)
        meant = space in spaces or (
            by_label is not None and selectors.matches(by_label, self._namespaces.get(space, {}))
        )
        if not (meant or (not spaces and by_label is None and space == objects.namespace(holder))):
            return False
        selector = selectors.from_object(term.get("labelSelector"))
        return selector is not None and selectors.matches(
            (*selector, *_from_keys(holder, term)), objects.labels(other)
        )


def allows(spec: Mapping[str, Any], node: Object, *, running: bool = False) -> bool:
    """Whether a pod of this spec may be on a node at all, whatever else runs there: affinity and taints.

    One that is ``running`` there already may stay although it could not be placed there now (NoSchedule).
    """
    taints = [mapping(taint) for taint in sequence(objects.spec(node).get("taints"))]
    bad = [t for t in taints if t.get("effect") == "NoExecute" or (t.get("effect") == "NoSchedule" and not running)]
    return _node_matches(spec, node) and all(_tolerates(spec, taint) for taint in bad)


def _owner(pod: Object) -> str:
    return text(objects.controller(pod).get("uid"))


def _terms(pod: Object, kind: str, strength: str) -> list[Any]:
    return sequence(mapping(mapping(objects.spec(pod).get("affinity")).get(kind)).get(strength))


def _constraints(pod: Object, reaction: str) -> list[dict[str, Any]]:
    found = sequence(objects.spec(pod).get("topologySpreadConstraints"))
    return [c for c in found if isinstance(c, dict) and c.get("whenUnsatisfiable", "DoNotSchedule") == reaction]


def _from_keys(pod: Object, term: Mapping[str, Any]) -> selectors.Selector:
    """``matchLabelKeys``: the holder's own values of these labels."""
    labels = objects.labels(pod)
    return selectors.from_labels({k: labels[k] for k in sequence(term.get("matchLabelKeys")) if k in labels})


def _spread_selector(pod: Object, constraint: Mapping[str, Any]) -> selectors.Selector | None:
    selector = selectors.from_object(constraint.get("labelSelector"))
    return None if selector is None else (*selector, *_from_keys(pod, constraint))


def _node_matches(spec: Mapping[str, Any], node: Object) -> bool:
    if not selectors.matches(selectors.from_labels(mapping(spec.get("nodeSelector"))), objects.labels(node)):
        return False
    required = mapping(mapping(mapping(spec.get("affinity")).get("nodeAffinity")).get(_ALWAYS))
    terms = sequence(required.get("nodeSelectorTerms"))
    return not required or any(_node_term(mapping(term), node) for term in terms)


def _node_term(term: Mapping[str, Any], node: Object) -> bool:
    """One node selector term: all expressions and fields hold; an empty term matches nothing."""
    expressions, fields = sequence(term.get("matchExpressions")), sequence(term.get("matchFields"))
    if not expressions and not fields:
        return False
    by_label = selectors.from_object({"matchExpressions": expressions}) or ()
    by_field = selectors.from_object({"matchExpressions": fields}) or ()
    return selectors.matches(by_label, objects.labels(node)) and selectors.matches(
        by_field, {"metadata.name": objects.name(node)}
    )


def _tolerates(spec: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    for toleration in map(mapping, sequence(spec.get("tolerations"))):
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        key = toleration.get("key")
        if not key and toleration.get("operator") == "Exists":
            return True
        if key != taint.get("key"):
            continue
        if toleration.get("operator") == "Exists" or text(toleration.get("value")) == text(taint.get("value")):
            return True
    return False


def _host_ports(pod: Object) -> set[tuple[str, int]]:
    return {
        (text(port.get("protocol")) or "TCP", port["hostPort"])
        for container in sequence(objects.spec(pod).get("containers"))
        for port in map(mapping, sequence(mapping(container).get("ports")))
        if isinstance(port.get("hostPort"), int) and port["hostPort"]
    }
