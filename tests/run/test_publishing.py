"""Ingresses get the gateway's addresses, and findings become events once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from switchboard.base.findings import Finding, Severity
from switchboard.compile.lab import LabOptions
from switchboard.k8s.manifests import load
from switchboard.run.events import EventRecorder
from switchboard.run.population import populate
from switchboard.run.publishing import Publisher
from switchboard.view.model import View
from switchboard.view.route import Gateway, PathMatch, Route
from switchboard.view.service import ServicePort

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: web, port: {number: 80}}}
"""
FINDING = Finding(reference="no-backend", message="it has none", object="Ingress default/web", field="spec.rules")


def view(*addresses: str, owner: str = "Ingress default/web") -> View:
    route = Route(owner=owner, field="", host="", path="/", match=next(iter(PathMatch)), backend=None)
    port = ServicePort(
        namespace="s", name="gateway", port_name="", protocol="TCP", port=80, load_balancer_ips=addresses
    )
    return View(services=(port,), gateways=(Gateway(name="nginx", service="s/gateway", routes=(route,)),))


@pytest.fixture
def store() -> Any:
    made, findings = populate(LabOptions(), load(INGRESS, "i.yaml")[0])
    assert not findings
    return made


@pytest.fixture
def publisher(store) -> Publisher:
    return Publisher(store, EventRecorder(store, lambda: datetime(2026, 5, 4, 12, tzinfo=UTC)))


def ingress(store) -> Any:
    return store.get("Ingress", "default", "web")


def events(store) -> list[Any]:
    return [event for event in store.list("Event")[0] if event["reason"] == "NoBackend"]


def test_addresses_follow_the_gateway_and_are_written_only_when_they_differ(store, publisher) -> None:
    publisher.addresses(view("198.51.100.1"))
    first = ingress(store)
    assert first["status"]["loadBalancer"]["ingress"] == [{"ip": "198.51.100.1"}]
    publisher.addresses(view("198.51.100.1"))
    assert ingress(store) == first
    publisher.addresses(view())
    assert not ingress(store)["status"]["loadBalancer"].get("ingress")


@pytest.mark.parametrize("owner", ["Ingress default/gone", "Nonsense", "", "Ingress gone"])
def test_owners_that_are_not_there_are_no_fault(publisher, owner: str) -> None:
    publisher.addresses(view("198.51.100.1", owner=owner))
    publisher.tell([msgspec.structs.replace(FINDING, object=owner)])


def test_a_finding_is_told_once_for_as_long_as_it_lasts(store, publisher) -> None:
    publisher.tell([FINDING])
    publisher.tell([FINDING, FINDING])
    (event,) = events(store)
    assert event["type"] == "Warning"
    assert "spec.rules: it has none" in str(event)
    publisher.tell([])
    publisher.tell([FINDING])
    assert len(events(store)) == 1
    assert events(store) != [event]


def test_advice_is_no_warning(store, publisher) -> None:
    publisher.tell([msgspec.structs.replace(FINDING, severity=Severity.INFO)])
    assert events(store) == []
