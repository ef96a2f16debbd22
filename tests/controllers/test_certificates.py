"""Certificates for Ingresses: who asks, what is issued, when it is renewed, and what is left alone."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509

from switchboard.apply.certificates import CertificateAuthority, self_signed
from switchboard.controllers._contract import IssueCertificate
from switchboard.controllers.certificates import CONTROLLER, ISSUERS
from switchboard.k8s import names

OURS = {names.CLUSTER_ISSUER: names.CLUSTER_ISSUER_NAME}


class Issuer:
    """Signs, keeps what was wanted, and writes what the product's issuer writes."""

    def __init__(self, cluster):
        self.cluster, self.wanted = cluster, []
        self.authority = CertificateAuthority.create("test", cluster.now)

    def __call__(self, wanted):
        from switchboard.run.issuing import Issuer as Product

        self.wanted.append(wanted)
        return Product(self.authority, self.cluster.store, lambda: self.cluster.now)(wanted)


@pytest.fixture
def cluster(simulated):
    return prepare(simulated)


def prepare(simulated, **settings):
    effects = {}
    made = simulated([CONTROLLER], settings=settings, effects=effects)
    made.issuer = made.loop._effects[IssueCertificate] = Issuer(made)
    return made


def ingress(cluster, name="web", annotations=OURS, tls=(("web-tls", ("a.test", "b.test")),), rules=("a.test",)):
    sections = [{"secretName": secret, **({"hosts": list(hosts)} if hosts else {})} for secret, hosts in tls]
    spec = {"tls": sections, "rules": [{"host": host} for host in rules]}
    return cluster.create("Ingress", name, annotations=dict(annotations), spec=spec)


def leaf(cluster, name="web-tls"):
    data = cluster.store.get("Secret", "default", name)["data"]
    return x509.load_pem_x509_certificates(base64.b64decode(data["tls.crt"]))[0]


def hosts(cluster, name="web-tls"):
    certified = leaf(cluster, name).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return certified.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    ("annotations", "asks"),
    [
        (OURS, True),
        ({names.ISSUER: names.CLUSTER_ISSUER_NAME}, True),
        ({names.TLS_ACME: "true"}, True),
        ({names.TLS_ACME: "false"}, False),
        ({names.CLUSTER_ISSUER: "letsencrypt"}, False),
        ({names.CLUSTER_ISSUER: "letsencrypt", names.TLS_ACME: "true"}, False),
        ({}, False),
    ],
)
def test_who_asks(cluster, annotations, asks):
    ingress(cluster, annotations=annotations)
    cluster.settle()
    assert (cluster.store.find("Secret", "default", "web-tls") is not None) is asks
    assert len(cluster.issuer.wanted) == asks


def test_the_secret(cluster):
    made = ingress(cluster)
    cluster.settle()
    secret = cluster.store.get("Secret", "default", "web-tls")
    assert secret["type"] == "kubernetes.io/tls"
    assert sorted(secret["data"]) == ["ca.crt", "tls.crt", "tls.key"]
    assert hosts(cluster) == ["a.test", "b.test"]
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Ingress", "web", made["metadata"]["uid"])
    assert [event["involvedObject"]["name"] for event in cluster.events("CertificateIssued")] == ["web"]
    assert cluster.plans()[CONTROLLER.name] == ()


def test_a_section_without_hosts_means_those_of_the_rules(cluster):
    ingress(cluster, tls=(("web-tls", ()),), rules=("c.test", "d.test"))
    cluster.settle()
    assert hosts(cluster) == ["c.test", "d.test"]


@pytest.mark.parametrize("tls", [(), (("", ("a.test",)),)])
def test_without_a_secret_name_nothing_is_issued(cluster, tls):
    ingress(cluster, tls=tls)
    cluster.settle()
    assert cluster.issuer.wanted == []


def test_a_host_more_is_a_new_certificate_and_one_less_is_not(cluster):
    ingress(cluster)
    cluster.settle()
    first = leaf(cluster).serial_number
    cluster.change("Ingress", "web", tls=[{"secretName": "web-tls", "hosts": ["a.test"]}])
    cluster.settle()
    assert leaf(cluster).serial_number == first
    cluster.change("Ingress", "web", tls=[{"secretName": "web-tls", "hosts": ["a.test", "z.test"]}])
    cluster.settle()
    assert hosts(cluster) == ["a.test", "z.test"]


