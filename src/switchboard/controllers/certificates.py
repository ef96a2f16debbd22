"""Certificates for Ingresses that ask for one: what cert-manager's ingress-shim does, with the cluster's own issuer.

In: Ingresses and Secrets; the loop's setting ``certificate-issuers`` (names that mean our issuer, ``*`` for any;
``switchboard-ca`` when absent).  Out: ``IssueCertificate`` for Secrets that are missing, do not cover every host
or have spent two thirds of their time, and an event for the Ingress.
An Ingress asks with ``cert-manager.io/cluster-issuer``, ``cert-manager.io/issuer`` or ``kubernetes.io/tls-acme``.
Secrets without our issuer's annotation belong to somebody else and are never written.
When a certificate ends is read from the certificate itself: an annotation could say something else.
Found by file name and run by the controller loop.  Specification: https://cert-manager.io/docs/usage/ingress/
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509

from switchboard.controllers._contract import (
    NORMAL,
    Controller,
    IssueCertificate,
    Part,
    Plan,
    RecordEvent,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.view.build.certificates import covers

ISSUERS = "certificate-issuers"
SOONEST = timedelta(minutes=10)  # after its beginning; an issuer near its own end gives ever shorter certificates


def _secret_names(ingress: Object) -> Iterable[Key]:
    sections = (mapping(section) for section in sequence(objects.spec(ingress).get("tls")))
    used = {text(section.get("secretName")) for section in sections}
    return [(objects.namespace(ingress), name) for name in sorted(used) if name]


USERS = Index("tls-secret", "Ingress", _secret_names)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Looks at each Secret that an Ingress names, because several Ingresses may share one."""
    keys = set(dirty(snapshot, "Secret", {"Ingress": lambda _, ingress: _secret_names(ingress)}))
    if snapshot.changed is None:
        keys.update(key for ingress in snapshot.all("Ingress").values() for key in _secret_names(ingress))
    return each("Secret", sorted(keys), lambda key: _reconcile_one(snapshot, key, now))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = ("Secret", *key)
    issuers = frozenset(snapshot.settings.get(ISSUERS, (names.CLUSTER_ISSUER_NAME,)))
    asking = [ingress for ingress in snapshot.indexed(USERS, key) if _asks(ingress, issuers)]
    hosts = tuple(sorted({host for ingress in asking for host in _hosts(ingress, key[1])}))
    secret = snapshot.get("Secret", *key)
    if not hosts or (secret is not None and (objects.deleting(secret) or not _ours(secret))):
        return Part(identity)
    renewal = None if secret is None else _renewal(secret, hosts)
    if renewal is not None and renewal > now:
        return Part(identity, requeue_after=(renewal - now).total_seconds())
    # The oldest Ingress owns the Secret, so that the owner does not change when another one joins.
    oldest = min(asking, key=lambda i: (text(objects.metadata(i).get("creationTimestamp")), objects.name(i)))
    told = f"Issued a certificate for {', '.join(hosts)} into Secret {key[1]}"
    return Part(
        identity,
        (
            IssueCertificate(key[0], key[1], hosts, objects.owner_reference(oldest)),
            *(RecordEvent(ingress, NORMAL, "CertificateIssued", told) for ingress in asking),
        ),
    )


def _asks(ingress: Object, issuers: frozenset[str]) -> bool:
    """Whether our issuer is meant; a named issuer decides, ``tls-acme`` only asks the default one."""
    if objects.deleting(ingress):
        return False
    annotations = objects.annotations(ingress)
    named = text(annotations.get(names.CLUSTER_ISSUER)) or text(annotations.get(names.ISSUER))
    if named:
        return named in issuers or "*" in issuers
    return text(annotations.get(names.TLS_ACME)) == "true"


def _hosts(ingress: Object, secret: str) -> Iterable[str]:
    """Hosts of the sections that name the Secret; a section without hosts means those of the rules."""
    spec = objects.spec(ingress)
    rules = [text(mapping(rule).get("host")) for rule in sequence(spec.get("rules"))]
    for section in map(mapping, sequence(spec.get("tls"))):
        if section.get("secretName") == secret:
            listed = [text(host) for host in sequence(section.get("hosts"))]
            yield from (host.lower() for host in listed or rules if host)


def _ours(secret: Object) -> bool:
    return objects.annotations(secret).get(names.CLUSTER_ISSUER) == names.CLUSTER_ISSUER_NAME


def _renewal(secret: Object, hosts: Iterable[str]) -> datetime | None:
    """When the certificate is to be renewed; None when it is of no use for these hosts."""
    data = mapping(secret.get("data"))
    try:
        leaf = x509.load_pem_x509_certificates(base64.b64decode(text(data.get("tls.crt"))))[0]
        certified = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    known = [
        *certified.get_values_for_type(x509.DNSName),
        *map(str, certified.get_values_for_type(x509.IPAddress)),
    ]
    if not data.get("tls.key") or not all(covers(known, host) for host in hosts):
        return None
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return max(leaf.not_valid_before_utc + lifetime * 2 / 3, leaf.not_valid_before_utc + SOONEST)


CONTROLLER = Controller(
    name="certificates-controller",
    reads=frozenset({"Ingress", "Secret"}),
    writes=frozenset({"Secret"}),
    reconcile=reconcile,
)
