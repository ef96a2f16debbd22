"""Rules for the metadata of every object, and for label selectors.

In: an object (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation`` for every kind, by the other validators for templates and selectors.
Specification: k8s.io/apimachinery/pkg/api/validation and pkg/apis/meta/v1/validation of Kubernetes 1.36.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from switchboard.k8s import kinds, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report

ANNOTATIONS_BYTES: Final = 256 * 1024
_GENERATED_SUFFIX: Final = "xxxxx"
_GENERATED_BASE: Final = 58
_CRON_JOB_NAME: Final = 52  # leaves room for the time that its Jobs append

_NAMES: Final[dict[str, Callable[[str], list[str]]]] = {
    "Service": formats.dns_label,
    "Namespace": formats.dns_label,
    "Role": formats.path_segment,
    "RoleBinding": formats.path_segment,
    "ClusterRole": formats.path_segment,
    "ClusterRoleBinding": formats.path_segment,
    "IPAddress": lambda name: formats.address(name)[1],
}


def validate(report: Report, obj: Object, old: Object | None) -> None:
    """Name, namespace, labels, annotations, finalizers and owners of an object."""
    metadata = objects.metadata(obj)
    kind = objects.kind(obj)
    check = _NAMES.get(kind, formats.dns_subdomain)
    name, generate = text(metadata.get("name")), text(metadata.get("generateName"))
    if generate:
        # A prefix may end in a dash: what is appended ends it properly.
        report.problems(
            "metadata.generateName", generate, check(generate[:-1] + "a" if generate[-1] == "-" else generate)
        )
        name = name or generate[:_GENERATED_BASE] + _GENERATED_SUFFIX
    if name:
        report.problems("metadata.name", name, check(name))
        if kind == "CronJob" and len(name) > _CRON_JOB_NAME:
            report.invalid("metadata.name", name, f"at most {_CRON_JOB_NAME} characters long")
    else:
        report.required("metadata.name", hint="Add `name` (or `generateName`).")
    _namespace(report, obj)
    labels(report, "metadata.labels", metadata.get("labels"))
    annotations(report, "metadata.annotations", metadata.get("annotations"))
    for index, finalizer in enumerate(objects.finalizers(obj)):
        report.problems(f"metadata.finalizers[{index}]", finalizer, formats.qualified_name(text(finalizer)))
    _owners(report, obj)
    if old is not None:
        _unchanged(report, obj, old)


def _namespace(report: Report, obj: Object) -> None:
    namespace = objects.namespace(obj)
    known = kinds.kind_of(objects.api_version(obj), objects.kind(obj))
    if not namespace or known is None:
        return
    if known.namespaced:
        report.problems("metadata.namespace", namespace, formats.dns_label(namespace))
    else:
        report.forbidden("metadata.namespace", "on a cluster-scoped object")


def _owners(report: Report, obj: Object) -> None:
    controllers = 0
    for owner in objects.owners(obj):
        version = text(owner.get("apiVersion"))
        if not version.rpartition("/")[2] or version.count("/") > 1:
            report.invalid("metadata.ownerReferences.apiVersion", version, "a group and a version")
        for part in ("kind", "name", "uid"):
            if not owner.get(part):
                report.invalid(f"metadata.ownerReferences.{part}", owner.get(part), "set")
        if (version, owner.get("kind")) == ("v1", "Event"):
            report.refused("metadata.ownerReferences", "An Event owns nothing.", "Name another owner.")
        controllers += owner.get("controller") is True
    if controllers > 1:
        message = "Only one owner may be the controller."
        report.refused("metadata.ownerReferences", message, "Set `controller: true` on one of them.")


def _unchanged(report: Report, obj: Object, old: Object) -> None:
    new_metadata, old_metadata = objects.metadata(obj), objects.metadata(old)
    for part in ("name", "namespace", "uid", "creationTimestamp"):
        new = new_metadata.get(part)
        if new not in (None, "") and old_metadata.get(part) and new != old_metadata[part]:
            report.immutable(f"metadata.{part}", new)


def labels(report: Report, field: str, value: Any) -> None:
    """Keys and values of labels; Kubernetes reports them at the field that holds them all."""
    for key, content in mapping(value).items():
        report.problems(field, key, formats.qualified_name(key))
        if isinstance(content, str):
            report.problems(field, content, formats.label_value(content))


def annotations(report: Report, field: str, value: Any) -> None:
    """Keys of annotations, and the size of all of them."""
    size = 0
    for key, content in mapping(value).items():
        report.problems(field, key, formats.qualified_name(key.lower()))
        size += len(key.encode()) + len(text(content).encode())
    if size > ANNOTATIONS_BYTES:
        report.too_long(field, f"{ANNOTATIONS_BYTES} bytes")


def selector(report: Report, field: str, value: Any) -> None:
    """A label selector: ``matchLabels`` and ``matchExpressions``."""
    labels(report, f"{field}.matchLabels", mapping(value).get("matchLabels"))
    for index, expression in enumerate(sequence(mapping(value).get("matchExpressions"))):
        if isinstance(expression, dict):
            _expression(report, f"{field}.matchExpressions[{index}]", expression)


def _expression(report: Report, field: str, expression: dict[str, Any]) -> None:
    operator, values = expression.get("operator"), sequence(expression.get("values"))
    if operator in ("In", "NotIn"):
        if not values:
            report.required(f"{field}.values", "with the operators In and NotIn")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            report.forbidden(f"{field}.values", "with the operators Exists and DoesNotExist")
    else:
        rule = "one of In, NotIn, Exists, DoesNotExist"
        report.invalid(f"{field}.operator", operator, rule)
    key = text(expression.get("key"))
    report.problems(f"{field}.key", key, formats.qualified_name(key))
    for index, content in enumerate(values):
        report.problems(f"{field}.values[{index}]", content, formats.label_value(text(content)))


def matches(selector_: Mapping[str, Any], labels_: Mapping[str, Any]) -> bool:
    """Whether labels satisfy a valid label selector; an empty one selects everything."""
    if any(labels_.get(key) != value for key, value in mapping(selector_.get("matchLabels")).items()):
        return False
    return all(_satisfied(e, labels_) for e in sequence(selector_.get("matchExpressions")) if isinstance(e, dict))


def _satisfied(expression: dict[str, Any], labels_: Mapping[str, Any]) -> bool:
    key, values = text(expression.get("key")), sequence(expression.get("values"))
    match expression.get("operator"):
        case "In":
            return key in labels_ and labels_[key] in values
        case "NotIn":
            return key not in labels_ or labels_[key] not in values
        case "Exists":
            return key in labels_
        case _:
            return key not in labels_
