from datetime import UTC, datetime, timedelta

import pytest

from switchboard.api.admission import KubernetesAdmission
from switchboard.api.store import Store
from switchboard.run.events import EventRecorder

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "u"}}


class Clock:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Store(clock=clock, uid=lambda: "x", randrange=lambda n: 0, admission=KubernetesAdmission())


@pytest.fixture
def recorder(store, clock):
    return EventRecorder(store, clock)


def events(store):
    return store.list("Event")[0]


def test_an_event_says_what_happened_to_whom(store, recorder):
    recorder.record("me", POD, "Normal", "Pulled", "it")
    (event,) = events(store)
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "p",
        "uid": "u",
        "apiVersion": "v1",
        "resourceVersion": "",
    }
    assert (event["type"], event["reason"], event["message"], event["count"]) == ("Normal", "Pulled", "it", 1)
    assert event["source"] == {"component": "me"}


def test_equal_events_count_up(store, recorder, clock):
    recorder.record("me", POD, "Normal", "Pulled", "it")
    clock.now += timedelta(seconds=5)
    recorder.record("me", POD, "Normal", "Pulled", "it")
    recorder.record("me", POD, "Normal", "Pulled", "other")
    found = {e["message"]: (e["count"], e["firstTimestamp"], e["lastTimestamp"]) for e in events(store)}
    assert found["it"] == (2, "2026-11-23T12:00:00Z", "2026-11-23T12:00:05Z")
    assert found["other"][0] == 1


def test_a_cluster_scoped_object_tells_in_the_default_namespace(store, recorder):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    recorder.record("me", node, "Warning", "Gone", "it")
    assert events(store)[0]["metadata"]["namespace"] == "default"


def test_an_event_without_a_place_is_dropped(store, recorder):
    lost = {**POD, "metadata": {"name": "p", "namespace": "nowhere"}}
    recorder.record("me", lost, "Normal", "Pulled", "it")
    assert events(store) == []


def test_events_are_forgotten_after_an_hour(store, recorder, clock):
    recorder.record("me", POD, "Normal", "Old", "it")
    clock.now += timedelta(minutes=40)
    recorder.record("me", POD, "Normal", "New", "it")
    clock.now += timedelta(minutes=30)
    recorder.expire()
    assert [e["reason"] for e in events(store)] == ["New"]
    recorder.record("me", POD, "Normal", "Old", "it")
    assert {e["reason"]: e["count"] for e in events(store)} == {"New": 1, "Old": 1}
