"""Nobody may grant what he does not have: the checks of roles and bindings before they are written.

In: the user, the role or binding as it would be stored, and as it is.  Out: nothing, or ``Forbidden``.
Called by the writes of the RBAC kinds.
Specification: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

import msgspec

from switchboard.api import errors
from switchboard.api.access.identity import User
from switchboard.api.access.rbac import Authorizer, Rule, covers
from switchboard.api.server.request import Target
from switchboard.api.store import kind_named
from switchboard.k8s import names, objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, mapping, sequence, text

ROLES = ("Role", "ClusterRole")
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def check(authorizer: Authorizer, user: User, kind: Kind, new: Object, old: Object | None) -> None:
    """Raises ``Forbidden`` when the write would grant more than the user has."""
    if kind.group != names.RBAC or kind.kind not in (*ROLES, *BINDINGS):
        return
    if old is not None and _same(new, old):
        return
    where = Target(
        verb="escalate",
        path="",
        group=names.RBAC,
        resource=kind.plural,
        namespace=objects.namespace(new),
        name=objects.name(new),
    )
    if kind.kind in ROLES:
        if not authorizer.decide(user, where).allowed:
            _check_rules(authorizer, user, kind, new, [r for r in sequence(new.get("rules")) if isinstance(r, dict)])
        return
    _check_binding(authorizer, user, kind, new, where)


def _check_binding(authorizer: Authorizer, user: User, kind: Kind, new: Object, where: Target) -> None:
    reference = mapping(new.get("roleRef"))
    role_kind, role_name = text(reference.get("kind")), text(reference.get("name"))
    if role_kind not in ROLES:
        return
    bound = kind_named(role_kind)
    namespace = objects.namespace(new) if role_kind == "Role" else where.namespace
    wanted = msgspec.structs.replace(where, verb="bind", resource=bound.plural, namespace=namespace, name=role_name)
    if authorizer.decide(user, wanted).allowed:
        return
    rules = authorizer.rules_of(role_kind, objects.namespace(new), role_name)
    if rules is None:
        raise errors.not_found(kind, role_name)
    _check_rules(authorizer, user, kind, new, list(rules))


def _same(new: Object, old: Object) -> bool:
    """Whether nothing but what the garbage collector writes differs."""

    def essence(obj: Object) -> Object:
        ignored = ("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation")
        meta = {k: v for k, v in objects.metadata(obj).items() if k not in ignored and v not in ({}, [])}
        return {**{k: v for k, v in obj.items() if v not in ([], None)}, "metadata": meta}

    return essence(new) == essence(old)


def _check_rules(authorizer: Authorizer, user: User, kind: Kind, new: Object, rules: list[Rule]) -> None:
    own = authorizer.rules(user, objects.namespace(new))
    missing = [rule for rule in rules if not all(_covered(own, part) for part in _parts(rule))]
    if missing:
        groups = " ".join(f'"{g}"' for g in user.groups)
        told = ", ".join(_shown(rule) for rule in missing)
        why = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
            f"not currently held:\n{told}"
        )
        raise errors.forbidden(kind, objects.name(new), why)


def _shown(rule: Rule) -> str:
    fields = (("APIGroups", "apiGroups"), ("Resources", "resources"), ("NonResourceURLs", "nonResourceURLs"),
              ("ResourceNames", "resourceNames"), ("Verbs", "verbs"))  # fmt: skip
    told = [f"{name}:{sequence(rule.get(field))}" for name, field in fields if rule.get(field)]
    return "{" + ", ".join(told) + "}"


def _parts(rule: Rule) -> list[Target]:
    """Every single thing that a rule allows."""
    found = []
    for verb in sequence(rule.get("verbs")):
        for url in sequence(rule.get("nonResourceURLs")):
            found.append(Target(verb=verb, path=url))
        for group in sequence(rule.get("apiGroups")):
            for resource in sequence(rule.get("resources")):
                plural, _, subresource = text(resource).partition("/")
                for name in sequence(rule.get("resourceNames")) or [""]:
                    found.append(
                        Target(verb=verb, path="", group=group, resource=plural, subresource=subresource, name=name)
                    )
    return found


def _covered(own: list[Rule], part: Target) -> bool:
    """A wildcard is held only by who has the wildcard itself, so it is compared like any other word."""
    return any(covers(rule, part) for rule in own)
