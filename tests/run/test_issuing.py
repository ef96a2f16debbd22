"""An order for a certificate becomes a TLS Secret that belongs to its Ingress; others' Secrets stay as they are."""

from base64 import b64decode
from datetime import UTC, datetime

import pytest
from cryptography import x509

from switchboard.api.admission import KubernetesAdmission
from switchboard.api.store import Store
from switchboard.apply.certificates import CertificateAuthority
from switchboard.controllers._contract import Create, IssueCertificate, Update
from switchboard.run.issuing import Issuer

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
OWNER = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "i", "uid": "u", "controller": True}
ORDER = IssueCertificate("default", "web-tls", ("a.test", "b.test"), OWNER)


@pytest.fixture
def store() -> Store:
    numbers = iter(range(10000))
    admission = KubernetesAdmission(service_cidrs=("10.96.0.0/12",))
    made = Store(clock=lambda: NOW, uid=lambda: f"uid-{next(numbers)}", randrange=lambda n: 0, admission=admission)
    admission.start(made)
    return made


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create("Test", NOW)


@pytest.fixture
def issuer(store, authority) -> Issuer:
    return Issuer(authority, store, lambda: NOW)


def test_a_new_secret_certifies_the_hosts(issuer, authority) -> None:
    (write,) = issuer(ORDER)
    assert isinstance(write, Create)
    secret = write.object
    assert (secret["type"], secret["metadata"]["name"]) == ("kubernetes.io/tls", "web-tls")
    assert secret["metadata"]["ownerReferences"] == [OWNER]
    leaf = x509.load_pem_x509_certificates(b64decode(secret["data"]["tls.crt"]))[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test", "b.test"]
    assert leaf.issuer == x509.load_pem_x509_certificate(authority.certificate.encode()).subject
    assert b64decode(secret["data"]["ca.crt"]).decode() == authority.certificate


def test_its_own_secret_is_renewed_in_place(issuer, store) -> None:
    (first,) = issuer(ORDER)
    stored = store.create(first.object)
    (write,) = issuer(ORDER)
    assert isinstance(write, Update)
    assert write.object["metadata"]["uid"] == stored["metadata"]["uid"]
    assert write.object["data"]["tls.crt"] != stored["data"]["tls.crt"]


def test_somebody_elses_secret_is_left_alone(issuer, store) -> None:
    (first,) = issuer(ORDER)
    foreign = {**first.object, "metadata": {"name": "web-tls", "namespace": "default"}}
    store.create(foreign)
    assert list(issuer(ORDER)) == []
