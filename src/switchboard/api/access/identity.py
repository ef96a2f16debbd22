"""Who asks: users with groups, made from tokens, certificates and impersonation.

In: facts of a request, and what verifies tokens.  Out: a ``User``, or ``Unauthorized``.
Called by the router before anything else is looked at.
Specification: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from switchboard.api.errors import BadRequest, Unauthorized
from switchboard.api.server.request import Certificate, Request

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
ANONYMOUS: Final = "system:anonymous"
SERVICE_ACCOUNT: Final = "system:serviceaccount:"
SERVICE_ACCOUNTS: Final = "system:serviceaccounts"
_EXTRA: Final = "impersonate-extra-"


class User(msgspec.Struct, frozen=True):
    """Who asks; ``extra`` are further facts (the Pod a token is bound to)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = {}


NOBODY: Final = User(ANONYMOUS, (UNAUTHENTICATED,))
# What a token says about its bearer, None for one that is not ours or no longer good.
TokenReader = Callable[[str], User | None]


class StaticTokens:
    """Tokens given at the start; comparison takes the same time wherever they differ."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = [(token.encode(), user) for token, user in users.items() if token]

    def __repr__(self) -> str:
        return f"StaticTokens({len(self._users)} tokens)"

    def __call__(self, token: str) -> User | None:
        """The user of a token."""
        found = None
        asked = token.encode()
        for known, user in self._users:
            if hmac.compare_digest(known, asked):
                found = user
        return found


def authenticate(request: Request, readers: tuple[TokenReader, ...]) -> User:
    """The user of a request, anonymous without credentials; raises ``Unauthorized`` for credentials that are bad."""
    sent = request.header("authorization")
    scheme, _, token = sent.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        for reader in readers:
            found = reader(token.strip())
            if found is not None:
                return with_group(found, AUTHENTICATED)
        raise Unauthorized("Unauthorized")
    if request.certificate is not None:
        return with_group(_of_certificate(request.certificate), AUTHENTICATED)
    return NOBODY


def with_group(user: User, group: str) -> User:
    """The user as a member of one more group."""
    if group in user.groups:
        return user
    return msgspec.structs.replace(user, groups=(*user.groups, group))


def _of_certificate(certificate: Certificate) -> User:
    return User(certificate.common_name, certificate.organizations)


def service_account(
    namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    """The user that a ServiceAccount is."""
    groups = (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}")
    return User(f"{SERVICE_ACCOUNT}{namespace}:{name}", groups, uid, extra or {})


def account_of(user: User) -> tuple[str, str] | None:
    """Namespace and name of the ServiceAccount that a user is."""
    if not user.name.startswith(SERVICE_ACCOUNT):
        return None
    namespace, _, name = user.name.removeprefix(SERVICE_ACCOUNT).partition(":")
    return (namespace, name) if namespace and name else None


def impersonated(request: Request) -> User | None:
    """The user that a request wants to be, None when it wants to be nobody else."""
    name, uid = request.header("impersonate-user"), request.header("impersonate-uid")
    groups = tuple(v for k, v in request.headers if k == "impersonate-group")
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in request.headers:
        if key.startswith(_EXTRA):
            field = unquote(key.removeprefix(_EXTRA))
            extra[field] = (*extra.get(field, ()), value)
    if not name:
        if groups or extra or uid:
            raise BadRequest("requested other attributes to impersonate, but no user")
        return None
    user = User(name, groups, uid, extra)
    account = account_of(user)
    if account and not groups:
        user = service_account(*account, uid, extra)
    if name == ANONYMOUS:
        return with_group(user, UNAUTHENTICATED) if not groups else user
    return user if UNAUTHENTICATED in user.groups else with_group(user, AUTHENTICATED)
