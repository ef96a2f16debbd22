"""The bundled examples: payments is right, and what is wrong in the guide is found where it is."""

from pathlib import Path

import pytest

from switchboard.apply.files import read
from switchboard.k8s import objects
from switchboard.k8s.acceptance import review
from switchboard.k8s.manifests import load
from switchboard.k8s.validation.metadata import matches

EXAMPLES = Path(__file__).parents[2] / "examples"


def loaded(name):
    manifests, findings = [], []
    for file, text in read([str(EXAMPLES / name)], True, lambda: b""):
        found, wrong = load(text, Path(file).name)
        manifests += found
        findings += wrong
    return manifests, findings + review(manifests)


@pytest.fixture(scope="module")
def payments():
    return [manifest.object for manifest in loaded("payments")[0]]


def of(payments, kind, name=None):
    return [o for o in payments if objects.kind(o) == kind and name in (None, objects.name(o))]


def test_payments_is_accepted_without_a_word():
    assert loaded("payments")[1] == []


def test_every_object_of_payments_is_in_its_namespace(payments):
    assert payments[0]["kind"] == "Namespace"
    assert {objects.namespace(o) for o in payments[1:]} == {"payments"}


def test_payments_has_eighteen_pods_which_make_twenty_with_the_gateway(payments):
    assert sum(o["spec"]["replicas"] for o in of(payments, "Deployment")) == 18


def test_every_service_reaches_a_workload_and_a_port_that_it_has(payments):
    templates = [o["spec"]["template"] for o in of(payments, "Deployment")]
    for service in of(payments, "Service"):
        fitting = [
            t for t in templates if matches({"matchLabels": service["spec"]["selector"]}, t["metadata"]["labels"])
        ]
        assert fitting, objects.name(service)
        for template in fitting:
            ports = {p["name"] for c in template["spec"]["containers"] for p in c["ports"]}
            assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports


def test_every_ingress_leads_to_a_service_and_its_port(payments):
    services = {objects.name(o): {p["name"] for p in o["spec"]["ports"]} for o in of(payments, "Service")}
    for ingress in of(payments, "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            backend = path["backend"]["service"]
            assert backend["port"]["name"] in services[backend["name"]]


def test_the_canary_has_a_main_ingress_of_the_same_host_path_and_type(payments):
    main, canary = of(payments, "Ingress", "main-ingress")[0], of(payments, "Ingress", "canary-ingress")[0]
    for ingress in (main, canary):
        rule = ingress["spec"]["rules"][0]
        path = rule["http"]["paths"][0]
        assert (rule["host"], path["path"], path["pathType"]) == ("api.example.com", "/", "Prefix")
    assert objects.annotations(canary)["nginx.ingress.kubernetes.io/canary-weight"] == "10"
    assert main["spec"]["tls"][0]["secretName"] == "api-example-com-tls"


def test_no_secret_is_bundled(payments):
    assert of(payments, "Secret") == []


def test_every_pod_is_protected_and_its_port_allowed(payments):
    policies = of(payments, "NetworkPolicy")
    assert all(p["spec"]["policyTypes"] == ["Ingress"] for p in policies)
    for deployment in of(payments, "Deployment"):
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        port = template["spec"]["containers"][0]["ports"][0]["containerPort"]
        selecting = [p for p in policies if matches(p["spec"]["podSelector"], labels)]
        allowed = {q["port"] for p in selecting for rule in p["spec"].get("ingress", ()) for q in rule["ports"]}
        assert len(selecting) == 2
        assert allowed == {port}


def test_every_workload_has_a_disruption_budget(payments):
    budgets = [o["spec"]["selector"] for o in of(payments, "PodDisruptionBudget")]
    for deployment in of(payments, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert sum(matches(selector, labels) for selector in budgets) == 1


def test_the_faults_of_the_guide_are_found_where_they_are():
    manifests, findings = loaded("guide-as-printed")
    assert [objects.reference(m.object) for m in manifests] == [
        "Service payment-service",
        "Ingress canary-ingress",
        "Service app-v1",
        "Service app-v2",
        "NetworkPolicy api-allow",
    ]
    assert [(str(f.place), f.severity, f.reference, f.object, f.field) for f in findings] == [
        ("section-4-services.yaml:12:1", "error", "missing-document-separator", "", ""),
        (
            "section-3-service.yaml:19:3",
            "error",
            "field-invalid",
            "Service payment-service",
            "spec.healthCheckNodePort",
        ),
        ("section-4-services.yaml:6:1", "error", "field-required", "Service app-v1", "spec.ports"),
        ("section-4-services.yaml:16:1", "error", "field-required", "Service app-v2", "spec.ports"),
    ]
    assert "externalTrafficPolicy: Local" in findings[1].hint
