"""Certificates: what browsers and TLS libraries check in them, and that keys stay hidden."""

import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from switchboard.apply.certificates import CertificateAuthority, KeyPair, self_signed
from switchboard.base.errors import MachineError, UsageError

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority():
    return CertificateAuthority.create("Switchboard test", NOW)


def leaf(pair):
    return x509.load_pem_x509_certificates(pair.chain.encode())[0]


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def verify(pair, authority, host, when):
    roots = x509.load_pem_x509_certificates(authority.certificate.encode())
    subject = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    verifier = PolicyBuilder().store(Store(roots)).time(when).build_server_verifier(subject)
    return verifier.verify(leaf(pair), x509.load_pem_x509_certificates(pair.chain.encode())[1:])


@pytest.mark.parametrize("host", ["api.example.com", "a.b.example.com", "10.0.0.7"])
def test_an_issued_certificate_verifies_for_each_of_its_hosts(authority, host):
    pair = authority.issue(["api.example.com", "*.b.example.com", "10.0.0.7"], NOW)
    assert len(verify(pair, authority, host, NOW)) == 2


@pytest.mark.parametrize("host", ["www.example.com", "x.a.b.example.com", "10.0.0.8"])
def test_it_does_not_verify_for_others(authority, host):
    pair = authority.issue(["api.example.com", "*.b.example.com", "10.0.0.7"], NOW)
    with pytest.raises(x509.verification.VerificationError):
        verify(pair, authority, host, NOW)


def test_profile_of_a_leaf(authority):
    certificate = leaf(authority.issue(["a.test"], NOW, timedelta(days=30)))
    root = x509.load_pem_x509_certificate(authority.certificate.encode())
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=30)
    assert certificate.public_key().curve.name == "secp256r1"
    assert not extension(certificate, x509.BasicConstraints).value.ca
    usage = extension(certificate, x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier == (
        extension(root, x509.SubjectKeyIdentifier).value.digest
    )
    assert extension(certificate, x509.SubjectKeyIdentifier).value.digest
    assert not extension(certificate, x509.SubjectAlternativeName).critical


def test_the_authority_signs_leaves_only(authority):
    root = x509.load_pem_x509_certificate(authority.certificate.encode())
    constraints = extension(root, x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert extension(root, x509.KeyUsage).value.key_cert_sign


def test_hosts_too_long_for_a_common_name_go_to_a_critical_san(authority):
    host = "a" * 60 + ".b" * 10
    certificate = leaf(authority.issue([host], NOW))
    names = extension(certificate, x509.SubjectAlternativeName)
    assert list(certificate.subject) == []
    assert names.critical
    assert names.value.get_values_for_type(x509.DNSName) == [host]


def test_hosts_are_named_once_in_lower_case(authority):
    names = extension(leaf(authority.issue(["A.test", "a.test"], NOW)), x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["a.test"]


def test_key_belongs_to_certificate_and_serials_differ(authority):
    one, two = authority.issue(["a.test"], NOW), authority.issue(["a.test"], NOW)
    assert load_pem_private_key(one.key.encode(), None).public_key() == leaf(one).public_key()
    assert leaf(one).serial_number != leaf(two).serial_number


@pytest.mark.parametrize(
    "host", ["", "a b", "a..b", "-a.test", "*", "a.*.test", "x" * 64 + ".test", "a\n.test", "é.test"]
)
def test_texts_that_are_no_hosts_are_refused(authority, host):
    with pytest.raises(UsageError) as error:
        authority.issue([host], NOW)
    assert error.value.reference == "certificate-host"


def test_no_hosts_are_refused():
    with pytest.raises(UsageError):
        self_signed([], NOW)


def test_a_leaf_never_outlives_the_authority():
    short = CertificateAuthority.create("short", NOW, timedelta(days=2))
    assert leaf(short.issue(["a.test"], NOW)).not_valid_after_utc <= NOW + timedelta(days=2)
    with pytest.raises(MachineError):
        short.issue(["a.test"], NOW + timedelta(days=3))


def test_self_signed_vouches_for_itself():
    certificate = leaf(self_signed(["pod.test", "::1"], NOW))
    certificate.verify_directly_issued_by(certificate)
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("::1")]


def test_save_and_load(tmp_path, authority):
    authority.save(tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crt", "ca.key"]
    loaded = CertificateAuthority.load(tmp_path)
    verify(loaded.issue(["a.test"], NOW), authority, "a.test", NOW)
    authority.save(tmp_path)  # over existing files


@pytest.mark.parametrize("broken", ["missing", "garbage", "unrelated"])
def test_unusable_files_are_one_sentence_without_the_key(tmp_path, authority, broken):
    authority.save(tmp_path)
    key = tmp_path / "ca.key"
    secret = key.read_text()
    if broken == "missing":
        key.unlink()
    elif broken == "garbage":
        key.write_text(secret[:-60])
    else:
        key.write_text(self_signed(["a.test"], NOW).key)
    with pytest.raises(MachineError) as error:
        CertificateAuthority.load(tmp_path)
    assert error.value.reference == "certificate-authority-unusable"
    assert secret.splitlines()[1] not in str(error.value)


def test_keys_are_in_no_repr(authority):
    pair = authority.issue(["a.test"], NOW)
    body = pair.key.splitlines()[1]
    assert isinstance(pair, KeyPair)
    assert body not in repr(pair)
    assert body not in str(pair)
    assert "PRIVATE" not in repr(authority)


def test_openssl_takes_the_pair(tmp_path, authority):
    pair = authority.issue(["a.test"], NOW)
    file = tmp_path / "pair.pem"
    file.write_text(pair.chain + pair.key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
