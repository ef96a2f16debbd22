"""Ingress objects as flat rules, oldest first, each with everything that its Ingress says about it.

In: Ingress and IngressClass objects, service ports.  Out: frozen ``Rule``s and findings.
Called by ``view.build.routes``.
Specification: https://kubernetes.io/docs/concepts/services-networking/ingress/ and networking.k8s.io/v1; which class
an Ingress belongs to is decided as in ingress-nginx (annotation, then field, then the default class).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import names
from switchboard.k8s.objects import Object, mapping, metadata, sequence, spec, text
from switchboard.view.route import Backend
from switchboard.view.service import ServicePort

OUR_CONTROLLERS: Final = (f"{names.SWITCHBOARD_PREFIX}gateway", names.NGINX_CONTROLLER)
PUBLISH_SERVICE: Final = f"{names.SWITCHBOARD_PREFIX}publish-service"
PATH_TYPES: Final = ("Exact", "Prefix", "ImplementationSpecific")

# Go's strconv.ParseBool, which reads boolean annotations.
TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")


class IngressFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One Ingress that is ours: ``options`` are its nginx annotations, short names, empty values left out."""

    namespace: str
    name: str
    class_name: str
    options: dict[str, str]
    canary: bool
    tls: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def owner(self) -> str:
        """How findings and routes name it."""
        return f"Ingress {self.namespace}/{self.name}"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One path of one host; ``default`` marks the default backend, which has no path of its own."""

    ingress: IngressFacts
    field: str
    host: str
    path: str
    path_type: str
    backend: Backend | None
    default: bool = False


class Classes(msgspec.Struct, frozen=True):
    """Classes of ours with the Service that publishes them, the names of all classes, and the default one."""

    services: dict[str, str]
    known: frozenset[str]
    default: str


def classes(objects: Iterable[Object]) -> Classes:
    """Which IngressClasses are ours; of several defaults the newest counts, as at admission."""
    ours: dict[str, str] = {}
    known: set[str] = set()
    defaults: list[tuple[str, str]] = []
    for each in objects:
        name, annotations = text(metadata(each).get("name")), mapping(metadata(each).get("annotations"))
        known.add(name)
        if text(spec(each).get("controller")) in OUR_CONTROLLERS:
            ours[name] = text(annotations.get(PUBLISH_SERVICE))
        if text(annotations.get(names.DEFAULT_INGRESS_CLASS)) == "true":
            defaults.append((text(metadata(each).get("creationTimestamp")), name))
    newest = max((created for created, _ in defaults), default="")
    default = min((name for created, name in defaults if created == newest), default="")
    return Classes(ours, frozenset(known), default)


def ours(objects: Iterable[Object], known: Classes, findings: list[Finding]) -> list[tuple[IngressFacts, Object]]:
    """The Ingresses of our classes, oldest first; an Ingress that no class takes is told."""
    found: list[tuple[IngressFacts, Object]] = []
    for each in sorted((o for o in objects if isinstance(o, dict)), key=_age):
        if text(metadata(each).get("deletionTimestamp")):
            continue
        owner = f"Ingress {_namespace(each)}/{text(metadata(each).get('name'))}"
        annotations = mapping(metadata(each).get("annotations"))
        by_annotation = text(annotations.get(names.INGRESS_CLASS_ANNOTATION))
        name = by_annotation or text(spec(each).get("ingressClassName")) or known.default
        if name in known.services:
            found.append((_facts(each, name, annotations), each))
        elif not name:
            findings.append(_unserved(owner, "no-ingress-class", "names no class and none is the default"))
        elif name not in known.known and not by_annotation:
            findings.append(_unserved(owner, "unknown-ingress-class", f"names the class {name}, which does not exist"))
    return found


def rules(ingress: IngressFacts, obj: Object, ports: ServicePorts, findings: list[Finding]) -> list[Rule]:
    """All rules of one Ingress in their order, then its default backend: once for each host, or for any host."""
    made: list[Rule] = []
    hosts: dict[str, None] = {}
    for number, rule in enumerate(sequence(spec(obj).get("rules"))):
        host = text(mapping(rule).get("host")).lower()
        hosts[host] = None
        for position, path in enumerate(sequence(mapping(mapping(rule).get("http")).get("paths"))):
            field = f"spec.rules[{number}].http.paths[{position}]"
            if (one := _rule(ingress, host, mapping(path), field, ports, findings)) is not None:
                made.append(one)
    default = spec(obj).get("defaultBackend")
    if isinstance(default, dict):
        backend = ports.backend(ingress, default, "spec.defaultBackend", findings)
        for host in hosts or {"": None}:
            made.append(
                Rule(
                    ingress=ingress,
                    field="spec.defaultBackend",
                    host=host,
                    path="/",
                    path_type="Prefix",
                    backend=backend,
                    default=True,
                )
            )
    return made


class ServicePorts:
    """Service ports by Service, to resolve the references of Ingresses."""

    def __init__(self, services: Iterable[ServicePort]) -> None:
        """Indexes TCP ports; the first of equal ones counts."""
        self._ports: dict[str, list[ServicePort]] = {}
        for port in services:
            if port.protocol == "TCP":
                self._ports.setdefault(f"{port.namespace}/{port.name}", []).append(port)

    def backend(
        self, ingress: IngressFacts, obj: Mapping[str, Any], field: str, findings: list[Finding]
    ) -> Backend | None:
        """The backend that an Ingress means, with an empty ``service_port`` when nothing is there; None for others."""
        service = mapping(obj.get("service"))
        name = text(service.get("name"))
        if not name:
            what = "names a resource, which no gateway of ours serves" if obj.get("resource") else "names no Service"
            findings.append(_problem(ingress, "backend-unusable", f"the backend {what}; it answers 503", field))
            return None
        reference, port = f"{ingress.namespace}/{name}", mapping(service.get("port"))
        number, port_name = port.get("number"), text(port.get("name"))
        written = port_name or (str(number) if isinstance(number, int) else "")
        known = self._ports.get(reference, [])
        for each in known:
            if each.port_name == port_name if port_name else each.port == number:
                return Backend(reference, written, each.key)
        if known:
            have = ", ".join(f"{p.port_name or p.port} ({p.port})" for p in known)
            message = f"Service {reference} has no port {written or '(none given)'}; it has {have}"
            findings.append(_problem(ingress, "backend-port-missing", message, f"{field}.service.port"))
        else:
            message = f"Service {reference} does not exist or has no TCP port; its paths answer 503"
            findings.append(_problem(ingress, "backend-service-missing", message, f"{field}.service.name"))
        return Backend(reference, written)


def _rule(
    ingress: IngressFacts,
    host: str,
    path: Mapping[str, Any],
    field: str,
    ports: ServicePorts,
    findings: list[Finding],
) -> Rule | None:
    raw, path_type = text(path.get("path")), text(path.get("pathType"))
    if path_type not in PATH_TYPES:
        findings.append(
            _problem(ingress, "path-type-unknown", f"pathType {path_type!r} is none of {', '.join(PATH_TYPES)}", field)
        )
        return None
    if not raw.startswith("/"):
        if raw or path_type != "ImplementationSpecific":
            findings.append(_problem(ingress, "path-not-absolute", f"path {raw!r} does not begin with /", field))
            return None
        raw = "/"
    backend = ports.backend(ingress, mapping(path.get("backend")), f"{field}.backend", findings)
    return Rule(ingress=ingress, field=field, host=host, path=raw, path_type=path_type, backend=backend)


def _facts(obj: Object, class_name: str, annotations: Mapping[str, Any]) -> IngressFacts:
    options = {
        key[len(names.NGINX_PREFIX) :]: value.strip()
        for key, value in annotations.items()
        if key.startswith(names.NGINX_PREFIX) and isinstance(value, str) and value.strip()
    }
    return IngressFacts(
        namespace=_namespace(obj),
        name=text(metadata(obj).get("name")),
        class_name=class_name,
        options=options,
        canary=options.get("canary") in TRUE,
        tls=tuple(_tls(obj)),
    )


def _tls(obj: Object) -> Iterator[tuple[tuple[str, ...], str]]:
    for section in sequence(spec(obj).get("tls")):
        hosts = sequence(mapping(section).get("hosts"))
        yield tuple(h.lower() for h in hosts if isinstance(h, str) and h), text(mapping(section).get("secretName"))


def _namespace(obj: Object) -> str:
    return text(metadata(obj).get("namespace")) or names.DEFAULT_NAMESPACE


def _age(obj: Object) -> tuple[str, str, str]:
    return text(metadata(obj).get("creationTimestamp")), _namespace(obj), text(metadata(obj).get("name"))


def _problem(ingress: IngressFacts, reference: str, message: str, field: str) -> Finding:
    return Finding(reference=reference, message=message, object=ingress.owner, field=field)


def _unserved(owner: str, reference: str, why: str) -> Finding:
    return Finding(
        reference=reference,
        message=f"nobody serves this Ingress: it {why}",
        severity=Severity.WARNING,
        object=owner,
        field="spec.ingressClassName",
        hint="Name an IngressClass that exists, or make one the default.",
    )
