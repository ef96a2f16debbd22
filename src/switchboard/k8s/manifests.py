"""Manifests: Kubernetes objects as written in files, each field with its line and column.

In: the text of a YAML or JSON file.  Out: ``Manifest``s and findings; no text raises.
Called by ``cli`` and ``run`` (through ``apply.files``, which reads the files) and by the checks.
Specification: https://kubernetes.io/docs/concepts/overview/working-with-objects/ and kubectl's reading of ``-f``.
"""

from __future__ import annotations

import re

import msgspec

from switchboard.base.findings import Finding, Place
from switchboard.k8s import objects, reading
from switchboard.k8s.objects import Object

_INDEX = re.compile(r"\[(\d+)\]")
_KEY = re.compile(r"\[([^\]]*)\]")


class Manifest(msgspec.Struct, frozen=True):
    """An object and where each of its fields stands."""

    object: Object
    file: str
    line: int
    column: int
    tree: reading.Tree | None = None

    def place(self, field: str = "") -> Place:
        """The place of a field as Kubernetes writes it (``spec.ports[0].port``), or of its nearest parent."""
        line, column, tree, rest = self.line, self.column, self.tree, field
        while rest and tree is not None:
            step = _step(rest, tree)
            if step is None:
                break
            line, column, tree = tree.parts[step[0]]
            rest = step[1]
        return Place(self.file, line, column)


def _step(rest: str, tree: reading.Tree) -> tuple[str | int, str] | None:
    """The first element of a field path that the tree has, and what is left of the path."""
    index = _INDEX.match(rest)
    if index and int(index[1]) in tree.parts:
        return int(index[1]), rest[index.end() :].removeprefix(".")
    bracket = _KEY.match(rest)
    if bracket and bracket[1] in tree.parts:
        return bracket[1], rest[bracket.end() :].removeprefix(".")
    # Keys may hold dots (annotations), so the longest key that fits is the one that is meant.
    names = (name for name in tree.parts if isinstance(name, str) and rest.startswith(name))
    fitting = (name for name in names if rest[len(name) :][:1] in ("", ".", "["))
    longest = max(fitting, key=len, default=None)
    return None if longest is None else (longest, rest[len(longest) :].removeprefix("."))


def load(text: str, file: str) -> tuple[list[Manifest], list[Finding]]:
    """The objects of a text in order (lists taken apart) and what is wrong with it as text."""
    documents, findings = reading.read(text, file)
    manifests: list[Manifest] = []
    for document in documents:
        found, more = _objects(document, file)
        manifests.extend(found)
        findings.extend(more)
    return manifests, findings


def _objects(document: reading.Document, file: str) -> tuple[list[Manifest], list[Finding]]:
    value, place = document.value, Place(file, document.line, document.column)
    if not isinstance(value, dict):
        return [], [_no_object(value, place)]
    kind = objects.kind(value)
    if kind == "Kustomization" and objects.api_version(value).startswith("kustomize.config.k8s.io/"):
        return [], [_kustomization(place)]
    if not (kind.endswith("List") and "items" in value):
        return [Manifest(value, file, document.line, document.column, document.tree)], []
    listed = Manifest(value, file, document.line, document.column, document.tree)
    items = value["items"] if value["items"] is not None else []
    if not isinstance(items, list):
        message = f"`items` of a {kind} must be a list of objects."
        hint = "Begin each entry with a dash."
        place = listed.place("items")
        return [], [Finding(reference="wrong-type", message=message, field="items", hint=hint, place=place)]
    manifests: list[Manifest] = []
    findings: list[Finding] = []
    # A list of one kind may leave it out of its items.
    common = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    for index, item in enumerate(items):
        at = listed.place(f"items[{index}]")
        below = document.tree.parts["items"][2] if document.tree else None
        tree = below.parts[index][2] if below else None
        whole = {**common, **item} if isinstance(item, dict) else item
        more, wrong = _objects(reading.Document(whole, at.line, at.column, tree), file)
        manifests.extend(more)
        findings.extend(wrong)
    return manifests, findings


def _no_object(value: object, place: Place) -> Finding:
    names = {list: "a list", str: "text", bool: "a boolean", type(None): "nothing"}
    return Finding(
        reference="not-an-object",
        message=f"This document is {names.get(type(value), 'a number')}, not a Kubernetes object.",
        hint="Begin an object with `apiVersion:` and `kind:`; put several into one file with --- between them.",
        place=place,
    )


def _kustomization(place: Place) -> Finding:
    return Finding(
        reference="kustomization",
        message="This is a kustomization, not an object.",
        hint="Make plain manifests of it with `kubectl kustomize DIRECTORY` and pass these: "
        "`kubectl kustomize DIRECTORY | switchboard ... -f -`.",
        place=place,
    )
