from datetime import UTC, datetime
from itertools import count

import pytest

from switchboard.api.admission import KubernetesAdmission
from switchboard.api.crds.admission import CustomResources
from switchboard.api.crds.registry import kinds_of
from switchboard.api.crds.upkeep import Upkeep, accepted
from switchboard.api.store import Store


@pytest.fixture
def gadgets():
    """A definition of Gadgets in e.com, as a user writes it; ``spec`` is the schema of spec."""

    def make(spec=None, *, versions=None, plural="gadgets", kind="Gadget", names=None, **version):
        root = {"type": "object", "properties": {"spec": spec or {"type": "object", "properties": {}}}}
        root["properties"]["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root}, **version}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.e.com"},
            "spec": {
                "group": "e.com",
                "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind, **(names or {})},
                "versions": versions or [one],
            },
        }

    return make


@pytest.fixture
def gadget():
    def make(spec=None, name="g", version="v1", **fields):
        obj = {"apiVersion": f"e.com/{version}", "kind": "Gadget", "metadata": {"name": name, "namespace": "default"}}
        return {**obj, **({} if spec is None else {"spec": spec}), **fields}

    return make


@pytest.fixture
def kinds(gadgets):
    """The served kinds of a definition, its names accepted."""

    def make(*arguments, **options):
        definition = gadgets(*arguments, **options)
        definition["status"] = accepted(definition, [], "2026-01-01T00:00:00Z")
        return kinds_of(definition)

    return make


@pytest.fixture
def cluster():
    """A store that serves custom resources."""
    numbers = count(1)
    store = Store(
        clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
        uid=lambda: str(next(numbers)),
        randrange=lambda n: 0,
        admission=CustomResources(KubernetesAdmission()),
    )
    store.subscribe(Upkeep(store).run)
    return store


@pytest.fixture
def found():
    """Causes as a set of (field, reason)."""
    return lambda causes: {(c.field, c.reason.removeprefix("FieldValue")) for c in causes}
