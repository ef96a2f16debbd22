"""The only translator from Kubernetes objects to the neutral view.

In go objects by kind name, as decoded; out come a ``View`` and findings about what could not be honoured.
It never raises on malformed objects, and the order of the objects does not matter.
Called by ``run`` and ``cli``.
Specification: K1 to K23 of the behaviour list (kube-proxy 1.36); each part names its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from switchboard.base.findings import Finding
from switchboard.k8s.objects import Object
from switchboard.view.build import names, nodes, pods, policies, routes, services
from switchboard.view.model import View


def build(objects: Mapping[str, Sequence[Object]]) -> tuple[View, tuple[Finding, ...]]:
    """The view of all objects; ``objects`` is keyed by kind (``Service``, ``EndpointSlice``, ``Node``, ``Pod`` ...)."""
    service_ports, service_findings = services.build(objects)
    network, node_facts, node_findings = nodes.build(objects)
    pod_facts, pod_findings = pods.build(objects)
    gateways, route_findings = routes.build(objects, service_ports)
    spaces, policy_facts, policy_findings = policies.build(objects)
    view = View(
        network=network,
        nodes=node_facts,
        pods=pod_facts,
        services=service_ports,
        gateways=gateways,
        namespaces=spaces,
        policies=policy_facts,
        names=names.build(objects),
    )
    return view, (*service_findings, *node_findings, *pod_findings, *route_findings, *policy_findings)
