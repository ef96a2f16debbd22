"""X.509: a certificate authority of the embedded cluster, certificates it issues, and self-signed ones.

Hosts and the time come in, PEM texts go out; the authority's own files are written with mode 0600.
Called by ``run`` for the controllers' ``IssueCertificate`` and for stand-ins without a Secret.
Profile: RFC 5280 (extensions), RFC 9525 (names only in the SAN); keys are EC P-256, serials random.
Private keys appear in no repr and no error message.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from switchboard.base.errors import MachineError, UsageError

BACKDATED = timedelta(minutes=5)  # clocks of clients may be a little behind
CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=90)
CLIENT_LIFETIME = timedelta(days=365)
CERTIFICATE_FILE = "ca.crt"
KEY_FILE = "ca.key"

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\Z")
_LONGEST_COMMON_NAME = 64  # X.520's bound


class KeyPair(NamedTuple):
    """A certificate chain, leaf first, and the leaf's private key, both PEM."""

    chain: str
    key: str

    def __repr__(self) -> str:
        """Without the key: it must never reach a log."""
        return f"KeyPair(chain=<{self.chain.count('BEGIN CERTIFICATE')} certificates>, key=<hidden>)"


class CertificateAuthority:
    """Signs certificates; make one with ``create`` or ``load``."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    def __repr__(self) -> str:
        return f"CertificateAuthority({self._certificate.subject.rfc4514_string()!r})"

    @property
    def certificate(self) -> str:
        """The authority's own certificate, PEM: what clients trust."""
        return _pem(self._certificate)

    @classmethod
    def create(cls, common_name: str, now: datetime, lifetime: timedelta = CA_LIFETIME) -> CertificateAuthority:
        """A new authority that may sign leaves only (path length 0); ``now`` is aware of its zone."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name)
        builder = (
            _builder(name, name, key, now, lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, directory: Path) -> CertificateAuthority:
        """The authority that ``save`` wrote; raises MachineError when the files are missing, broken or unrelated."""
        try:
            certificate = x509.load_pem_x509_certificate((directory / CERTIFICATE_FILE).read_bytes())
            key = serialization.load_pem_private_key((directory / KEY_FILE).read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(directory, "cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise _unusable(directory, "do not belong together")
        return cls(certificate, key)

    def save(self, directory: Path) -> None:
        """Writes both files with mode 0600; each is replaced at once, so that a crash leaves no half of one."""
        _write(directory / KEY_FILE, _key_pem(self._key))
        _write(directory / CERTIFICATE_FILE, self.certificate)

    def issue(self, hosts: Sequence[str], now: datetime, lifetime: timedelta = LIFETIME) -> KeyPair:
        """A server certificate for DNS names, ``*.`` wildcards and addresses; raises UsageError for other texts.

        It never outlives the authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id.value)
        left = self._certificate.not_valid_after_utc - now
        if left <= timedelta():
            hint = f"Remove {CERTIFICATE_FILE} and {KEY_FILE} of the embedded cluster, and a new one is made."
            raise MachineError("certificate-authority-expired", "The certificate authority has expired.", hint=hint)
        lifetime = min(lifetime, left)
        builder = _leaf(hosts, self._certificate.subject, key, now, lifetime).add_extension(authority, critical=False)
        leaf = builder.sign(self._key, hashes.SHA256())
        return KeyPair(_pem(leaf) + self.certificate, _key_pem(key))


    def issue_client(
        self, common_name: str, organizations: Sequence[str], now: datetime, lifetime: timedelta = CLIENT_LIFETIME
    ) -> KeyPair:
        """A client certificate: the common name is the user, the organizations are his groups."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        lifetime = min(lifetime, self._certificate.not_valid_after_utc - now)
        builder = (
            _builder(subject, self._certificate.subject, key, now, lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id.value), critical=False
            )
        )
        return KeyPair(_pem(builder.sign(self._key, hashes.SHA256())) + self.certificate, _key_pem(key))


def self_signed(hosts: Sequence[str], now: datetime, lifetime: timedelta = LIFETIME) -> KeyPair:
    """A server certificate that only itself vouches for; raises UsageError for texts that are no hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(hosts, None, key, now, lifetime)
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def _leaf(
    hosts: Sequence[str],
    issuer: x509.Name | None,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    names = [_general_name(host) for host in dict.fromkeys(host.lower() for host in hosts)]
    if not names:
        raise UsageError("certificate-without-host", "A certificate needs at least one host.")
    subject = _name(next((host for host in hosts if len(host) <= _LONGEST_COMMON_NAME), ""))
    empty = not len(list(subject))
    return (
        _builder(subject, issuer or subject, key, now, lifetime)
        # With an empty subject the names are all there is, so clients must heed them (RFC 5280 4.2.1.6).
        .add_extension(x509.SubjectAlternativeName(names), critical=empty)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if len(host) > 253 or not _DNS_NAME.match(host):
        hint = "Hosts are DNS names (a wildcard for the first label is allowed) or IP addresses."
        raise UsageError("certificate-host", f"{host!r} is no host that a certificate can name.", hint=hint)
    return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    private = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()).decode("ascii")


def _unusable(directory: Path, what: str) -> MachineError:
    return MachineError(
        "certificate-authority-unusable",
        f"The certificate authority's files {what}.",
        context=str(directory),
        hint=f"Remove {CERTIFICATE_FILE} and {KEY_FILE} there, and a new one is made.",
    )


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
