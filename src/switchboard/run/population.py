"""The store of a new cluster: what every cluster has, its nodes, the system's objects, the manifests.

Made by the front process before anything is started, so that a refused manifest starts nothing; the control process
inherits it.  In: options and manifests.  Out: a store, or a UsageError that lists what was refused.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources

from switchboard.api.access import bootstrap
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.crds.admission import CustomResources
from switchboard.api.crds.upkeep import Upkeep
from switchboard.api.metadata import timestamp
from switchboard.api.store import Store
from switchboard.base.findings import Finding
from switchboard.compile.lab import LabOptions
from switchboard.k8s import names
from switchboard.k8s.manifests import Manifest, load
from switchboard.k8s.objects import Object
from switchboard.run.applying import apply
from switchboard.view.node import Node

# What the manifests say in the place of the DNS Service's address.
_DNS_PLACE = "CLUSTER_DNS"


def now() -> datetime:
    """The current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def populate(options: LabOptions, manifests: Sequence[Manifest]) -> tuple[Store, tuple[Finding, ...]]:
    """The store with everything in it, or findings about the manifests that were refused."""
    admission = KubernetesAdmission(service_cidrs=(options.ranges.services,))
    store = Store(
        clock=now, uid=lambda: str(uuid.uuid4()), randrange=secrets.randbelow, admission=CustomResources(admission)
    )
    store.subscribe(Upkeep(store).run)
    admission.start(store)
    bootstrap.start(store)
    for node in options.node_facts():
        obj = node_object(node, timestamp(now()))
        store.create(obj)
        store.update_status({**store.get("Node", "", node.name), "status": obj["status"]})
    text = resources.files("switchboard.run").joinpath("manifests/system.yaml").read_text()
    text = text.replace(_DNS_PLACE, options.ranges.dns)
    system, faults = load(text, "system.yaml")
    refused = faults or apply(store, system).findings
    if refused:
        raise RuntimeError(f"the cluster's own objects are refused: {refused[0]}")
    return store, apply(store, manifests).findings


def node_object(node: Node, at: str) -> Object:
    """The Node as a kubelet registers it; ``at`` is the time in Kubernetes' form."""
    labels = {names.HOSTNAME_LABEL: node.name, names.OS_LABEL: "linux"}
    if node.zone:
        labels[names.ZONE_LABEL] = node.zone
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the node's namespace is up",
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
    }
    capacity = {"cpu": "4", "memory": "8Gi", "pods": "250"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"podCIDR": node.pod_cidrs[0], "podCIDRs": list(node.pod_cidrs)},
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": address} for address in node.addresses),
                {"type": "Hostname", "address": node.name},
            ],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [ready],
        },
    }
