"""Carries out ``IssueCertificate``: the cluster's own authority signs, the result is a TLS Secret.

Called by the controller loop as the handler of that effect.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import datetime

from switchboard.api.store import Store
from switchboard.apply.certificates import CertificateAuthority
from switchboard.controllers._contract import Create, IssueCertificate, Operation, Update
from switchboard.k8s import names, objects


class Issuer:
    """Signs with ``authority``; a Secret of that name that this issuer made is renewed in place."""

    def __init__(self, authority: CertificateAuthority, store: Store, clock: Callable[[], datetime]) -> None:
        self._authority = authority
        self._store = store
        self._clock = clock

    def __call__(self, wanted: IssueCertificate) -> Iterable[Operation]:
        """The write that puts a new certificate in place."""
        chain, key = self._authority.issue(wanted.hosts, self._clock())
        data = {"tls.crt": chain, "tls.key": key, "ca.crt": self._authority.certificate}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": wanted.secret,
                "namespace": wanted.namespace,
                "annotations": {names.CLUSTER_ISSUER: names.CLUSTER_ISSUER_NAME},
                "ownerReferences": [dict(wanted.owner)] if wanted.owner else [],
            },
            "type": names.TLS_SECRET_TYPE,
            "data": {name: b64encode(text.encode()).decode() for name, text in data.items()},
        }
        present = self._store.find("Secret", wanted.namespace, wanted.secret)
        if present is None:
            return (Create(secret),)
        if objects.annotations(present).get(names.CLUSTER_ISSUER) != names.CLUSTER_ISSUER_NAME:
            return ()  # somebody has put a Secret of their own there in the meantime
        return (Update({**present, "data": secret["data"], "type": secret["type"]}),)
