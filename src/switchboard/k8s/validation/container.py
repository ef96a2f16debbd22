"""Rules for containers: names, images, ports, environment, resources, mounts, probes.

In: a pod spec with defaults and its field path.  Out: findings through the ``Report``.
Called by ``k8s.validation.pod``.
Specification: pkg/apis/core/validation of Kubernetes 1.36.
"""

from __future__ import annotations

import re
from typing import Any, Final

from switchboard.k8s.objects import mapping, sequence, text, whole
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report
from switchboard.k8s.validation.service import LARGEST_PORT, PROTOCOLS

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PERIODS: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
# What the downward API offers to environment variables.
_FIELD_PATH: Final = re.compile(
    r"(metadata\.(name|namespace|uid)|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?|phase)"
    r"|metadata\.(annotations|labels)\['[^']+'\])\Z"
)


def all_of(report: Report, field: str, spec: dict[str, Any], volumes: set[str]) -> None:
    """Every container of a pod, and what must be unique among them."""
    containers, inits = sequence(spec.get("containers")), sequence(spec.get("initContainers"))
    if not containers:
        report.required(f"{field}.containers")
    seen: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    numbers: set[tuple[str, int]] = set()
    for part, entries in (("containers", containers), ("initContainers", inits)):
        for index, entry in enumerate(entries):
            where, container = f"{field}.{part}[{index}]", mapping(entry)
            _name(report, f"{where}.name", text(container.get("name")), seen)
            _container(report, where, container, volumes)
            _ports(report, where, container, host_network=spec.get("hostNetwork") is True)
            _host_ports(report, where, container, host_ports)
            if part == "containers":
                _repeated_ports(report, where, container, numbers)


def _name(report: Report, field: str, name: str, seen: set[str]) -> None:
    if not name:
        report.required(field)
        return
    report.problems(field, name, formats.dns_label(name))
    if name in seen:
        report.duplicate(field, name)
    seen.add(name)


def _container(report: Report, field: str, container: dict[str, Any], volumes: set[str]) -> None:
    image = text(container.get("image"))
    if not image:
        report.required(f"{field}.image")
    elif image != image.strip():
        report.invalid(f"{field}.image", image, "without space at either end")
    for part, supported in (("imagePullPolicy", PULL_POLICIES), ("terminationMessagePolicy", MESSAGE_POLICIES)):
        if container.get(part) not in supported:
            report.not_supported(f"{field}.{part}", container.get(part), supported)
    for index, variable in enumerate(sequence(container.get("env"))):
        _variable(report, f"{field}.env[{index}]", mapping(variable))
    _resources(report, f"{field}.resources", mapping(container.get("resources")))
    _mounts(report, f"{field}.volumeMounts", sequence(container.get("volumeMounts")), volumes)
    for part in _PROBES:
        if isinstance(container.get(part), dict):
            _probe(report, f"{field}.{part}", container[part], only_one=part != "readinessProbe")
    for part in ("postStart", "preStop"):
        handler = mapping(container.get("lifecycle")).get(part)
        if isinstance(handler, dict):
            _handler(report, f"{field}.lifecycle.{part}", handler)


def _ports(report: Report, field: str, container: dict[str, Any], *, host_network: bool) -> None:
    names: set[str] = set()
    for index, entry in enumerate(sequence(container.get("ports"))):
        where, port = f"{field}.ports[{index}]", mapping(entry)
        name, number, host = text(port.get("name")), port.get("containerPort"), port.get("hostPort")
        if name:
            report.problems(f"{where}.name", name, formats.port_name(name))
            if name in names:
                report.duplicate(f"{where}.name", name)
            names.add(name)
        if not number:
            report.required(f"{where}.containerPort")
        else:
            report.between(f"{where}.containerPort", number, 1, LARGEST_PORT)
        if host:
            report.between(f"{where}.hostPort", host, 1, LARGEST_PORT)
        if host_network and host and host != number:
            report.invalid(f"{where}.hostPort", host, "equal to `containerPort` with `hostNetwork`")
        if port.get("protocol") not in PROTOCOLS:
            report.not_supported(f"{where}.protocol", port.get("protocol"), PROTOCOLS)


