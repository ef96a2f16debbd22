"""Rules for Ingress and IngressClass.

In: an object with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.
Specification: pkg/apis/networking/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report
from switchboard.k8s.validation.service import LARGEST_PORT, balancer_ingress

PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
CONTROLLER_BYTES: Final = 250
_FORBIDDEN_PARTS: Final = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_ENDS: Final = ("/..", "/.")


def validate(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one Ingress."""
    spec = objects.spec(obj)
    class_ = spec.get("ingressClassName")
    if old is None:
        _class_annotation(report, obj, class_)
    if isinstance(class_, str):
        report.problems("spec.ingressClassName", class_, formats.dns_subdomain(class_))
    rules, default = sequence(spec.get("rules")), spec.get("defaultBackend")
    if not rules and default is None:
        report.invalid("spec", None, "given `rules` or a `defaultBackend`", "Add `rules`.")
    if isinstance(default, dict):
        _backend(report, "spec.defaultBackend", default)
    for index, rule in enumerate(rules):
        _rule(report, f"spec.rules[{index}]", mapping(rule))
    for index, tls in enumerate(sequence(spec.get("tls"))):
        _tls(report, f"spec.tls[{index}]", mapping(tls))
    if old is not None:
        for index, ingress in enumerate(sequence(mapping(objects.status(obj).get("loadBalancer")).get("ingress"))):
            balancer_ingress(report, f"status.loadBalancer.ingress[{index}]", mapping(ingress), [], modes=False)


