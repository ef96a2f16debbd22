"""Kubernetes objects as plain dictionaries, and how to read them safely.

In: objects as they arrive (JSON or YAML decoded), possibly incomplete or of wrong types.
Out: names, labels, references; an accessor answers its empty value where the object has nothing usable.
Called by every package that touches objects (api, controllers, view, checks, run).
Specification: https://kubernetes.io/docs/concepts/overview/working-with-objects/
"""

from collections.abc import Iterator, Mapping
from typing import Any

Object = dict[str, Any]


def mapping(value: object) -> dict[str, Any]:
    """The value itself when it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value itself when it is a list, otherwise an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """The value itself when it is a string, otherwise the empty string."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int:
    """The value itself when it is a whole number (and no boolean), otherwise 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def metadata(obj: Mapping[str, Any]) -> dict[str, Any]:
    """``metadata``, empty when missing."""
    return mapping(obj.get("metadata"))


def spec(obj: Mapping[str, Any]) -> dict[str, Any]:
    """``spec``, empty when missing."""
    return mapping(obj.get("spec"))


def status(obj: Mapping[str, Any]) -> dict[str, Any]:
    """``status``, empty when missing."""
    return mapping(obj.get("status"))


def api_version(obj: Mapping[str, Any]) -> str:
    """``apiVersion`` (``v1``, ``apps/v1``)."""
    return text(obj.get("apiVersion"))


def kind(obj: Mapping[str, Any]) -> str:
    """``kind``."""
    return text(obj.get("kind"))


def name(obj: Mapping[str, Any]) -> str:
    """``metadata.name``."""
    return text(metadata(obj).get("name"))


def namespace(obj: Mapping[str, Any]) -> str:
    """``metadata.namespace``, empty for cluster-scoped objects."""
    return text(metadata(obj).get("namespace"))


def key(obj: Mapping[str, Any]) -> str:
    """``namespace/name``, or the name alone for cluster-scoped objects."""
    space = namespace(obj)
    return f"{space}/{name(obj)}" if space else name(obj)


def reference(obj: Mapping[str, Any]) -> str:
    """``Kind namespace/name`` for messages; what is missing is left out."""
    return " ".join(part for part in (kind(obj), key(obj)) if part)


def uid(obj: Mapping[str, Any]) -> str:
    """``metadata.uid``."""
    return text(metadata(obj).get("uid"))


def resource_version(obj: Mapping[str, Any]) -> str:
    """``metadata.resourceVersion``: opaque, compare for equality only."""
    return text(metadata(obj).get("resourceVersion"))


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    """``metadata.labels``."""
    return mapping(metadata(obj).get("labels"))


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    """``metadata.annotations``."""
    return mapping(metadata(obj).get("annotations"))


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    """``metadata.finalizers``."""
    return sequence(metadata(obj).get("finalizers"))


def deleting(obj: Mapping[str, Any]) -> bool:
    """Whether ``metadata.deletionTimestamp`` is set."""
    return bool(metadata(obj).get("deletionTimestamp"))


def owners(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``metadata.ownerReferences``, those that are mappings."""
    return [owner for owner in sequence(metadata(obj).get("ownerReferences")) if isinstance(owner, dict)]


def controller(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The owner reference with ``controller: true``, empty when nobody controls the object."""
    return next((owner for owner in owners(obj) if owner.get("controller") is True), {})


def owner_reference(owner: Mapping[str, Any], *, is_controller: bool = True) -> dict[str, Any]:
    """A ``metadata.ownerReferences`` entry that names the owner as the controller (or as a plain owner)."""
    return {
        "apiVersion": api_version(owner),
        "kind": kind(owner),
        "name": name(owner),
        "uid": uid(owner),
        "controller": is_controller,
        "blockOwnerDeletion": is_controller,
    }


def owned_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether an owner reference of the object has the owner's uid."""
    wanted = uid(owner)
    return bool(wanted) and any(reference_.get("uid") == wanted for reference_ in owners(obj))


def conditions(obj: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """``status.conditions``, those that are mappings."""
    return (c for c in sequence(status(obj).get("conditions")) if isinstance(c, dict))


def condition(obj: Mapping[str, Any], type_: str) -> str:
    """The status (``True``, ``False``, ``Unknown``) of one condition, empty when it is not there."""
    return next((text(c.get("status")) for c in conditions(obj) if c.get("type") == type_), "")


def copied(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, list):
        return [copied(v) for v in value]
    return value