def _host_ports(report: Report, field: str, container: dict[str, Any], seen: set[tuple[str, str, int]]) -> None:
    for index, entry in enumerate(sequence(container.get("ports"))):
        port = mapping(entry)
        key = (text(port.get("protocol")), text(port.get("hostIP")), whole(port.get("hostPort")))
        if key[2] and key in seen:
            report.duplicate(f"{field}.ports[{index}].hostPort", key[2])
        seen.add(key)


def _repeated_ports(report: Report, field: str, container: dict[str, Any], seen: set[tuple[str, int]]) -> None:
    for index, entry in enumerate(sequence(container.get("ports"))):
        port = mapping(entry)
        key = (text(port.get("protocol")), whole(port.get("containerPort")))
        if key in seen and not port.get("hostPort"):
            message = f"Port {key[1]}/{key[0]} is declared twice in the pod."
            report.warn(
                "repeated-port", f"{field}.ports[{index}]", message, "Remove one; they share the pod's address."
            )
        seen.add(key)


def _variable(report: Report, field: str, variable: dict[str, Any]) -> None:
    name, source = text(variable.get("name")), variable.get("valueFrom")
    if not name:
        report.required(f"{field}.name")
    else:
        report.problems(f"{field}.name", name, formats.environment_name(name))
    if not isinstance(source, dict):
        return
    if variable.get("value"):
        report.invalid(f"{field}.valueFrom", "", "left out when `value` is set", "Remove one of the two.")
    reference = source.get("fieldRef")
    if isinstance(reference, dict):
        path = text(reference.get("fieldPath"))
        if not path:
            report.required(f"{field}.valueFrom.fieldRef.fieldPath")
        elif not _FIELD_PATH.match(path):
            rule = "a field that the downward API offers (metadata.name, status.podIP, …)"
            report.invalid(f"{field}.valueFrom.fieldRef.fieldPath", path, rule)


def _resources(report: Report, field: str, resources: dict[str, Any]) -> None:
    for part in ("limits", "requests"):
        for name in mapping(resources.get(part)):
            where = f"{field}.{part}[{name}]"
            if "/" in name:
                report.problems(where, name, formats.qualified_name(name))
            elif name not in _RESOURCES and not name.startswith("hugepages-"):
                report.invalid(
                    where, name, f"one of {', '.join(_RESOURCES)}, or a name with a domain (example.com/gpu)"
                )


def _mounts(report: Report, field: str, mounts: list[Any], volumes: set[str]) -> None:
    paths: set[str] = set()
    for index, entry in enumerate(mounts):
        where, mount = f"{field}[{index}]", mapping(entry)
        name, path = text(mount.get("name")), text(mount.get("mountPath"))
        if not name:
            report.required(f"{where}.name")
        elif name not in volumes:
            report.not_found(f"{where}.name", name, "Add a volume of this name to the pod.")
        if not path:
            report.required(f"{where}.mountPath")
        elif path in paths:
            report.invalid(f"{where}.mountPath", path, "unique in the container")
        paths.add(path)


def _probe(report: Report, field: str, probe: dict[str, Any], *, only_one: bool) -> None:
    _handler(report, field, probe)
    for part in _PERIODS:
        report.not_negative(f"{field}.{part}", probe.get(part))
    if only_one and probe.get("successThreshold") != 1 and isinstance(probe.get("successThreshold"), int):
        report.invalid(f"{field}.successThreshold", probe["successThreshold"], "1")


def _handler(report: Report, field: str, handler: dict[str, Any]) -> None:
    given = [part for part in _HANDLERS if isinstance(handler.get(part), dict)]
    if not given:
        hint = f"Add one of {', '.join(_HANDLERS[:4])}."
        report.required(field, "to say what to do", hint)
    for part in given[1:]:
        report.forbidden(f"{field}.{part}", "beside another handler")
    for part in given:
        details = mapping(handler.get(part))
        if part == "exec":
            if not details.get("command"):
                report.required(f"{field}.exec.command")
        elif part != "sleep":
            _port(report, f"{field}.{part}.port", details.get("port"))


def _port(report: Report, field: str, port: Any) -> None:
    if isinstance(port, str):
        report.problems(field, port, formats.port_name(port))
    else:
        report.between(field, port, 1, LARGEST_PORT)
