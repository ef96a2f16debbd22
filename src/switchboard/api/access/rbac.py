"""RBAC: what a user may do, by the roles and bindings in the store.

In: a user and what is asked for.  Out: allowed or not, with the reason as Kubernetes words it; rules of a user.
Called by the router for every request, by the reviews and by the check against escalation.
Specification: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
Roles are read once and again after a change of one of them, since every request asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from switchboard.api import selectors
from switchboard.api.access.identity import MASTERS, User, account_of
from switchboard.api.errors import Expired, Forbidden
from switchboard.api.server.request import Target
from switchboard.api.store import Store
from switchboard.k8s import names, objects
from switchboard.k8s.objects import mapping, sequence, text

KINDS: Final = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
Rule = dict[str, Any]


class Decision(msgspec.Struct, frozen=True):
    """Whether a request is allowed, and what is worth telling about it."""

    allowed: bool
    reason: str = ""


class Binding(msgspec.Struct, frozen=True):
    """A binding as evaluation needs it; ``namespace`` is empty for cluster-wide ones."""

    name: str
    namespace: str
    role: tuple[str, str, str]
    subjects: tuple[Any, ...]


class Authorizer:
    """Evaluates the roles of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1
        self._roles: dict[tuple[str, str, str], tuple[Rule, ...]] = {}
        self._bindings: list[Binding] = []

    def decide(self, user: User, target: Target) -> Decision:
        """Whether the user may do it."""
        if MASTERS in user.groups:
            return Decision(True)
        missing: list[str] = []
        for binding, rules in self._granted(user, target.namespace, missing):
            if any(covers(rule, target) for rule in rules):
                kind = "RoleBinding" if binding.namespace else "ClusterRoleBinding"
                role = f'{binding.role[0]} "{binding.role[2]}"'
                where = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
                return Decision(True, f'RBAC: allowed by {kind} "{where}" of {role} to {user.name}')
        return Decision(False, f"RBAC: {', '.join(missing)}" if missing else "")

    def check(self, user: User, target: Target) -> None:
        """Raises ``Forbidden`` when the user may not do it."""
        decision = self.decide(user, target)
        if not decision.allowed:
            raise forbidden(user, target, decision.reason)

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """All rules that apply to a user in a namespace (or cluster-wide when it is empty)."""
        if MASTERS in user.groups:
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
        return [rule for _, rules in self._granted(user, namespace, []) for rule in rules]

    def rules_of(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a role with what it aggregates, None when there is no such role."""
        self._refresh()
        return self._roles.get((kind, "" if kind == "ClusterRole" else namespace, name))

    def _granted(self, user: User, namespace: str, missing: list[str]) -> Iterator[tuple[Binding, tuple[Rule, ...]]]:
        self._refresh()
        for binding in self._bindings:
            if binding.namespace and binding.namespace != namespace:
                continue
            if not any(_means(subject, user, binding.namespace) for subject in binding.subjects):
                continue
            rules = self._roles.get(binding.role)
            if rules is None:
                missing.append(f'{binding.role[0].lower()}.{names.RBAC} "{binding.role[2]}" not found')
            else:
                yield binding, rules

    def _refresh(self) -> None:
        now = self._store.settled_version
        if self._seen == now:
            return
        try:
            stale = self._seen < 0 or self._seen > now or bool(self._store.events(self._seen, KINDS))
        except Expired:
            stale = True
        if stale:
            self._read()
        self._seen = now

    def _read(self) -> None:
        cluster = self._store.list("ClusterRole")[0]
        self._roles = {("ClusterRole", "", objects.name(r)): _aggregated(r, cluster) for r in cluster}
        for role in self._store.list("Role")[0]:
            self._roles[("Role", objects.namespace(role), objects.name(role))] = _rules(role)
        self._bindings = [
            Binding(objects.name(b), objects.namespace(b), _referred(b), tuple(sequence(b.get("subjects"))))
            for kind in ("ClusterRoleBinding", "RoleBinding")
            for b in self._store.list(kind)[0]
        ]


def _rules(role: objects.Object) -> tuple[Rule, ...]:
    return tuple(r for r in sequence(role.get("rules")) if isinstance(r, dict))


def _aggregated(role: objects.Object, cluster: list[objects.Object]) -> tuple[Rule, ...]:
    """The role's rules and those of the roles that its aggregation selects, each once."""
    found = list(_rules(role))
    for selector in sequence(mapping(role.get("aggregationRule")).get("clusterRoleSelectors")):
        wanted = selectors.from_object(selector)
        for other in cluster:
            if other is not role and wanted is not None and selectors.matches(wanted, objects.labels(other)):
                found += [rule for rule in _rules(other) if rule not in found]
    return tuple(found)


def _referred(binding: objects.Object) -> tuple[str, str, str]:
    reference = mapping(binding.get("roleRef"))
    kind = text(reference.get("kind"))
    return (kind, "" if kind == "ClusterRole" else objects.namespace(binding), text(reference.get("name")))


def _means(subject: Any, user: User, namespace: str) -> bool:
    wanted = mapping(subject)
    name = wanted.get("name")
    if wanted.get("kind") == "User":
        return bool(name == user.name)
    if wanted.get("kind") == "Group":
        return name in user.groups
    if wanted.get("kind") == "ServiceAccount":
        return account_of(user) == (wanted.get("namespace") or namespace, name)
    return False


def covers(rule: Rule, target: Target) -> bool:
    """Whether one rule allows what is asked."""
    if not _has(rule.get("verbs"), target.verb):
        return False
    if not target.resource:
        return any(
            url == "*" or url == target.path or (str(url).endswith("*") and target.path.startswith(str(url)[:-1]))
            for url in sequence(rule.get("nonResourceURLs"))
        )
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    resources = sequence(rule.get("resources"))
    any_of_them = f"*/{target.subresource}" if target.subresource else "*"
    if not {"*", resource, any_of_them} & {r for r in resources if isinstance(r, str)}:
        return False
    named = sequence(rule.get("resourceNames"))
    return _has(rule.get("apiGroups"), target.group) and (not named or target.name in named)


def _has(values: object, wanted: str) -> bool:
    found = sequence(values)
    return "*" in found or wanted in found


def forbidden(user: User, target: Target, reason: str = "") -> Forbidden:
    """The refusal as kube-apiserver words it."""
    more = f": {reason}" if reason else ""
    if not target.resource:
        return Forbidden(f'forbidden: User "{user.name}" cannot {target.verb} path "{target.path}"{more}')
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    full = f"{target.resource}.{target.group}" if target.group else target.resource
    named = f'{full} "{target.name}"' if target.name else full
    return Forbidden(
        f'{named} is forbidden: User "{user.name}" cannot {target.verb} resource "{resource}" '
        f'in API group "{target.group}" {where}{more}',
        group=target.group,
        resource=target.resource,
        name=target.name,
    )
