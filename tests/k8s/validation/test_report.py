from switchboard.k8s.validation.report import REASONS, Report, shown


def report():
    return Report({"kind": "Service", "metadata": {"name": "a", "namespace": "n"}})


def test_findings_name_object_field_and_remedy():
    found = report()
    found.required("spec.ports")
    found.invalid("spec.ports[0].port", 0, "a number from 1 to 65535")
    found.not_supported("spec.type", "LoadBalancr", ["ClusterIP", "LoadBalancer"])
    found.forbidden("spec.ipFamilies", "here")
    found.duplicate("spec.ports[1].name", "a")
    found.too_long("metadata.annotations", "3 bytes")
    found.not_found("a.b", "x", "Add it.")
    found.too_many("a.b", "`a.b` has more than 3.", "Use fewer.")
    assert {f.reference for f in found.findings} == set(REASONS)
    for finding in found.findings:
        assert finding.object == "Service n/a"
        assert finding.field in finding.message
        assert finding.hint
        assert finding.severity == "error"
    assert found.findings[0].hint == "Add `ports`."
    assert "LoadBalancer" in found.findings[2].hint


def test_ranges_count_what_is_missing_as_zero():
    found = report()
    found.between("a", None, 1, 2)
    found.between("a", 2, 1, 2)
    found.not_negative("a", None)
    found.not_negative("a", -1)
    assert len(found.findings) == 2


def test_immutable_fields_and_warnings():
    found = report()
    found.immutable("a", 1)
    found.immutable("a", 1, forbidden=True)
    found.warn("x", "a", "m", "h")
    assert [(f.reference, f.severity) for f in found.findings] == [
        ("field-invalid", "error"),
        ("field-forbidden", "error"),
        ("x", "warning"),
    ]


def test_long_values_are_cut():
    assert len(shown("x" * 1000)) < 100
    assert shown({"a": [1]}) == '{"a": [1]}'
