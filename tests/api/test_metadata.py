from datetime import UTC, datetime

import pytest

from switchboard.api import metadata
from switchboard.api.errors import BadRequest
from switchboard.api.store import kind_named

MOMENT = datetime(2026, 11, 23, 12, 30, 1, 999, tzinfo=UTC)


def test_times_have_whole_seconds_and_a_z():
    assert metadata.timestamp(MOMENT) == "2026-11-23T12:30:01Z"


def test_a_generated_name_keeps_within_a_label():
    obj = {"metadata": {"generateName": "x" * 80}}
    metadata.prepare_create(kind_named("ConfigMap"), obj, MOMENT, "u", lambda n: n - 1)
    assert obj["metadata"]["name"] == "x" * 58 + "99999"


@pytest.mark.parametrize(("kind", "expected"), [("Deployment", 1), ("Service", 7)])
def test_only_kinds_with_a_counted_generation_start_at_one(kind, expected):
    obj = {"metadata": {"name": "a", "generation": 7}}
    metadata.prepare_create(kind_named(kind), obj, MOMENT, "u", lambda n: 0)
    assert obj["metadata"]["generation"] == expected


@pytest.mark.parametrize(
    ("kind", "old", "new", "bumped"),
    [
        ("Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, True),
        ("Deployment", {"spec": {}, "status": {"replicas": 1}}, {"spec": {}, "status": {}}, False),
        ("EndpointSlice", {"endpoints": []}, {"endpoints": [{"addresses": ["10.0.0.1"]}]}, True),
        (
            "EndpointSlice",
            {"metadata": {"generation": 3, "labels": {"a": "b"}}, "ports": []},
            {"metadata": {"generation": 3, "labels": {"a": "c"}}, "ports": []},
            True,
        ),
    ],
)
def test_the_generation_counts_what_is_wanted(kind, old, new, bumped):
    old = {"metadata": {"generation": 3}, **old}
    new = {"metadata": {"generation": 3}, **new}
    metadata.bump_generation(kind_named(kind), new, old)
    assert new["metadata"]["generation"] == (4 if bumped else 3)


def test_what_is_not_json_is_a_bad_request():
    with pytest.raises(BadRequest):
        metadata.clone({"a": object()})
    loop = {}
    loop["self"] = loop
    with pytest.raises(BadRequest):
        metadata.clone(loop)


def test_kind_and_version_come_first_and_empty_metadata_goes():
    obj = {"data": {}, "metadata": {"name": "a", "labels": {}}, "apiVersion": "v1"}
    ordered = metadata.ordered(kind_named("ConfigMap"), obj)
    assert list(ordered) == ["kind", "apiVersion", "metadata", "data"]
    assert ordered["metadata"] == {"name": "a"}
