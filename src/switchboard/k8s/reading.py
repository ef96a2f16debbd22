"""YAML and JSON documents as JSON values, each value with the place where it was written.

In: the text of one file.  Out: ``Document``s (a value and its tree of places) and findings; no text raises.
Called by ``k8s.manifests``.
Specification: https://yaml.org/spec/1.1/ as kubectl reads it (``k8s.scalars``); documents are divided at lines
that begin with ``---`` before they are parsed, so a fault in one does not hide the others.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from switchboard.base.findings import Finding, Place
from switchboard.k8s.scalars import TAG, ScalarError, key_text, resolve

MAX_CHARACTERS: Final = 32 * 1024 * 1024
MAX_DEPTH: Final = 100
MAX_VALUES: Final = 1_000_000

# libyaml's parser is some ten times as fast; the pure one serves where it was not built.
_PARSER: Any = getattr(yaml, "CLoader", yaml.Loader)
_SEPARATOR = re.compile(r"---(?:\s|$)")
_EMPTY_LINE = re.compile(r"\s*(?:#.*|%.*)?$")
_MERGE = "<<"
# YAML 1.1 breaks lines at these, also inside quotes; JSON does not.
_LINE_BREAKS = frozenset("\x85\u2028\u2029")


class Tree(msgspec.Struct):
    """Where the parts of a mapping or list stand: key or index → (line, column, its own parts or None).

    Lines and columns count from 1; the place of a mapping's entry is that of its key.
    """

    parts: dict[str | int, tuple[int, int, Tree | None]] = {}


class Document(msgspec.Struct, frozen=True):
    """One value of a file and where it stands."""

    value: Any
    line: int
    column: int
    tree: Tree | None = None


class _Fault(Exception):  # noqa: N818 — leaves the reader of one document, never this module
    def __init__(self, reference: str, message: str, hint: str, line: int, column: int) -> None:
        super().__init__(message)
        self.reference, self.message, self.hint, self.line, self.column = reference, message, hint, line, column


def read(text: str, file: str) -> tuple[list[Document], list[Finding]]:
    """All documents of a text in order, empty ones left out; an unreadable one becomes a finding."""
    if len(text) > MAX_CHARACTERS:
        limit = MAX_CHARACTERS // 1024 // 1024
        return [], [_finding("manifest-too-large", f"The file has more than {limit} MiB.", "Split it.", Place(file))]
    documents: list[Document] = []
    findings: list[Finding] = []
    for offset, part in divide(text.removeprefix("\ufeff")):
        reader = _Reader(file, offset)
        try:
            read_here = list(reader.documents(part))
            if not _LINE_BREAKS.isdisjoint(part) and len(read_here) == 1 and (strict := _json(part, offset)):
                read_here = [msgspec.structs.replace(read_here[0], value=strict.value)]
            documents.extend(read_here)
        except _Fault as fault:
            rescued = _json(part, offset) if fault.reference == "yaml-invalid" else None
            if rescued is not None:
                documents.append(rescued)
                continue
            place = Place(file, fault.line, fault.column)
            findings.append(_finding(fault.reference, fault.message, fault.hint, place))
        findings.extend(reader.findings)
    return documents, findings


def divide(text: str) -> Iterator[tuple[int, str]]:
    """The parts between separator lines with the number of lines before each; a part keeps its separator line."""
    lines = text.split("\n")
    start = 0
    meaningful = False
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line):
            # Comments and directives (%YAML) alone are no document: they belong to what follows.
            if meaningful:
                yield start, "\n".join(lines[start:number])
                start = number
            meaningful = True
        elif not meaningful and not _EMPTY_LINE.match(line):
            meaningful = True
    yield start, "\n".join(lines[start:])


def _finding(reference: str, message: str, hint: str, place: Place) -> Finding:
    return Finding(reference=reference, message=message, hint=hint, place=place)


def _json(part: str, offset: int) -> Document | None:
    """JSON that YAML cannot express (surrogate escapes, keys over 1,024 characters); None when it is none."""
    if not part.lstrip().startswith(("{", "[")):
        return None
    try:
        value = msgspec.json.decode(part.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Document(value, offset + 1, 1) if _shallow(value) else None


def _shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [v for x in level if isinstance(x, dict | list) for v in (x.values() if isinstance(x, dict) else x)]
        if not level:
            return True
    return False


def _because(error: yaml.YAMLError, line: str) -> tuple[str, str]:
    """A parser's fault in a line as (sentence, hint)."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed")
    context = getattr(error, "context", None)
    known = {
        "mapping values are not allowed": "Look for a colon too many, or a line that is indented too far.",
        "could not find expected ':'": "Put a colon and a space after the key, or quote the text.",
        "block end": "Align this line with the other keys of the same mapping.",
        "undefined alias": "Define the anchor (&name) before it is used (*name).",
        "control characters": "Remove the control character, or write it as an escape in double quotes.",
        "special characters": "Remove the control character, or write it as an escape in double quotes.",
        "unexpected end of stream": "A quote or bracket is opened and never closed.",
    }
    hint = next((text for part, text in known.items() if part in problem), "Correct the YAML syntax at this place.")
    if "\t" in line[: len(line) - len(line.lstrip())] or ("cannot start any token" in problem and "\t" in line):
        hint = "Indent with spaces: YAML allows no tab character here."
    return f"This is not valid YAML: {problem}" + (f" ({context})." if context else "."), hint


