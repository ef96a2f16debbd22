"""Node ports that Services claim against each other or out of range: people are told, nothing is changed.

In: Services; the loop's setting ``node-ports`` (a ``range``; 30000 to 32767 when absent).  Out: events.
Which port is taken is kept by the API server beside its objects (``api.allocation``), in the transaction of the
Service; this sees what was stored past it.
Found by file name and run by the controller loop.
Specification: the repair loop of kube-apiserver for node ports
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from switchboard.api.allocation import NODE_PORTS
from switchboard.controllers import _pods
from switchboard.controllers._contract import WARNING, Controller, Operation, Plan, RecordEvent, dirty, each
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, whole

SETTING = "node-ports"


def ports(service: Object) -> list[int]:
    """The node ports of a Service, the health check's included, each once."""
    spec = objects.spec(service)
    if spec.get("type") not in ("NodePort", "LoadBalancer"):
        return []
    found = [whole(mapping(port).get("nodePort")) for port in sequence(spec.get("ports"))]
    return sorted({port for port in (*found, whole(spec.get("healthCheckNodePort"))) if port})


def _values(service: Object) -> Iterable[int]:
    return ports(service)


BY_PORT = Index("node-port", "Service", _values)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at the Services that changed; at rest there is nothing to say again."""
    if snapshot.changed is None:
        return Plan()
    return each("Service", dirty(snapshot, "Service"), lambda key: _reconcile_one(snapshot, key))


def _reconcile_one(snapshot: Snapshot, key: Key) -> list[Operation]:
    service = snapshot.get("Service", *key)
    if service is None or objects.deleting(service):
        return []
    allowed: range = snapshot.settings.get(SETTING, NODE_PORTS)
    told: list[Operation] = []
    for port in ports(service):
        holders = sorted(snapshot.indexed(BY_PORT, port), key=lambda s: (_pods.created(s), objects.key(s)))
        if port not in allowed:
            span = f"{allowed.start}-{allowed.stop - 1}"
            message = f"Port {port} is not within the port range {span}; please recreate service"
            told.append(RecordEvent(service, WARNING, "PortOutOfRange", message))
        elif objects.key(holders[0]) != objects.key(service):
            message = f"Port {port} was assigned to multiple services; please recreate service"
            told.append(RecordEvent(service, WARNING, "PortAlreadyAllocated", message))
    return told


CONTROLLER = Controller(
    name="portallocator-repair-controller",
    reads=frozenset({"Service"}),
    writes=frozenset(),
    reconcile=reconcile,
)
