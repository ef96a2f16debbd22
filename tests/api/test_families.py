"""Dual-stack clusters, which the recorded requests (single stack) do not cover."""

import pytest

from switchboard.api import errors
from switchboard.api.admission import KubernetesAdmission

DUAL = ("10.96.0.0/24", "fd00:96::/112")


@pytest.fixture
def dual(open_store):
    return open_store(KubernetesAdmission(DUAL))


def service(name="s", **spec):
    spec = {"ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def shape(obj):
    spec = obj["spec"]
    return spec.get("ipFamilyPolicy"), spec.get("ipFamilies"), [":" in ip for ip in spec.get("clusterIPs", [])]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("SingleStack", ["IPv4"], [False])),
        ({"ipFamilies": ["IPv6"]}, ("SingleStack", ["IPv6"], [True])),
        ({"ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ["IPv4", "IPv6"], [False, True])),
        (
            {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]},
            ("RequireDualStack", ["IPv6", "IPv4"], [True, False]),
        ),
        (
            {"ipFamilyPolicy": "PreferDualStack", "clusterIP": "fd00:96::7"},
            ("PreferDualStack", ["IPv6", "IPv4"], [True, False]),
        ),
    ],
)
def test_families_on_a_dual_stack_cluster(dual, given, expected):
    assert shape(dual.create(service(**given))) == expected


def test_prefer_dual_stack_is_content_with_one_family(cluster_store):
    made = cluster_store.create(service(ipFamilyPolicy="PreferDualStack"))
    assert shape(made) == ("PreferDualStack", ["IPv4"], [False])


def test_an_upgrade_keeps_the_primary_and_a_downgrade_frees_the_second(dual):
    made = dual.create(service())
    grown = dual.update({**made, "spec": {**made["spec"], "ipFamilyPolicy": "RequireDualStack"}})
    assert shape(grown) == ("RequireDualStack", ["IPv4", "IPv6"], [False, True])
    assert grown["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    second = grown["spec"]["clusterIPs"][1]
    assert dual.find("IPAddress", "", second)
    shrunk = dual.update({**grown, "spec": {**grown["spec"], "ipFamilyPolicy": "SingleStack"}})
    assert shape(shrunk) == ("SingleStack", ["IPv4"], [False])
    assert dual.find("IPAddress", "", second) is None


def test_a_shorter_list_needs_the_policy(dual):
    made = dual.create(service(ipFamilyPolicy="RequireDualStack"))
    spec = {**made["spec"], "ipFamilies": ["IPv4"]}
    with pytest.raises(errors.Invalid) as refused:
        dual.update({**made, "spec": spec})
    assert {c.field for c in refused.value.causes} == {"spec.ipFamilyPolicy"}


def test_a_large_ipv6_range_is_refused():
    with pytest.raises(ValueError, match="64"):
        KubernetesAdmission(("fd00::/48",))
