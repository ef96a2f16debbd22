import pytest

from switchboard.api.crds import rules


def schema(*written, **properties):
    made = {"type": "object", "properties": properties or {"min": {"type": "integer"}, "max": {"type": "integer"}}}
    return {**made, "x-kubernetes-validations": [{"rule": r} if isinstance(r, str) else r for r in written]}


def whole(spec):
    return {"type": "object", "properties": {"spec": spec}}


def check(spec, value, old=rules.MISSING):
    before = old if old is rules.MISSING else {"spec": old}
    return rules.check(whole(spec), {"spec": value}, before)


def test_a_rule_that_does_not_hold_is_told_where_it_stands(found):
    (cause,) = check(schema("self.min <= self.max"), {"min": 3, "max": 2})
    assert (cause.field, cause.message) == ("spec", "Invalid value: failed rule: self.min <= self.max")
    assert check(schema("self.min <= self.max"), {"min": 2, "max": 2}) == []


def test_message_reason_and_field_are_the_rules_own():
    rule = {"rule": "self.min <= self.max", "message": "no", "reason": "FieldValueForbidden", "fieldPath": ".min"}
    (cause,) = check(schema(rule), {"min": 3, "max": 2})
    assert (cause.field, cause.reason, cause.message) == ("spec.min", "FieldValueForbidden", "Forbidden: no")


def test_a_message_may_be_computed_and_falls_back_when_it_cannot():
    rule = {"rule": "false", "message": "plain", "messageExpression": "'min is %d'.format([self.min])"}
    assert check(schema(rule), {"min": 3})[0].message == "Invalid value: min is 3"
    assert check(schema(rule), {})[0].message == "Invalid value: plain"


def test_transition_rules_wait_for_a_state_before():
    spec = schema("self.min >= oldSelf.min")
    assert check(spec, {"min": 1}) == []
    assert check(spec, {"min": 2}, {"min": 1}) == []
    assert len(check(spec, {"min": 1}, {"min": 2})) == 1


def test_an_optional_old_self_is_there_or_not():
    spec = schema(
        {"rule": "oldSelf.hasValue() ? oldSelf.value().min <= self.min : self.min == 0", "optionalOldSelf": True}
    )
    assert check(spec, {"min": 0}) == []
    assert len(check(spec, {"min": 1})) == 1
    assert check(spec, {"min": 5}, {"min": 1}) == []
    assert len(check(spec, {"min": 0}, {"min": 1})) == 1


def test_what_is_put_around_an_optional_rule_cannot_be_broken_out_of():
    rule = "true, true)[0] || [1].map(x, true"
    assert "compilation failed" in rules.fault(rule, schema(), "BOOL", optional_old=True)


def test_elements_of_list_maps_are_compared_with_themselves(found):
    items = schema("self.n >= oldSelf.n", name={"type": "string"}, n={"type": "integer"})
    spec = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": items}
    old = [{"name": "a", "n": 1}, {"name": "b", "n": 5}]
    assert check(spec, [{"name": "b", "n": 6}, {"name": "c", "n": 0}, {"name": "a", "n": 1}], old) == []
    assert found(check(spec, [{"name": "b", "n": 4}], old)) == {("spec[0]", "Invalid")}


def test_an_unchanged_state_is_not_judged_again():
    assert check(schema("false"), {"min": 1}, {"min": 1}) == []


def test_rules_see_names_of_metadata_only():
    root = {
        "type": "object",
        "x-kubernetes-validations": [{"rule": "self.metadata.name == 'g' && !has(self.metadata.labels)"}],
    }
    assert rules.check(root, {"metadata": {"name": "g", "labels": {"a": "b"}}}, rules.MISSING) == []


def test_a_missing_field_is_an_error_of_the_rule():
    (cause,) = check(schema("self.min > 0"), {})
    assert "min" in cause.message


@pytest.mark.parametrize("rule", ["self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"])
def test_evaluation_is_bounded(rule):
    spec = {"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [{"rule": rule}]}
    (cause,) = check(spec, list(range(300)))
    assert "exceeds limit" in cause.message


def test_the_number_of_evaluations_is_bounded():
    spec = {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= 0"}]}}
    causes = check(spec, list(range(20_010)))
    assert "more than 20000 validation rules" in causes[-1].message


@pytest.mark.parametrize(
    ("schema_", "rule", "wanted", "fault"),
    [
        ({"type": "integer"}, "self > 0", "BOOL", ""),
        ({"type": "integer"}, "self", "BOOL", "is of type INT"),
        ({"type": "integer"}, "self > 'a'", "BOOL", "compilation failed"),
        ({"type": "string"}, "self.size() > 0", "BOOL", ""),
        ({"type": "string", "format": "date-time"}, "self > timestamp('2020-01-01T00:00:00Z')", "BOOL", ""),
        ({"type": "array", "items": {"type": "string"}}, "self[0] + 1 == 1", "BOOL", "compilation failed"),
        ({"type": "object"}, "self.x", "BOOL", ""),
        ({"x-kubernetes-int-or-string": True}, "self == 'a' || self == 1", "BOOL", ""),
        ({"type": "integer"}, "'a'", "STRING", ""),
        ({"type": "integer"}, "self >", "BOOL", "compilation failed"),
        ({"type": "integer"}, "other > 1", "BOOL", "compilation failed"),
    ],
)
def test_rules_are_compiled_with_types(schema_, rule, wanted, fault):
    found = rules.fault(rule, schema_, wanted, optional_old=False)
    assert found.startswith(fault) if fault else found == ""


def test_names_that_rules_cannot_write_are_escaped():
    assert rules.escaped("namespace") == "__namespace__"
    assert rules.escaped("a-b.c/d") == "a__dash__b__dot__c__slash__d"
    assert rules.escaped("a__b") == "a__underscores__b"
    assert rules.escaped("1a") is None
    spec = schema("self.a__dash__b == 1 && self.__namespace__ == 2", **{"a-b": {}, "namespace": {}})
    assert check(spec, {"a-b": 1, "namespace": 2}) == []


def test_a_field_path_leads_to_a_property():
    assert rules.knows(schema(), ".min")
    assert not rules.knows(schema(), ".other")
    assert not rules.knows(schema(), "min")
