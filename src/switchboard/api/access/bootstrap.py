"""Roles and bindings that every cluster has.

In: nothing.  Out: the objects that the server makes at its start when they are not there.
Called by the composition root.
Specification: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
``admin``, ``edit`` and ``view`` are aggregated from the roles labelled for them, so that extensions may add theirs.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api.access.identity import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from switchboard.api.store import Store
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_API_VERSION: Final = f"{names.RBAC}/v1"

_CORE_EDITED: Final = ("configmaps", "events", "persistentvolumeclaims", "replicationcontrollers",
                       "replicationcontrollers/scale", "secrets", "serviceaccounts", "services",
                       "services/proxy", "endpoints")  # fmt: skip
_CORE_VIEWED: Final = ("configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status", "pods",
                       "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts", "services",
                       "services/status", "bindings", "events", "limitranges", "namespaces/status", "pods/log",
                       "pods/status", "replicationcontrollers/status", "resourcequotas", "resourcequotas/status",
                       "namespaces")  # fmt: skip
_WORKLOADS: Final = {
    names.APPS: ("daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
                 "statefulsets/scale"),
    names.AUTOSCALING: ("horizontalpodautoscalers",),
    names.BATCH: ("cronjobs", "jobs"),
    names.NETWORKING: ("ingresses", "networkpolicies"),
    names.POLICY: ("poddisruptionbudgets",),
}  # fmt: skip
_VIEWED_STATUS: Final = {
    names.APPS: ("controllerrevisions", "daemonsets/status", "deployments/status", "replicasets/status",
                 "statefulsets/status"),
    names.AUTOSCALING: ("horizontalpodautoscalers/status",),
    names.BATCH: ("cronjobs/status", "jobs/status"),
    names.NETWORKING: ("ingresses/status",),
    names.POLICY: ("poddisruptionbudgets/status",),
    names.DISCOVERY: ("endpointslices",),
}  # fmt: skip


def _rule(verbs: tuple[str, ...], group: str, resources: tuple[str, ...]) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}


def _urls(*urls: str) -> dict[str, Any]:
    return {"verbs": ["get"], "nonResourceURLs": list(urls)}


def _role(name: str, rules: list[dict[str, Any]], labels: dict[str, str] | None = None) -> Object:
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "annotations": {names.AUTO_UPDATE: "true"},
            "labels": {names.RBAC_DEFAULTS_LABEL: "rbac-defaults", **(labels or {})},
        },
        "rules": rules,
    }


def _aggregate(name: str, by: str, labels: dict[str, str] | None = None) -> Object:
    selector = {"matchLabels": {f"{names.AGGREGATE_TO}{by}": "true"}}
    return {**_role(name, [], labels), "aggregationRule": {"clusterRoleSelectors": [selector]}}


def _binding(name: str, role: str, *groups: str) -> Object:
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": name,
            "annotations": {names.AUTO_UPDATE: "true"},
            "labels": {names.RBAC_DEFAULTS_LABEL: "rbac-defaults"},
        },
        "roleRef": {"apiGroup": names.RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": names.RBAC, "kind": "Group", "name": group} for group in groups],
    }


def _to(role: str) -> dict[str, str]:
    return {f"{names.AGGREGATE_TO}{role}": "true"}


def _user_facing() -> list[Object]:
    access = [
        _rule(("create",), names.AUTHORIZATION, ("localsubjectaccessreviews",)),
        _rule((*WRITE, *READ), names.RBAC, ("rolebindings", "roles")),
    ]
    edited = [
        _rule(READ, names.CORE, ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets",
                                 "services/proxy")),
        _rule(("impersonate",), names.CORE, ("serviceaccounts",)),
        _rule(WRITE, names.CORE, ("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy")),
        _rule(("create",), names.CORE, ("pods/eviction", "serviceaccounts/token")),
        _rule(WRITE, names.CORE, _CORE_EDITED),
        *(_rule(WRITE, group, resources) for group, resources in _WORKLOADS.items()),
        _rule((*WRITE, *READ), names.COORDINATION, ("leases",)),
    ]  # fmt: skip
    viewed = [
        _rule(READ, names.CORE, _CORE_VIEWED),
        *(_rule(READ, group, resources) for group, resources in _WORKLOADS.items()),
        *(_rule(READ, group, resources) for group, resources in _VIEWED_STATUS.items()),
    ]
    return [
        _role("cluster-admin", [_rule(("*",), "*", ("*",)), {"verbs": ["*"], "nonResourceURLs": ["*"]}]),
        _aggregate("admin", "admin"),
        _aggregate("edit", "edit", _to("admin")),
        _aggregate("view", "view", _to("edit")),
        _role("system:aggregate-to-admin", access, _to("admin")),
        _role("system:aggregate-to-edit", edited, _to("edit")),
        _role("system:aggregate-to-view", viewed, _to("view")),
    ]


def objects_at_start() -> list[Object]:
    """All of them."""
    health = ("/healthz", "/livez", "/readyz", "/version", "/version/")
    discovery = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
                 "/version", "/version/")  # fmt: skip
    reviews = [
        _rule(("create",), names.AUTHORIZATION, ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
        _rule(("create",), names.AUTHENTICATION, ("selfsubjectreviews",)),
    ]
    monitoring = _urls("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz",
                       "/readyz/*")  # fmt: skip
    return [
        *_user_facing(),
        _role("system:discovery", [_urls(*discovery)]),
        _role("system:public-info-viewer", [_urls(*health)]),
        _role("system:basic-user", reviews),
        _role("system:monitoring", [monitoring]),
        _role("system:auth-delegator", [
            _rule(("create",), names.AUTHENTICATION, ("tokenreviews",)),
            _rule(("create",), names.AUTHORIZATION, ("subjectaccessreviews",)),
        ]),
        _binding("cluster-admin", "cluster-admin", MASTERS),
        _binding("system:discovery", "system:discovery", AUTHENTICATED),
        _binding("system:basic-user", "system:basic-user", AUTHENTICATED),
        _binding("system:public-info-viewer", "system:public-info-viewer", AUTHENTICATED, UNAUTHENTICATED),
        _binding("system:monitoring", "system:monitoring", "system:monitoring"),
    ]  # fmt: skip


def start(store: Store) -> None:
    """Make those that are missing; what somebody changed stays as it is."""
    for obj in objects_at_start():
        if store.find(objects.kind(obj), "", objects.name(obj)) is None:
            store.create(obj)
