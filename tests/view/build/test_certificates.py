"""Secrets become certificates, or findings that never hold a key."""

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from switchboard.base.findings import Finding
from switchboard.view.build.certificates import certificates, covers, index
from switchboard.view.build.ingresses import IngressFacts
from switchboard.view.route import Certificate


def pair(*names: str, common: str = "") -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])
    start = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=9))
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return chain.decode(), key.private_bytes(*form).decode()


CHAIN, KEY = pair("a.test", "*.b.test")


def secret(chain: str = CHAIN, key: str = KEY, name: str = "cert") -> dict[str, Any]:
    data = {"tls.crt": base64.b64encode(chain.encode()).decode(), "tls.key": base64.b64encode(key.encode()).decode()}
    return {"metadata": {"namespace": "ns", "name": name}, "data": data}


def made(
    *tls: tuple[tuple[str, ...], str],
    secrets: list[Any],
    hosts: tuple[str, ...] = (),
    taken: dict[str, str] | None = None,
) -> tuple[list[tuple[str, tuple[str, ...], bool]], list[Finding]]:
    """Secret, hosts and whether there is something to show."""
    facts = IngressFacts(namespace="ns", name="i", class_name="nginx", options={}, canary=False, tls=tls)
    findings: list[Finding] = []
    found = certificates(facts, hosts, index(secrets), {} if taken is None else taken, findings)
    return [(c.secret, c.hosts, bool(c.chain)) for c in found], findings


def test_a_good_secret_is_shown() -> None:
    assert made((("a.test", "x.b.test"), "cert"), secrets=[secret()]) == (
        [("ns/cert", ("a.test", "x.b.test"), True)],
        [],
    )


def test_plain_text_in_a_manifest_works_too() -> None:
    plain = {"metadata": {"namespace": "ns", "name": "cert"}, "stringData": {"tls.crt": CHAIN, "tls.key": KEY}}
    assert made((("a.test",), "cert"), secrets=[plain])[1] == []


OTHER_KEY = pair("a.test")[1]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "does not exist"),
        ([{"metadata": {"namespace": "elsewhere", "name": "cert"}}], "does not exist"),
        ([{"metadata": {"namespace": "ns", "name": "cert"}}], "lacks"),
        ([{"metadata": {"namespace": "ns", "name": "cert"}, "data": {"tls.crt": "%%%"}}], "not base64"),
        ([secret(chain="nonsense")], "no PEM certificate"),
        ([secret(key="nonsense")], "no PEM private key"),
        ([secret(key=OTHER_KEY)], "does not belong"),
    ],
)
def test_a_bad_secret_leaves_the_default_certificate(given: list[Any], why: str) -> None:
    found, (finding,) = made((("a.test",), "cert"), secrets=given)
    assert found == [("ns/cert", ("a.test",), False)]
    assert finding.reference == "secret-unusable"
    assert why in finding.message
    assert "PRIVATE" not in finding.message


def test_a_certificate_for_other_hosts_is_not_shown_to_them() -> None:
    found, (finding,) = made((("a.test", "c.test"), "cert"), secrets=[secret()])
    assert found == [("ns/cert", ("a.test",), True), ("ns/cert", ("c.test",), False)]
    assert finding.reference == "certificate-not-for-host"


def test_no_hosts_mean_the_rule_hosts_that_it_covers() -> None:
    found, _ = made(((), "cert"), secrets=[secret()], hosts=("c.test", "a.test", "", "a.test"))
    assert found == [("ns/cert", ("a.test",), True)]


def test_no_secret_means_the_default_certificate() -> None:
    assert made((("a.test",), ""), secrets=[]) == ([("", ("a.test",), False)], [])


def test_the_older_ingress_keeps_a_host() -> None:
    taken = {"a.test": "ns/older"}
    found, (finding,) = made((("a.test", "x.b.test"), "cert"), secrets=[secret()], taken=taken)
    assert found == [("ns/cert", ("x.b.test",), True)]
    assert finding.reference == "tls-host-taken"


def test_without_alternative_names_the_common_name_counts() -> None:
    assert made((("cn.test",), "cert"), secrets=[secret(*pair(common="cn.test"))])[1] == []


@pytest.mark.parametrize(
    ("name", "host", "wanted"),
    [
        ("a.test", "a.test", True),
        ("A.test", "a.test", True),
        ("*.a.test", "x.a.test", True),
        ("*.a.test", "y.x.a.test", False),
        ("*.a.test", "a.test", False),
        ("*.a.test", "*.a.test", True),
        ("x.a.test", "*.a.test", False),
        ("*.*.test", "x.y.test", False),
    ],
)
def test_names_cover_hosts(name: str, host: str, wanted: bool) -> None:
    assert covers((name,), host) is wanted


def test_keys_do_not_show() -> None:
    shown = Certificate(owner="o", secret="s", chain=CHAIN, key=KEY)
    assert "PRIVATE" not in repr(shown)
