"""TLS sections of Ingresses as certificates, taken from Secrets and checked.

In: Ingresses of ours, oldest first, and Secret objects.  Out: frozen ``Certificate``s, and findings without keys.
Called by ``view.build.routes``.  A host whose Secret is missing or unusable keeps the gateway's default certificate.
Specification: networking.k8s.io/v1 IngressTLS; Secrets of type kubernetes.io/tls; RFC 6125 for names.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import names
from switchboard.k8s.objects import Object, mapping, metadata, text
from switchboard.view.build.ingresses import IngressFacts
from switchboard.view.route import Certificate

Secrets = Mapping[str, Object]


class _KeyPair(msgspec.Struct, frozen=True):
    """What a Secret holds: PEM texts and the names that its certificate covers, or why it is unusable."""

    chain: str = ""
    key: str = msgspec.field(default="")
    names: tuple[str, ...] = ()
    problem: str = ""

    def __repr__(self) -> str:
        return f"_KeyPair(names={self.names!r}, problem={self.problem!r})"


def index(objects: Iterable[Object]) -> dict[str, Object]:
    """Secrets by ``namespace/name``."""
    return {
        f"{text(metadata(o).get('namespace')) or names.DEFAULT_NAMESPACE}/{text(metadata(o).get('name'))}": o
        for o in objects
        if isinstance(o, dict)
    }


def certificates(
    ingress: IngressFacts,
    rule_hosts: Sequence[str],
    secrets: Secrets,
    taken: dict[str, str],
    findings: list[Finding],
) -> list[Certificate]:
    """The certificates of one Ingress.

    ``taken`` maps a host to the Secret that already serves it (an older Ingress won) and is added to.
    """
    made: list[Certificate] = []
    for number, (hosts, name) in enumerate(ingress.tls):
        field, secret = f"spec.tls[{number}]", f"{ingress.namespace}/{name}" if name else ""
        pair = _read(secrets.get(secret)) if secret else _KeyPair()
        if pair.problem:
            message = f"Secret {secret} {pair.problem}; the default certificate is served"
            findings.append(_finding(ingress, "secret-unusable", message, f"{field}.secretName"))
        wanted = hosts or tuple(h for h in dict.fromkeys(rule_hosts) if h and covers(pair.names, h))
        free = tuple(h for h in dict.fromkeys(wanted) if h not in taken)
        for host in wanted:
            if taken.setdefault(host, secret) != secret:
                older = taken[host] or "(default)"
                message = f"{host} already has the certificate of Secret {older}, from an older Ingress"
                findings.append(_finding(ingress, "tls-host-taken", message, f"{field}.hosts"))
        good = tuple(h for h in free if pair.chain and covers(pair.names, h))
        bad = tuple(h for h in free if h not in good)
        if pair.chain and bad:
            message = f"the certificate in Secret {secret} does not cover {', '.join(bad)}; the default one is served"
            findings.append(_finding(ingress, "certificate-not-for-host", message, f"{field}.hosts"))
        if good:
            made.append(Certificate(owner=ingress.owner, secret=secret, hosts=good, chain=pair.chain, key=pair.key))
        if bad:
            made.append(Certificate(owner=ingress.owner, secret=secret, hosts=bad))
    return made


def covers(certified: Iterable[str], host: str) -> bool:
    """Whether one of the names of a certificate is ``host`` or a wildcard for it; a wildcard host needs itself."""
    _, dot, parent = host.partition(".")
    accepted = {host, f"*.{parent}"} if dot and not host.startswith("*.") else {host}
    return any(name.lower() in accepted for name in certified)


def _read(secret: Object | None) -> _KeyPair:
    if secret is None:
        return _KeyPair(problem="does not exist")
    try:
        chain, key = _entry(secret, "tls.crt"), _entry(secret, "tls.key")
    except (binascii.Error, ValueError):
        return _KeyPair(problem="holds data that is not base64")
    if not chain or not key:
        return _KeyPair(problem="lacks tls.crt or tls.key")
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, TypeError):
        return _KeyPair(problem="holds a tls.crt that is no PEM certificate")
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, binascii.Error):
        return _KeyPair(problem="holds a tls.key that is no PEM private key without password")
    except Exception as error:  # noqa: BLE001 — the library has an exception of its own for exotic keys
        return _KeyPair(problem=f"holds a tls.key of an unknown kind ({type(error).__name__})")
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        return _KeyPair(problem="holds a key that does not belong to its certificate")
    return _KeyPair(chain.decode(), key.decode(), _names(leaf))


def _entry(secret: Object, name: str) -> bytes:
    plain = mapping(secret.get("stringData")).get(name)
    if isinstance(plain, str):
        return plain.encode()
    return base64.b64decode("".join(text(mapping(secret.get("data")).get(name)).split()), validate=True)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        # Without alternative names the common name counts, as ingress-nginx still allows.
        common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(str(c.value) for c in common)
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def _finding(ingress: IngressFacts, reference: str, message: str, field: str) -> Finding:
    return Finding(reference=reference, message=message, severity=Severity.WARNING, object=ingress.owner, field=field)
