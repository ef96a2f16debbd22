"""Columns of roles and bindings.

In: objects.  Out: cells.
Called by ``columns.columns_of``.
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable

from switchboard.api.server.columns.cells import AGE, NAME, at, column, joined
from switchboard.api.server.tables import Columns
from switchboard.k8s.objects import Object, mapping, sequence, text


def _role(binding: Object) -> str:
    found = mapping(binding.get("roleRef"))
    return f"{found.get('kind')}/{found.get('name')}"


def _subjects(kind: str) -> Callable[[Object], str]:
    def read(binding: Object) -> str:
        found = [mapping(s) for s in sequence(binding.get("subjects")) if mapping(s).get("kind") == kind]
        named = (f"{s.get('namespace')}/{s.get('name')}" if kind == "ServiceAccount" else s.get("name") for s in found)
        return ", ".join(text(n) for n in named)

    return read


_BINDING: Columns = (
    NAME,
    column("Role", _role),
    AGE,
    column("Users", _subjects("User"), wide=True),
    column("Groups", _subjects("Group"), wide=True),
    column("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)
_ROLE: Columns = (NAME, column("Created At", at("metadata", "creationTimestamp")))
_WEBHOOKS: Columns = (NAME, column("Webhooks", lambda o: len(sequence(o.get("webhooks")))), AGE)

COLUMNS: dict[str, Columns] = {
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "ValidatingWebhookConfiguration": _WEBHOOKS,
    "MutatingWebhookConfiguration": _WEBHOOKS,
    "ValidatingAdmissionPolicyBinding": (
        NAME,
        column("PolicyName", at("spec", "policyName")),
        column("ParamRef", lambda o: joined([text(mapping(mapping(o.get("spec")).get("paramRef")).get("name"))], "")),
        AGE,
    ),
}
