"""Pods become neutral facts; pods that have finished are left out, since nothing reaches them.

In go objects by kind; out come ``Pod`` facts sorted by key, and findings.
Called by ``view.build``.
Specification: Pod v1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchboard.base.findings import Finding
from switchboard.k8s.objects import (
    Object,
    condition,
    deleting,
    key,
    labels,
    mapping,
    name,
    namespace,
    sequence,
    spec,
    status,
    text,
    uid,
)
from switchboard.k8s.objects import annotations as annotations_of
from switchboard.view.build.addresses import canonical_address
from switchboard.view.node import Pod, PodPort

_FINISHED = ("Succeeded", "Failed")
_HIGHEST_PORT = 65535


def build(objects: Mapping[str, Sequence[Object]]) -> tuple[tuple[Pod, ...], tuple[Finding, ...]]:
    """Every pod that may have traffic; reads kind ``Pod``."""
    findings: list[Finding] = []
    pods: dict[str, Pod] = {}
    for pod in sorted((o for o in objects.get("Pod", ()) if isinstance(o, dict)), key=key):
        if not name(pod):
            findings.append(
                Finding(reference="unusable-field", message="A Pod without a name is left out.", object="Pod")
            )
        elif status(pod).get("phase") not in _FINISHED:
            pods.setdefault(key(pod), _pod(pod, findings))
    return tuple(pods[k] for k in sorted(pods)), tuple(findings)


def _pod(pod: Object, findings: list[Finding]) -> Pod:
    body = spec(pod)
    # A sidecar is an init container that goes on running: it serves like the others.
    sidecars = [c for c in sequence(body.get("initContainers")) if mapping(c).get("restartPolicy") == "Always"]
    containers = [mapping(c) for c in (*sequence(body.get("containers")), *sidecars)]
    return Pod(
        namespace=namespace(pod),
        name=name(pod),
        uid=uid(pod),
        node=text(body.get("nodeName")),
        addresses=_addresses(pod, findings),
        labels=_strings(labels(pod)),
        annotations=_strings(annotations_of(pod)),
        images=tuple(text(c.get("image")) for c in containers),
        ports=tuple(p for c in containers for p in _ports(c)),
        host_network=body.get("hostNetwork") is True,
        ready=condition(pod, "Ready") == "True",
        terminating=deleting(pod),
    )


def _strings(values: Mapping[Any, Any]) -> dict[str, str]:
    return {k: v for k, v in values.items() if isinstance(k, str) and isinstance(v, str)}


def _addresses(pod: Object, findings: list[Finding]) -> tuple[str, ...]:
    """``status.podIPs``, or ``status.podIP`` alone, without repetitions."""
    body = status(pod)
    given = [mapping(ip).get("ip") for ip in sequence(body.get("podIPs"))] or [body.get("podIP")]
    addresses: dict[str, None] = {}
    for value in (v for v in given if v):
        address = canonical_address(value) if isinstance(value, str) else None
        if address:
            addresses[address] = None
        else:
            message = f"{value!r} is not an IP address."
            findings.append(
                Finding(reference="unusable-field", message=message, object=f"Pod {key(pod)}", field="status.podIPs")
            )
    return tuple(addresses)


def _ports(container: Mapping[str, Any]) -> tuple[PodPort, ...]:
    ports = (mapping(p) for p in sequence(container.get("ports")))
    return tuple(
        PodPort(text(p.get("name")), p["containerPort"], text(p.get("protocol")) or "TCP")
        for p in ports
        if isinstance(p.get("containerPort"), int)
        and not isinstance(p["containerPort"], bool)
        and 0 < p["containerPort"] <= _HIGHEST_PORT
    )
