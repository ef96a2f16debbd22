"""Label and field selectors: parsing and matching.

In: a selector as text (``app=web,tier in (a,b),!old``) or as an object (``matchLabels``, ``matchExpressions``).
Out: a tuple of ``Requirement``, all of which must hold; text that does not parse raises ``BadRequest``.
Called by the store for lists, by controllers for what a workload or a Service selects.
Specification: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from switchboard.api.errors import BadRequest
from switchboard.k8s.objects import mapping, sequence


class Requirement(msgspec.Struct, frozen=True):
    """One condition on a label: operator In, NotIn, Exists, DoesNotExist, Gt or Lt (the last two on integers)."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil it; NotIn holds for a missing key, as in Kubernetes."""
        value = labels.get(self.key)
        if self.operator == "Exists":
            return value is not None
        if self.operator == "DoesNotExist":
            return value is None
        if self.operator == "NotIn":
            return value is None or value not in self.values
        if value is None:
            return False
        if self.operator == "In":
            return value in self.values
        return _compares(value, self.operator, next(iter(self.values), ""))


Selector = tuple[Requirement, ...]
EVERYTHING: Selector = ()

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_PREFIX}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<absent_key>[^\s,=!<>()]+)"
    r"|(?P<key>[^\s,=!<>()]+)\s*(?:"
    r"(?P<set>\b(?:in|notin)\b)\s*\((?P<values>[^()]*)\)"
    r"|(?P<operator>==|!=|=|<|>)\s*(?P<value>[^\s,=!<>()]*)"
    r")?)\s*(?:,(?=.)|$)",
    re.DOTALL,
)
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}


def _compares(value: str, operator: str, bound: str) -> bool:
    if not (_INTEGER.fullmatch(value) and _INTEGER.fullmatch(bound)):
        return False
    return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether the labels fulfil every requirement; the empty selector matches everything."""
    return all(requirement.matches(labels) for requirement in selector)


def parse(text: str) -> Selector:
    """A label selector from its string form; raises ``BadRequest`` naming what cannot be read."""
    requirements, position, rest = [], 0, text.strip()
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None or term.end() == position:
            raise BadRequest(f'unable to parse requirement: "{rest[position:]}" is no requirement')
        requirements.append(_requirement(term))
        position = term.end()
    return tuple(requirements)


def _requirement(term: re.Match[str]) -> Requirement:
    key = term["key"] or term["absent_key"]
    if not _KEY.fullmatch(key):
        raise BadRequest(f'unable to parse requirement: key: Invalid value: "{key}"')
    if term["absent"]:
        return Requirement(key, "DoesNotExist")
    sign = term["set"] or term["operator"]
    if not sign:
        return Requirement(key, "Exists")
    values = [v.strip() for v in term["values"].split(",")] if term["set"] else [term["value"]]
    operator = _OPERATORS[sign]
    for value in values:
        if not _VALUE.fullmatch(value):
            raise BadRequest(f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}"')
        if operator in ("Gt", "Lt") and not _INTEGER.fullmatch(value):
            raise BadRequest(f'unable to parse requirement: values[0]: Invalid value: "{value}": must be an integer')
    return Requirement(key, operator, frozenset(values))


def from_labels(labels: Mapping[str, Any]) -> Selector:
    """The selector that asks for exactly these labels (a Service's ``spec.selector``, a node selector)."""
    return tuple(Requirement(k, "In", frozenset((str(v),))) for k, v in sorted(labels.items()))


def from_object(selector: object) -> Selector | None:
    """A ``LabelSelector`` object; None (matches nothing) when there is none, everything when it is empty."""
    if not isinstance(selector, Mapping):
        return None
    expressions = (mapping(e) for e in sequence(selector.get("matchExpressions")))
    return (
        *from_labels(mapping(selector.get("matchLabels"))),
        *(
            Requirement(str(e.get("key")), str(e.get("operator")), frozenset(str(v) for v in sequence(e.get("values"))))
            for e in expressions
        ),
    )


class FieldRequirement(msgspec.Struct, frozen=True):
    """One condition on a field: equal, or not."""

    path: str
    value: str
    equal: bool = True


FieldSelector = tuple[FieldRequirement, ...]

# Which fields can be selected, beside metadata.name and metadata.namespace.
SELECTABLE: Mapping[str, frozenset[str]] = {
    "Pod": frozenset(
        {
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        }
    ),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
    "Node": frozenset({"spec.unschedulable"}),
    "Namespace": frozenset({"status.phase"}),
    "Secret": frozenset({"type"}),
    "Job": frozenset({"status.successful"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "Event": frozenset(
        {
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        }
    ),
    "IPAddress": frozenset({"spec.parentRef.resource", "spec.parentRef.name", "spec.parentRef.namespace"}),
}  # fmt: skip


def parse_fields(text: str, kind: str, more: Collection[str] = ()) -> FieldSelector:
    """A field selector for a kind; a field that the kind does not offer, or text without operator, is a bad request.

    ``more`` are the fields that a custom kind offers.
    """
    offered = {"metadata.name", "metadata.namespace", *SELECTABLE.get(kind, ()), *more}
    requirements = []
    for term in re.split(r"(?<!\\),", text.strip()):
        if not term:
            continue
        found = re.fullmatch(r"([^=!]+?)\s*(==|!=|=)(.*)", term, re.DOTALL)
        if found is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        path, operator, value = found.groups()
        if path not in offered:
            raise BadRequest(f'field label not supported: "{path}"')
        requirements.append(FieldRequirement(path, re.sub(r"\\([\\,=])", r"\1", value), operator != "!="))
    return tuple(requirements)


def matches_fields(selector: FieldSelector, obj: Mapping[str, Any]) -> bool:
    """Whether the object fulfils every field requirement; a missing field counts as the empty string."""
    return all((_field(obj, r.path) == r.value) is r.equal for r in selector)


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = mapping(value).get(part)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
