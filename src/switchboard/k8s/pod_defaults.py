"""Defaults of pods and pod templates: containers, probes, ports, volumes.

In: a mutable copy of a pod spec.  Out: the same with defaults filled in.
Called by ``k8s.defaults`` only.
Specification: pkg/apis/core/v1/defaults.go of Kubernetes 1.36, and the recorded answers in tests/cases/api.
"""

from __future__ import annotations

from typing import Any

from switchboard.k8s.objects import mapping, sequence
from switchboard.k8s.quantity import canonical_values

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MODED_VOLUMES = ("configMap", "secret", "downwardAPI", "projected")
_DEFAULT_MODE = 0o644


def fill(target: dict[str, Any], **values: Any) -> None:
    """Sets what is missing or null."""
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def fill_empty(target: dict[str, Any], **values: Any) -> None:
    """Sets what is missing, null, empty or zero: fields that Kubernetes cannot tell from unset."""
    for key, value in values.items():
        if target.get(key) in (None, "", 0) and target.get(key) is not False:
            target[key] = value


def pod(spec: dict[str, Any]) -> None:
    """Defaults of a pod that are not those of a template as well."""
    fill(spec, enableServiceLinks=True)
    grace = spec.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for container in _containers(spec):
        resources = mapping(container.get("resources"))
        limits = mapping(resources.get("limits"))
        if limits:
            requests = mapping(resources.get("requests"))
            resources["requests"] = {**limits, **requests}
        if spec.get("hostNetwork") is True:
            for port in _mappings(container.get("ports")):
                fill_empty(port, hostPort=port.get("containerPort"))
    template(spec)


def template(spec: dict[str, Any]) -> None:
    """Defaults of a pod spec wherever it stands."""
    fill_empty(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler")
    fill(spec, securityContext={}, terminationGracePeriodSeconds=30)
    for container in _containers(spec):
        _container(container)
    for volume in _mappings(spec.get("volumes")):
        _volume(volume)


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in sequence(value) if isinstance(entry, dict)]


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return _mappings(spec.get("initContainers")) + _mappings(spec.get("containers"))


def _container(container: dict[str, Any]) -> None:
    fill(container, resources={})
    for part in mapping(container.get("resources")).values():
        canonical_values(part)
    fill_empty(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=_pull_policy(container.get("image")),
    )
    for port in _mappings(container.get("ports")):
        fill_empty(port, protocol="TCP")
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            _probe(container[name])
    for handler in mapping(container.get("lifecycle")).values():
        if isinstance(handler, dict):
            _http_get(handler)
    for variable in _mappings(container.get("env")):
        reference = mapping(variable.get("valueFrom")).get("fieldRef")
        if isinstance(reference, dict):
            fill_empty(reference, apiVersion="v1")


def _pull_policy(image: Any) -> str:
    """A tag ``latest``, or none, is always pulled; a digest counts as a tag."""
    name = image.rpartition("/")[2] if isinstance(image, str) else ""
    tag = name.partition(":")[2]
    return "IfNotPresent" if "@" in name or tag not in ("", "latest") else "Always"


def _probe(probe: dict[str, Any]) -> None:
    fill_empty(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _http_get(probe)
    if isinstance(probe.get("grpc"), dict):
        fill(probe["grpc"], service="")


def _http_get(handler: dict[str, Any]) -> None:
    if isinstance(handler.get("httpGet"), dict):
        fill_empty(handler["httpGet"], path="/", scheme="HTTP")


def _volume(volume: dict[str, Any]) -> None:
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}
    for kind in _MODED_VOLUMES:
        if isinstance(volume.get(kind), dict):
            fill(volume[kind], defaultMode=_DEFAULT_MODE)
    if isinstance(volume.get("hostPath"), dict):
        fill(volume["hostPath"], type="")
    sources = [volume, *_mappings(mapping(volume.get("projected")).get("sources"))]
    for source in sources:
        for item in _mappings(mapping(source.get("downwardAPI")).get("items")):
            if isinstance(item.get("fieldRef"), dict):
                fill_empty(item["fieldRef"], apiVersion="v1")
