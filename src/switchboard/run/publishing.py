"""What the cluster's objects say about publishing: Ingress addresses, and events for what could not be honoured.

Called by ``run.control`` after each sync of the data plane.
"""

from __future__ import annotations

from collections.abc import Iterable

from switchboard.api.errors import ApiError
from switchboard.api.store import Store
from switchboard.base.findings import Finding, Severity
from switchboard.k8s import objects
from switchboard.run.events import EventRecorder
from switchboard.view.model import View

_COMPONENT = "switchboard-gateway"


class Publisher:
    """Writes only what differs; each finding is told once for as long as it lasts."""

    def __init__(self, store: Store, events: EventRecorder) -> None:
        self._store = store
        self._events = events
        self._told: set[Finding] = set()

    def addresses(self, view: View) -> None:
        """Ingresses that a gateway serves get the addresses of the Service that publishes it."""
        by_service = {f"{p.namespace}/{p.name}": p.load_balancer_ips for p in view.services}
        for gateway in view.gateways:
            wanted = [{"ip": address} for address in by_service.get(gateway.service, ())]
            owners = {r.owner for r in gateway.routes} | {r.canary.owner for r in gateway.routes if r.canary}
            for owner in sorted(owners):
                ingress = self._find(owner)
                if ingress is None:
                    continue
                status = ingress.get("status") or {}
                if (status.get("loadBalancer") or {}).get("ingress", []) != wanted:
                    self._write({**ingress, "status": {**status, "loadBalancer": {"ingress": wanted}}})

    def tell(self, findings: Iterable[Finding]) -> None:
        """One event for each new finding about an object that is in the store."""
        found = {finding for finding in findings if finding.severity is not Severity.INFO}
        for finding in sorted(found - self._told, key=lambda f: (f.object, f.reference, f.field, f.message)):
            regarding = self._find(finding.object)
            if regarding is not None:
                reason = "".join(part.capitalize() for part in finding.reference.split("-"))
                message = f"{finding.field}: {finding.message}" if finding.field else finding.message
                self._events.record(_COMPONENT, regarding, "Warning", reason, message)
        self._told = found

    def _find(self, reference: str) -> objects.Object | None:
        """The object that a finding or route names: ``Kind namespace/name`` or ``Kind name``."""
        kind, _, key = reference.partition(" ")
        namespace, _, name = key.rpartition("/")
        try:
            return self._store.find(kind, namespace, name)
        except (ApiError, KeyError, ValueError):
            return None

    def _write(self, obj: objects.Object) -> None:
        try:
            self._store.update_status(obj)
        except ApiError:
            pass  # it has changed: the next sync sees it as it is
