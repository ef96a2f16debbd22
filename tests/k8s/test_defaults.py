import copy

import pytest

from switchboard.k8s import objects
from switchboard.k8s.defaults import default, default_on_read

ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort")
ADMITTED = ("tolerations", "priority", "preemptionPolicy")
# What these answers show besides defaults, and who makes it.
BEYOND = {
    "ing-class-default/1": "admission names the default class",
    "ing-class-default/2": "admission names the default class",
    "wl-ds-min/0": "the registry adds an annotation",
}


def comparable(obj):
    """Without allocated and admitted values, metadata of the store, and what omitempty leaves out."""
    obj = copy.deepcopy(obj)
    obj.pop("status", None)
    for key in ("generation", "namespace"):
        obj["metadata"].pop(key, None)
    spec = obj.get("spec", {})
    for key in {"Service": ALLOCATED, "Pod": ADMITTED}.get(obj["kind"], ()):
        spec.pop(key, None)
    for port in spec.get("ports") or ():
        port.pop("nodePort", None)
    return _without_empty(obj)


def _without_empty(value):
    if isinstance(value, dict):
        return {k: v for k, v in ((k, _without_empty(v)) for k, v in value.items()) if v not in (None, "", [], False)}
    return [_without_empty(v) for v in value] if isinstance(value, list) else value


def test_defaults_are_those_of_the_recorded_answers(accepted):
    if "object" not in accepted or accepted["send"]["kind"] == "Job":
        return  # Jobs get labels and a selector from their registry; test_jobs looks at them
    before = copy.deepcopy(accepted["send"])
    found = default(accepted["send"])
    assert accepted["send"] == before
    assert default(found) == found
    assert (comparable(found) == comparable(accepted["object"])) == (accepted["id"] not in BEYOND)


def test_jobs():
    sent = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never"}}}}
    spec = default(sent)["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (1, 1, "NonIndexed")
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_namespaces_are_labelled_with_their_name():
    found = default({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "payments"}})
    assert objects.labels(found) == {"kubernetes.io/metadata.name": "payments"}


@pytest.mark.parametrize("spec", [None, [], "x", {"ports": "x"}, {"ports": [3], "sessionAffinity": 4, "type": []}])
def test_objects_of_wrong_shape_do_not_raise(spec):
    for version, kind in (("v1", "Service"), ("v1", "Pod"), ("apps/v1", "Deployment")):
        default({"apiVersion": version, "kind": kind, "spec": spec, "metadata": None})


def read(spec, families=("IPv4",)):
    return default_on_read({"kind": "Service", "spec": spec}, families)["spec"]


def test_older_services_are_completed_on_read():
    assert read({"clusterIP": "10.0.0.1"}) == {
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    two = read({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1", "10.0.0.1"]})
    assert (two["ipFamilies"], two["ipFamilyPolicy"]) == (["IPv6", "IPv4"], "RequireDualStack")


def test_headless_services_on_read():
    with_selector = read({"clusterIP": "None", "selector": {"a": "b"}}, ("IPv6",))
    assert (with_selector["ipFamilies"], with_selector["ipFamilyPolicy"]) == (["IPv6"], "SingleStack")
    without = read({"clusterIP": "None"}, ("IPv4",))
    assert (without["ipFamilies"], without["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")


def test_external_names_show_no_internal_policy():
    assert read({"type": "ExternalName", "internalTrafficPolicy": "Local"}) == {"type": "ExternalName"}
