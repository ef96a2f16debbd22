import pytest

from switchboard.k8s.validation.cluster_ips import headless, linked, validate
from switchboard.k8s.validation.report import Report

DUAL = {
    "type": "ClusterIP",
    "clusterIP": "10.0.0.1",
    "clusterIPs": ["10.0.0.1", "fd00::1"],
    "ipFamilies": ["IPv4", "IPv6"],
    "ipFamilyPolicy": "RequireDualStack",
}
SINGLE = {
    "type": "ClusterIP",
    "clusterIP": "10.0.0.1",
    "clusterIPs": ["10.0.0.1"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
}


def found(spec, before=None):
    report = Report({})
    validate(report, spec, before or {})
    return [(f.reference, f.field) for f in report.findings]


def test_headless():
    assert headless({"clusterIP": "None"})
    assert headless({"clusterIPs": ["None"]})
    assert not headless({"clusterIP": "", "clusterIPs": []})


@pytest.mark.parametrize(
    ("sent", "stored", "expected"),
    [
        ({"clusterIP": "a"}, {}, ("a", ["a"])),
        ({"clusterIPs": ["a"]}, {}, (None, ["a"])),
        ({}, SINGLE, ("10.0.0.1", ["10.0.0.1"])),
        ({"clusterIP": "10.0.0.1"}, DUAL, ("10.0.0.1", ["10.0.0.1", "fd00::1"])),
        ({"clusterIP": "b", "clusterIPs": ["10.0.0.1"]}, SINGLE, ("b", ["b"])),
        ({"clusterIP": "", "clusterIPs": ["10.0.0.1"]}, SINGLE, ("", [])),
        ({"type": "ExternalName", "clusterIP": "", "clusterIPs": ["10.0.0.1"]}, SINGLE, ("", [])),
        ({"clusterIP": "c"}, {"type": "ExternalName"}, ("c", ["c"])),
    ],
)
def test_the_two_fields_follow_each_other(sent, stored, expected):
    result = linked(sent, stored)
    assert (result.get("clusterIP"), result.get("clusterIPs")) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"ipFamilyPolicy": "x"}, [("field-not-supported", "spec.ipFamilyPolicy")]),
        (
            {"ipFamilies": ["IPv6", "IPv4"]},
            [("field-invalid", "spec.clusterIPs[0]"), ("field-invalid", "spec.clusterIPs[1]")],
        ),
        ({"ipFamilyPolicy": "SingleStack"}, [("field-invalid", "spec.ipFamilyPolicy")]),
        ({"clusterIPs": ["10.0.0.1", "::ffff:10.0.0.2"]}, [("field-invalid", "spec.clusterIPs[1]")]),
    ],
)
def test_two_families(change, expected):
    assert found({**DUAL, **change}) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (SINGLE, DUAL, []),
        (DUAL, SINGLE, []),
        ({**SINGLE, "ipFamilyPolicy": "PreferDualStack"}, DUAL, [("field-invalid", "spec.ipFamilyPolicy")] * 2),
        ({**SINGLE, "clusterIP": "10.0.0.2"}, SINGLE, [("field-invalid", "spec.clusterIPs[0]")]),
        ({**SINGLE, "clusterIP": "", "clusterIPs": ["10.0.0.1"]}, SINGLE, [("field-invalid", "spec.clusterIPs[0]")]),
        ({**SINGLE, "ipFamilies": []}, SINGLE, [("field-invalid", "spec.ipFamilies[0]")]),
        ({"type": "ExternalName"}, SINGLE, []),
        (SINGLE, {"type": "ExternalName"}, []),
    ],
)
def test_updates(new, old, expected):
    assert found(new, old) == expected
