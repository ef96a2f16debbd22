"""Paths into objects as CustomResourceDefinitions write them: a subset of JSONPath.

In: ``.spec.replicas``, ``.metadata.annotations.example\\.com/x``, ``.status.conditions[?(@.type=="Ready")].status``.
Out: a parsed path, the values it finds, and an object with one value set.
Called by ``columns``, ``definition`` and ``registry``.
Specification: https://kubernetes.io/docs/reference/kubectl/jsonpath/
"""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

_STEP = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)"""
    r"""|\[(?P<number>-?\d+)\]|\[(?P<all>\*)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]"""
    r"""|\[\?\(\s*@\.(?P<field>[\w./-]+)\s*(?P<relation>==|!=)\s*"""
    r"""(?:(?P<mark>['"])(?P<wanted>.*?)(?P=mark)|(?P<bare>[\w.-]+))\s*\)\]"""
)


class Step(msgspec.Struct, frozen=True):
    """One step: a key, a position, all (``*``), or a filter on a field of the elements."""

    key: str | int
    field: str = ""
    equal: bool = True
    wanted: str = ""


Path = tuple[Step, ...]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Path | None:
    """The steps of a path, None when it is not one of ours; ``{}`` around it is allowed, as kubectl allows it."""
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    steps, position = [], 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            return None
        steps.append(_step(found))
        position = found.end()
    return tuple(steps) or None


def _step(found: re.Match[str]) -> Step:
    parts = found.groupdict()
    if parts["number"] is not None:
        return Step(int(parts["number"]))
    if parts["field"] is not None:
        wanted = parts["wanted"] if parts["wanted"] is not None else parts["bare"]
        return Step("*", parts["field"], parts["relation"] == "==", wanted)
    if parts["all"]:
        return Step("*")
    key = parts["key"] if parts["key"] is not None else re.sub(r"\\(.)", r"\1", parts["name"])
    return Step(key)


def simple(text: str) -> tuple[str, ...] | None:
    """The keys of a path of keys alone (``.spec.replicas``), which is what scale and selectable fields take."""
    path = parse(text)
    if path is None or any(not isinstance(step.key, str) or step.key == "*" for step in path):
        return None
    return tuple(str(step.key) for step in path)


def find(path: Path, value: Any) -> list[Any]:
    """All values at a path, none when there is nothing."""
    found = [value]
    for step in path:
        found = [inner for outer in found for inner in _take(step, outer)]
    return found


def _take(step: Step, value: Any) -> list[Any]:
    if step.key == "*":
        elements = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        if not step.field:
            return list(elements)
        return [e for e in elements if (_told(_field(e, step.field)) == step.wanted) == step.equal]
    if isinstance(step.key, int):
        inside = isinstance(value, list) and -len(value) <= step.key < len(value)
        return [value[step.key]] if inside else []
    return [value[step.key]] if isinstance(value, dict) and step.key in value else []


def _field(value: Any, field: str) -> Any:
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _told(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def get(keys: tuple[str, ...], obj: Any) -> Any:
    """The value below keys, None when it is not there."""
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def put(keys: tuple[str, ...], obj: dict[str, Any], value: Any) -> None:
    """Set the value below keys in place; what is in between is made, or replaced where it is no mapping."""
    for key in keys[:-1]:
        inner = obj.get(key)
        if not isinstance(inner, dict):
            inner = obj[key] = {}
        obj = inner
    obj[keys[-1]] = value