def test_ingresses_that_share_a_secret_share_the_certificate_and_come_to_rest(cluster):
    ingress(cluster, "two", tls=(("web-tls", ("b.test",)),))
    cluster.settle()
    cluster.now += timedelta(seconds=5)
    ingress(cluster, "one", tls=(("web-tls", ("a.test",)),))
    cluster.settle()
    assert hosts(cluster) == ["a.test", "b.test"]
    assert [wanted.owner["name"] for wanted in cluster.issuer.wanted] == ["two", "two"]
    assert cluster.plans()[CONTROLLER.name] == ()


@pytest.mark.parametrize("host", ["*.example.test", "10.0.0.7", "A.test"])
def test_unusual_hosts_come_to_rest(cluster, host):
    ingress(cluster, tls=(("web-tls", (host,)),))
    cluster.settle()
    assert len(cluster.issuer.wanted) == 1
    assert cluster.plans()[CONTROLLER.name] == ()


def test_it_is_renewed_after_two_thirds_of_its_time(cluster):
    ingress(cluster)
    cluster.settle()
    first = leaf(cluster)
    lifetime = first.not_valid_after_utc - first.not_valid_before_utc
    cluster.now = first.not_valid_before_utc + lifetime * 2 / 3 - timedelta(seconds=1)
    cluster.settle()
    assert leaf(cluster).serial_number == first.serial_number
    cluster.wait(2)
    assert leaf(cluster).serial_number != first.serial_number
    assert cluster.plans()[CONTROLLER.name] == ()


def test_an_issuer_near_its_end_does_not_keep_the_loop_busy(cluster):
    cluster.issuer.authority = CertificateAuthority.create("test", cluster.now, timedelta(minutes=2))
    ingress(cluster)
    cluster.settle()
    assert len(cluster.issuer.wanted) == 1


def test_a_deleted_secret_comes_back(cluster):
    ingress(cluster)
    cluster.settle()
    first = leaf(cluster).serial_number
    cluster.store.delete("Secret", "default", "web-tls")
    cluster.settle()
    assert leaf(cluster).serial_number != first


def secret_of_a_user(cluster, annotations=None, text="not even PEM"):
    data = {"tls.crt": base64.b64encode(text.encode()).decode(), "tls.key": "eA=="}
    return cluster.create("Secret", "web-tls", annotations=annotations, type="kubernetes.io/tls", data=data)


@pytest.mark.parametrize("annotations", [None, {names.CLUSTER_ISSUER: "letsencrypt"}])
def test_a_secret_of_somebody_else_is_never_written(cluster, annotations):
    before = secret_of_a_user(cluster, annotations)
    ingress(cluster)
    cluster.settle()
    cluster.wait(86400 * 400)
    assert cluster.store.get("Secret", "default", "web-tls") == before
    assert cluster.issuer.wanted == []


@pytest.mark.parametrize("content", ["garbage", "other host", ""])
def test_an_unusable_certificate_of_ours_is_replaced(cluster, content):
    text = self_signed(["other.test"], cluster.now).chain if content == "other host" else content
    secret_of_a_user(cluster, OURS, text)
    ingress(cluster)
    cluster.settle()
    assert hosts(cluster) == ["a.test", "b.test"]


def test_nothing_is_issued_for_an_ingress_that_goes(cluster):
    ingress(cluster)
    found = cluster.store.get("Ingress", "default", "web")
    found["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.store.update(found)
    cluster.store.delete("Ingress", "default", "web")
    cluster.settle()
    assert cluster.issuer.wanted == []


def test_settings_name_further_issuers(simulated):
    for issuers, count in ((("letsencrypt",), 1), (("*",), 1), (("other",), 0)):
        cluster = prepare(simulated, **{ISSUERS: issuers})
        ingress(cluster, annotations={names.CLUSTER_ISSUER: "letsencrypt"})
        cluster.settle()
        assert len(cluster.issuer.wanted) == count


@pytest.mark.parametrize(
    "spec",
    [{"tls": [None, 1, {"secretName": 5}, {"secretName": "x", "hosts": [1, None]}], "rules": [None]}, {"tls": {}}],
)
def test_nonsense_in_an_ingress_does_not_raise(cluster, spec):
    cluster.create("Ingress", "web", annotations=OURS, spec=spec)
    cluster.settle()
    assert cluster.loop.findings == ()
    assert cluster.issuer.wanted == []
