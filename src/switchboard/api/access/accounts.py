"""Tokens of ServiceAccounts: what they claim, and whether that still holds.

In: an account and what signs claims; later a token and what verifies it.  Out: a token; the user it stands for.
Called by the ``token`` subresource and, at each request with a bearer token, by authentication.
Specification: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
A token ends with its account, and with the object that it is bound to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from switchboard.api.access.identity import User, service_account
from switchboard.api.store import Store
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

Claims = dict[str, Any]
_BOUND: Final = {"Pod": "pod", "Secret": "secret", "Node": "node"}


class AccountTokens:
    """Signs tokens and reads them.

    Args:
        store: where accounts are.
        sign: a token of claims.
        verify: the claims of a token that is genuine at a time (seconds since 1970), None otherwise.
        new_id: a new unique identifier.
    """

    def __init__(
        self,
        store: Store,
        sign: Callable[[Claims], str],
        verify: Callable[[str, float], Claims | None],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._sign = sign
        self._verify = verify
        self._new_id = new_id

    def sign(self, account: Object, audiences: Sequence[str], end: datetime, bound: Object) -> str:
        """A token for an account, bound to an object unless that is empty."""
        began = int(self._store.clock().timestamp())
        private: Claims = {
            "namespace": objects.namespace(account),
            "serviceaccount": {"name": objects.name(account), "uid": objects.uid(account)},
        }
        if bound:
            private[_BOUND[objects.kind(bound)]] = {"name": objects.name(bound), "uid": objects.uid(bound)}
        return self._sign(
            {
                "aud": list(audiences),
                "exp": int(end.timestamp()),
                "iat": began,
                "iss": names.TOKEN_ISSUER,
                "jti": self._new_id(),
                names.TOKEN_CLAIM: private,
                "nbf": began,
                "sub": service_account(objects.namespace(account), objects.name(account)).name,
            }
        )

    def user(self, token: str) -> User | None:
        """The user of a token, None when it is not ours, over, for another audience, or its objects are gone."""
        claims = self._verify(token, self._store.clock().timestamp())
        if claims is None or names.TOKEN_ISSUER not in sequence(claims.get("aud")):
            return None
        private = mapping(claims.get(names.TOKEN_CLAIM))
        namespace, named = text(private.get("namespace")), mapping(private.get("serviceaccount"))
        if not self._there("ServiceAccount", namespace, named):
            return None
        extra: dict[str, tuple[str, ...]] = {}
        for kind, field in _BOUND.items():
            bound = mapping(private.get(field))
            if bound and not self._there(kind, "" if kind == "Node" else namespace, bound):
                return None
            if bound and kind == "Pod":
                extra = {
                    names.POD_NAME_EXTRA: (text(bound.get("name")),),
                    names.POD_UID_EXTRA: (text(bound.get("uid")),),
                }
        return service_account(namespace, text(named.get("name")), text(named.get("uid")), extra)

    def _there(self, kind: str, namespace: str, reference: Claims) -> bool:
        found = self._store.find(kind, namespace, text(reference.get("name")))
        return found is not None and objects.uid(found) == reference.get("uid")
