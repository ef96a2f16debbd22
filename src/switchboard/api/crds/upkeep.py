"""What happens to definitions after they are written: names are accepted, kinds established, leftovers deleted.

In: the store; called after every change.  Out: conditions in the status of definitions, deletions.
Called by the composition root, which subscribes ``Upkeep.run`` to the store.
Specification: naming, establishing and finalizing controllers of apiextensions-apiserver 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from switchboard.api import errors
from switchboard.api.crds.definition import KIND
from switchboard.api.errors import Expired
from switchboard.api.metadata import timestamp
from switchboard.api.storage import DELETED, decode
from switchboard.api.store import Store
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, spec, status, text


class _Outline(msgspec.Struct, frozen=True):
    """What names depend on: of a definition nearly everything else is schemas, which are passed over unread."""

    class Spec(msgspec.Struct, frozen=True):
        """The part of spec."""

        group: str
        names: dict[str, Any]

    metadata: dict[str, Any]
    spec: Spec
    status: dict[str, Any] = msgspec.field(default_factory=dict)


def _outline(data: bytes) -> Object:
    found: Object = msgspec.to_builtins(_OUTLINES.decode(data))
    return found


_OUTLINES: Final = msgspec.json.Decoder(_Outline)


class Upkeep:
    """Keeps the definitions of one store; a run without news costs a comparison."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1
        self._running = False

    def run(self) -> None:
        """Look at what changed; on the store's thread, not within a transaction."""
        if self._running:
            return  # our own writes have called us
        self._running = True
        try:
            self._run()
        finally:
            self._running = False

    def _run(self) -> None:
        seen, self._seen = self._seen, self._store.settled_version
        try:
            changes = self._store.events(max(seen, 0), {KIND})
        except Expired:
            changes = []
            seen = -1
        for event in changes:
            if event.type == DELETED:
                self._delete_objects(decode(event.data))
        if seen < 0 or changes:
            self._accept_names()

    def _accept_names(self) -> None:
        definitions = [_outline(record.data) for record in self._store.records(KIND)]
        for definition in definitions:
            wanted = accepted(definition, definitions, timestamp(self._store.clock()))
            if wanted != status(definition):
                try:
                    stored = self._store.get(KIND, "", objects.name(definition))
                    self._store.update_status({**stored, "status": wanted})
                except (errors.Conflict, errors.NotFound):
                    # It changed meanwhile; the change has called us again.
                    continue

    def _delete_objects(self, definition: Object) -> None:
        names = mapping(spec(definition).get("names"))
        key = f"{text(names.get('kind'))}.{text(spec(definition).get('group'))}"
        if self._store.custom.named(key) is None:
            self._store.purge(key)


def accepted(definition: Object, others: Iterable[Object], now: str) -> Object:
    """The status of a definition: its names accepted unless another one has them, then established for ever."""
    names = mapping(spec(definition).get("names"))
    conflicts = _conflicts(definition, others)
    before = {text(c.get("type")): c for c in sequence(status(definition).get("conditions")) if isinstance(c, dict)}
    if conflicts:
        reason, why = conflicts[0]
        named = _condition("NamesAccepted", "False", reason, why, now)
    else:
        named = _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
    served = before.get("Established", {}).get("status") == "True"
    if served or not conflicts:
        established = _condition(
            "Established", "True", "InitialNamesAccepted", "the initial names have been accepted", now
        )
    else:
        established = _condition("Established", "False", "NotAccepted", "not all names are accepted", now)
    found = [_kept(before, named), _kept(before, established)]
    kept = [c for type_, c in before.items() if type_ not in ("NamesAccepted", "Established")]
    return {
        "conditions": [*found, *kept],
        "acceptedNames": names if not conflicts else status(definition).get("acceptedNames"),
        "storedVersions": status(definition).get("storedVersions"),
    }


def _condition(type_: str, value: str, reason: str, message: str, now: str) -> dict[str, Any]:
    return {"type": type_, "status": value, "lastTransitionTime": now, "reason": reason, "message": message}


def _kept(before: dict[str, dict[str, Any]], new: dict[str, Any]) -> dict[str, Any]:
    """A condition that says the same keeps its time."""
    old = before.get(new["type"], {})
    same = all(old.get(part) == new[part] for part in ("status", "reason", "message"))
    return {**new, "lastTransitionTime": old["lastTransitionTime"]} if same and "lastTransitionTime" in old else new


def _conflicts(definition: Object, others: Iterable[Object]) -> list[tuple[str, str]]:
    """(reason, message) for each name that another definition of the group was given before."""
    group, uid = spec(definition).get("group"), objects.uid(definition)
    taken_resources: set[str] = set()
    taken_kinds: set[str] = set()
    for other in others:
        if spec(other).get("group") == group and objects.uid(other) != uid:
            theirs = mapping(status(other).get("acceptedNames"))
            taken_resources |= {text(theirs.get("plural")), text(theirs.get("singular"))}
            taken_resources |= {text(s) for s in sequence(theirs.get("shortNames"))}
            taken_kinds |= {text(theirs.get("kind")), text(theirs.get("listKind"))}
    names = mapping(spec(definition).get("names"))
    words = [("Plural", names.get("plural")), ("Singular", names.get("singular"))]
    words += [("ShortNames", s) for s in sequence(names.get("shortNames"))]
    found = [(f"{what}Conflict", f'"{word}" is already in use') for what, word in words if word in taken_resources]
    kinds = (("Kind", names.get("kind")), ("ListKind", names.get("listKind")))
    return found + [(f"{what}Conflict", f'"{word}" is already in use') for what, word in kinds if word in taken_kinds]