class _Reader:
    """Builds the values of one part from parser events, bounded in depth and size."""

    def __init__(self, file: str, offset: int) -> None:
        self.file = file
        self.offset = offset
        self.findings: list[Finding] = []
        self.values = 0
        self.anchors: dict[str, tuple[Any, Tree | None, int]] = {}

    def documents(self, text: str) -> Iterator[Document]:
        """Raises _Fault at the first thing that makes the rest unreadable."""
        parser: Any = None
        try:
            parser = _PARSER(text)
            yield from self._stream(parser)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            if mark is not None:
                line, column = mark.line, mark.column
            else:
                before = text[: max(0, getattr(error, "position", 0))]
                line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
            message, hint = _because(error, "".join(text.split("\n")[line : line + 1]))
            raise _Fault("yaml-invalid", message, hint, self.offset + line + 1, column + 1) from error
        except UnicodeError as error:
            message = "The text has characters that are not Unicode (unpaired surrogates)."
            raise _Fault("yaml-invalid", message, "Save the file as UTF-8.", self.offset + 1, 1) from error
        finally:
            if parser is not None:
                parser.dispose()

    def _stream(self, parser: Any) -> Iterator[Document]:
        while True:
            event = parser.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            self.anchors = {}
            event = parser.get_event()
            if isinstance(event, yaml.MappingStartEvent):
                yield from self._root(parser, event)
            else:
                value, tree = self._value(parser, event, 0)
                if value is not None:
                    yield Document(value, *self._at(event), tree)

    def _root(self, parser: Any, event: Any) -> Iterator[Document]:
        """A mapping at the top; where ``apiVersion`` or ``kind`` comes again, another object begins.

        A forgotten ``---`` would otherwise hide every object but the last behind keys that are given twice.
        """
        start = self._at(event)
        value, tree, merged = self._open()
        while not isinstance(following := parser.get_event(), yaml.MappingEndEvent):
            line, column = self._at(following)
            key = self._key(following)
            if key in ("apiVersion", "kind") and {"apiVersion", "kind"} <= tree.parts.keys():
                first = tree.parts[key][0]
                self.findings.append(
                    _finding(
                        "missing-document-separator",
                        f"A second object begins here without a separator: `{key}` already stands on line {first}.",
                        "Put a line with --- between the two objects.",
                        Place(self.file, line, column),
                    )
                )
                self._close(value, tree, merged)
                yield Document(value, *start, tree)
                start = (line, column)
                value, tree, merged = {}, Tree({}), []
            self._entry(parser, (key, line, column), (value, tree, merged), 1)
        self._close(value, tree, merged)
        yield Document(value, *start, tree)

    def _at(self, event: Any) -> tuple[int, int]:
        mark = event.start_mark
        return self.offset + mark.line + 1, mark.column + 1

    def _value(self, parser: Any, event: Any, depth: int) -> tuple[Any, Tree | None]:
        self.values += 1
        if self.values > MAX_VALUES:
            self._refuse(event, "manifest-too-large", f"The document has more than {MAX_VALUES} values.", "Split it.")
        if isinstance(event, yaml.ScalarEvent):
            scalar = self._scalar(event)
            self._remember(event, scalar, None, 1)
            return scalar, None
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth >= MAX_DEPTH:
            message = f"Values are nested more than {MAX_DEPTH} levels deep."
            self._refuse(event, "manifest-too-deep", message, "Kubernetes has no object of that depth.")
        before = self.values
        value, tree = (self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list)(parser, event, depth)
        self._remember(event, value, tree, self.values - before + 1)
        return value, tree

    def _list(self, parser: Any, event: Any, depth: int) -> tuple[list[Any], Tree]:
        values: list[Any] = []
        tree = Tree({})
        while not isinstance(event := parser.get_event(), yaml.SequenceEndEvent):
            value, below = self._value(parser, event, depth + 1)
            tree.parts[len(values)] = (*self._at(event), below)
            values.append(value)
        return values, tree

    def _mapping(self, parser: Any, event: Any, depth: int) -> tuple[dict[str, Any], Tree]:
        value, tree, merged = self._open()
        while not isinstance(event := parser.get_event(), yaml.MappingEndEvent):
            entry = (self._key(event), *self._at(event))
            self._entry(parser, entry, (value, tree, merged), depth + 1)
        self._close(value, tree, merged)
        return value, tree

    @staticmethod
    def _open() -> tuple[dict[str, Any], Tree, list[tuple[Any, Tree | None]]]:
        return {}, Tree({}), []

    def _entry(
        self,
        parser: Any,
        entry: tuple[str | None, int, int],
        target: tuple[dict[str, Any], Tree, list[tuple[Any, Tree | None]]],
        depth: int,
    ) -> None:
        """One key's value into its mapping; the second of two equal keys is kept, as YAML readers do."""
        key, line, column = entry
        value, tree, merged = target
        event = parser.get_event()
        content, below = self._value(parser, event, depth)
        if key is None:
            merged.extend(self._merge(event, content, below))
            return
        if key in tree.parts:
            first = tree.parts[key]
            self.findings.append(
                _finding(
                    "duplicate-key",
                    f"`{key}` is given twice: on line {first[0]}, column {first[1]}, and here.",
                    "Keep one of the two; most readers silently take the last.",
                    Place(self.file, line, column),
                )
            )
        value[key] = content
        tree.parts[key] = (line, column, below)

    def _close(self, value: dict[str, Any], tree: Tree, merged: list[tuple[Any, Tree | None]]) -> None:
        for source, places in merged:
            for key, content in source.items():
                if key not in value:
                    value[key] = copy.deepcopy(content)
                    if places is not None and key in places.parts:
                        tree.parts[key] = places.parts[key]

    def _merge(self, event: Any, content: Any, below: Tree | None) -> Iterator[tuple[dict[str, Any], Tree | None]]:
        """The mappings that a ``<<`` names, earlier ones first, because they win."""
        sources = content if isinstance(content, list) else [content]
        for index, source in enumerate(sources):
            if not isinstance(source, dict):
                hint = "Write <<: *name, where &name is a mapping, or a list of such."
                self._refuse(event, "yaml-invalid", "`<<` merges mappings, and this is none.", hint)
            inner = below.parts[index][2] if isinstance(content, list) and below is not None else below
            yield source, inner

    def _key(self, event: Any) -> str | None:
        """The text of a key; None for the merge key."""
        if isinstance(event, yaml.ScalarEvent):
            if event.value == _MERGE and event.implicit[0] and event.tag in (None, TAG + "merge"):
                return None
            scalar = self._scalar(event)
            self._remember(event, scalar, None, 1)
        elif isinstance(event, yaml.AliasEvent):
            scalar, _ = self._alias(event)
        else:
            scalar = {}
        if isinstance(scalar, dict | list):
            self._refuse(event, "yaml-invalid", "A key must be text.", "Put the braces of a template in quotes.")
        try:
            return key_text(scalar)
        except ScalarError as error:
            self._refuse(event, "yaml-invalid", str(error), "Write `key: value`.")
            raise AssertionError from error  # not reached

    def _scalar(self, event: Any) -> Any:
        try:
            return resolve(event.value, event.tag, bool(event.implicit[0]))
        except ScalarError as error:
            self._refuse(event, "yaml-invalid", str(error), "Quote the value, or correct its tag.")

    def _alias(self, event: Any) -> tuple[Any, Tree | None]:
        if event.anchor not in self.anchors:
            message = f"`*{event.anchor}` refers to an anchor that is not complete before this place."
            self._refuse(event, "yaml-invalid", message, "Define the anchor (&name) before it is used (*name).")
        value, tree, size = self.anchors[event.anchor]
        self.values += size
        if self.values > MAX_VALUES:
            message = f"With its aliases filled in, the document has more than {MAX_VALUES} values."
            self._refuse(event, "manifest-too-large", message, "Write the values out, or use fewer aliases.")
        return copy.deepcopy(value), tree

    def _remember(self, event: Any, value: Any, tree: Tree | None, size: int) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, tree, size)

    def _refuse(self, event: Any, reference: str, message: str, hint: str) -> None:
        raise _Fault(reference, message, hint, *self._at(event))