def validate_class(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one IngressClass."""
    spec = objects.spec(obj)
    controller = text(spec.get("controller"))
    if not controller:
        report.required("spec.controller")
    elif len(controller.encode()) > CONTROLLER_BYTES:
        report.too_long("spec.controller", f"{CONTROLLER_BYTES} bytes")
    else:
        domain, slash, path = controller.partition("/")
        if not slash or not path or formats.dns_subdomain(domain):
            report.invalid("spec.controller", controller, "a DNS name, a slash and a path, such as example.com/gateway")
    if old is not None and controller != objects.spec(old).get("controller"):
        report.immutable("spec.controller", controller)
    if isinstance(spec.get("parameters"), dict):
        _parameters(report, spec["parameters"])


def _parameters(report: Report, parameters: dict[str, Any]) -> None:
    field = "spec.parameters"
    _typed_reference(report, field, parameters)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        report.required(f"{field}.scope")
    elif scope not in ("Cluster", "Namespace"):
        report.not_supported(f"{field}.scope", scope, ("Cluster", "Namespace"))
    elif scope == "Namespace" and not namespace:
        report.required(f"{field}.namespace", "when `scope` is Namespace")
    elif scope == "Namespace":
        report.problems(f"{field}.namespace", namespace, formats.dns_label(text(namespace)))
    elif namespace is not None:
        report.forbidden(f"{field}.namespace", "when `scope` is Cluster")


def _typed_reference(report: Report, field: str, reference: dict[str, Any]) -> None:
    """apiGroup, kind and name of some object."""
    group = reference.get("apiGroup")
    if isinstance(group, str):
        report.problems(f"{field}.apiGroup", group, formats.dns_subdomain(group))
    for part in ("kind", "name"):
        value = text(reference.get(part))
        if value:
            report.problems(f"{field}.{part}", value, formats.path_segment(value))
        else:
            report.required(f"{field}.{part}")


def _class_annotation(report: Report, obj: Object, class_: Any) -> None:
    """The annotation is older than the field; both together must agree (and the path is Kubernetes' own)."""
    annotation = objects.annotations(obj).get(names.INGRESS_CLASS_ANNOTATION)
    if annotation is None:
        return
    if class_ is not None and annotation != class_:
        rule = "equal to `ingressClassName`"
        report.invalid(f"annotations.{names.INGRESS_CLASS_ANNOTATION}", annotation, rule, "Remove the annotation.")
    if class_ is None:
        report.warn(
            "deprecated-annotation",
            f"metadata.annotations[{names.INGRESS_CLASS_ANNOTATION}]",
            f"The annotation {names.INGRESS_CLASS_ANNOTATION} is deprecated.",
            f"Use `spec.ingressClassName: {annotation}`.",
        )


def _host(report: Report, field: str, host: str, *, addresses: bool) -> None:
    if not addresses and formats.address(host)[0] is not None:
        report.invalid(field, host, "a DNS name, not an address")
    if "*" in host:
        report.problems(field, host, formats.wildcard_subdomain(host))
    elif addresses or formats.address(host)[0] is None:
        report.problems(field, host, formats.dns_subdomain(host))


def _rule(report: Report, field: str, rule: dict[str, Any]) -> None:
    host, http = text(rule.get("host")), rule.get("http")
    if host:
        _host(report, f"{field}.host", host, addresses=False)
    if not isinstance(http, dict):
        return
    paths = sequence(http.get("paths"))
    if not paths:
        report.required(f"{field}.http.paths")
    for index, path in enumerate(paths):
        _path(report, f"{field}.http.paths[{index}]", mapping(path))


def _path(report: Report, field: str, path: dict[str, Any]) -> None:
    value, type_ = text(path.get("path")), path.get("pathType")
    if type_ is None:
        report.required(f"{field}.pathType", hint="Add `pathType: Prefix` (or Exact, or ImplementationSpecific).")
    elif type_ in ("Exact", "Prefix"):
        if not value.startswith("/"):
            report.invalid(f"{field}.path", value, "a path that begins with /")
        for part in _FORBIDDEN_PARTS:
            if part in value:
                report.invalid(f"{field}.path", value, f"a path without {part}")
        for end in _FORBIDDEN_ENDS:
            if value.endswith(end):
                report.invalid(f"{field}.path", value, f"a path that does not end in {end}")
    elif type_ == "ImplementationSpecific":
        if value and not value.startswith("/"):
            report.invalid(f"{field}.path", value, "a path that begins with /")
    else:
        report.not_supported(f"{field}.pathType", type_, PATH_TYPES)
    _backend(report, f"{field}.backend", mapping(path.get("backend")))


def _backend(report: Report, field: str, backend: dict[str, Any]) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        report.invalid(field, "service and resource", "one of `service` and `resource`", "Remove one of the two.")
    elif resource is not None:
        _typed_reference(report, f"{field}.resource", mapping(resource))
    elif service is not None:
        _service(report, field, mapping(service))
    else:
        hint = "Add `service` with `name` and `port`."
        if "serviceName" in backend:
            hint = "`serviceName` and `servicePort` are of older versions: write `service: {name, port: {number}}`."
        report.invalid(field, None, "given a `service` or a `resource`", hint)


def _service(report: Report, field: str, service: dict[str, Any]) -> None:
    name, port = text(service.get("name")), mapping(service.get("port"))
    port_name, number = text(port.get("name")), port.get("number") or 0
    if not name:
        report.required(f"{field}.service.name")
    else:
        report.problems(f"{field}.service.name", name, formats.dns_label(name))
    if port_name and number:
        report.invalid(
            field, f"{port_name} and {number}", "given one of port name and number", "Remove one of the two."
        )
    elif port_name:
        report.problems(f"{field}.service.port.name", port_name, formats.port_name(port_name))
    elif number:
        report.between(f"{field}.service.port.number", number, 1, LARGEST_PORT)
    else:
        report.required(field, "to name a port", "Add `port` with `name` or `number` to the service.")


def _tls(report: Report, field: str, tls: dict[str, Any]) -> None:
    for index, host in enumerate(sequence(tls.get("hosts"))):
        _host(report, f"{field}.hosts[{index}]", text(host), addresses=True)
    secret = text(tls.get("secretName"))
    if secret:
        report.problems(f"{field}.secretName", secret, formats.dns_subdomain(secret))
