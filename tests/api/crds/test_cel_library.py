from datetime import UTC, datetime, timedelta

from switchboard.api.crds import cel_library, rules


def value(schema, given):
    return cel_library.value_of(schema, given, rules.escaped)


def test_an_environment_is_made_once():
    assert cel_library.environment("int") is cel_library.environment("int")


def test_values_are_as_their_schema_says():
    schema = {"type": "object", "properties": {"n": {"type": "number"}, "i": {"type": "integer"}}}
    assert repr(value(schema, {"n": 1, "i": 1})) == "{'n': 1.0, 'i': 1}"
    assert value({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z") == datetime(2026, 1, 1, tzinfo=UTC)
    assert value({"type": "string", "format": "duration"}, "1m") == timedelta(minutes=1)
    assert value({"type": "string", "format": "byte"}, "aGk=") == b"aGk="
    assert value({"type": "string"}, "2026") == "2026"


def test_names_of_properties_are_escaped_and_keys_of_maps_are_not():
    schema = {"type": "object", "properties": {"a-b": {"type": "object", "additionalProperties": {"type": "string"}}}}
    assert value(schema, {"a-b": {"c-d": "x"}}) == {"a__dash__b": {"c-d": "x"}}
