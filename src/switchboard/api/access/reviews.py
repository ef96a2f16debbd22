"""Questions about access: may I, may he, what may I, who am I, whose token is this.

In: the body of a review and who asks.  Out: the review with its status.
Called by the router for the resources that store nothing.
Specification: authorization.k8s.io/v1 and authentication.k8s.io/v1.
"""

from __future__ import annotations

from typing import Any

from switchboard.api.access.identity import AUTHENTICATED, TokenReader, User, with_group
from switchboard.api.access.rbac import Authorizer, Rule
from switchboard.api.errors import Cause, Invalid
from switchboard.api.server.request import Target
from switchboard.k8s import names, objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, mapping, sequence, text


class Reviewer:
    """Answers reviews.

    Args:
        authorizer: decides.
        readers: what knows tokens, in order.
    """

    def __init__(self, authorizer: Authorizer, readers: tuple[TokenReader, ...]) -> None:
        self._authorizer = authorizer
        self._readers = readers

    def answer(self, kind: Kind, obj: Object, user: User, namespace: str) -> Object:
        """The review with its status; raises ``Invalid``."""
        spec = mapping(obj.get("spec"))
        if kind.kind == "SelfSubjectReview":
            return _reviewed(kind, obj, {"userInfo": user_info(user)}, spec=False)
        if kind.kind == "TokenReview":
            return _reviewed(kind, obj, self._token(kind, spec))
        if kind.kind == "SelfSubjectRulesReview":
            return _reviewed(kind, obj, self._rules(kind, user, spec))
        if kind.kind != "SelfSubjectAccessReview":
            user = _subject(kind, spec)
        self._check(kind, spec, namespace)
        decision = self._authorizer.decide(user, _asked(spec))
        status: dict[str, Any] = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return _reviewed(kind, obj, status)

    def _check(self, kind: Kind, spec: dict[str, Any], namespace: str) -> None:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if resource and path:
            why = "cannot be specified in combination with resourceAttributes"
            raise _refused(kind, [Cause("FieldValueInvalid", f"Invalid value: {why}", "spec.nonResourceAttributes")])
        if not resource and not path:
            why = "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise _refused(kind, [Cause("FieldValueInvalid", why, "spec.resourceAttributes")])
        if kind.namespaced and mapping(resource).get("namespace") != namespace:
            why = "Invalid value: must match the namespace of the review"
            raise _refused(kind, [Cause("FieldValueInvalid", why, "spec.resourceAttributes.namespace")])

    def _token(self, kind: Kind, spec: dict[str, Any]) -> dict[str, Any]:
        token = text(spec.get("token"))
        if not token:
            raise _refused(kind, [Cause("FieldValueRequired", "Required value: must not be empty", "spec.token")])
        for reader in self._readers:
            found = reader(token)
            if found is not None:
                return {"authenticated": True, "user": user_info(with_group(found, AUTHENTICATED))}
        return {"user": {}, "error": "invalid bearer token"}

    def _rules(self, kind: Kind, user: User, spec: dict[str, Any]) -> dict[str, Any]:
        namespace = text(spec.get("namespace"))
        if not namespace:
            raise _refused(kind, [Cause("FieldValueRequired", "Required value: no namespace on request", "namespace")])
        rules = self._authorizer.rules(user, namespace)
        return {
            "resourceRules": [_only(r, "verbs", "apiGroups", "resources", "resourceNames")
                              for r in rules if r.get("resources")],
            "nonResourceRules": [_only(r, "verbs", "nonResourceURLs") for r in rules if r.get("nonResourceURLs")],
            "incomplete": False,
        }  # fmt: skip


def _only(rule: Rule, *fields: str) -> Rule:
    return {field: rule[field] for field in fields if rule.get(field)}


def user_info(user: User) -> dict[str, Any]:
    """The ``UserInfo`` of a user."""
    found: dict[str, Any] = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {k: list(v) for k, v in user.extra.items()}
    return found


def _reviewed(kind: Kind, obj: Object, status: dict[str, Any], *, spec: bool = True) -> Object:
    meta = {k: v for k, v in objects.metadata(obj).items() if v}
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": meta,
        **({"spec": mapping(obj.get("spec"))} if spec else {}),
        "status": status,
    }


def _subject(kind: Kind, spec: dict[str, Any]) -> User:
    groups = tuple(text(g) for g in sequence(spec.get("groups")))
    if not spec.get("user") and not groups:
        why = "Invalid value: at least one of user or group must be specified"
        raise _refused(kind, [Cause("FieldValueInvalid", why, "spec.user")])
    return User(text(spec.get("user")), groups, text(spec.get("uid")))


def _asked(spec: dict[str, Any]) -> Target:
    if spec.get("nonResourceAttributes"):
        found = mapping(spec["nonResourceAttributes"])
        return Target(verb=text(found.get("verb")), path=text(found.get("path")))
    found = mapping(spec.get("resourceAttributes"))
    return Target(
        verb=text(found.get("verb")),
        path="",
        group=text(found.get("group")),
        version=text(found.get("version")),
        resource=text(found.get("resource")) or "*",
        subresource=text(found.get("subresource")),
        namespace=text(found.get("namespace")),
        name=text(found.get("name")),
    )


def _refused(kind: Kind, causes: list[Cause]) -> Invalid:
    told = ", ".join(f"{c.field}: {c.message}" for c in causes)
    message = f'{kind.kind}.{kind.group} "" is invalid: {told}'
    return Invalid(message, group=kind.group or names.CORE, resource=kind.kind, causes=causes)
