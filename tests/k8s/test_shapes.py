import pytest

from switchboard.k8s.shapes import STATUSES, shape


def shaped(kind, **fields):
    obj = {"kind": kind, **fields}
    shape(obj)
    return obj


@pytest.mark.parametrize("kind", STATUSES)
def test_status_is_always_there_and_shaping_again_changes_nothing(kind):
    found = shaped(kind)
    assert found["status"] == STATUSES[kind]
    again = {**found}
    shape(again)
    assert again == found
    found["status"]["x"] = 1
    assert "x" not in STATUSES[kind]


def test_what_holds_nothing():
    assert shaped("ConfigMap", data={}) == {"kind": "ConfigMap"}
    assert shaped("Role", rules=[])["rules"] is None
    assert shaped("EndpointSlice", endpoints=[])["endpoints"] == []
    assert shaped("EndpointSlice")["endpoints"] is None
    assert shaped("Lease")["spec"] == {}
    assert shaped("NetworkPolicy", spec={"ingress": []})["spec"] == {}


def test_ingresses_and_events():
    spec = {"rules": [{"host": "", "http": {"paths": [{"path": "", "backend": {"resource": {"kind": "K"}}}]}}]}
    assert shaped("Ingress", spec=spec)["spec"]["rules"] == [
        {"http": {"paths": [{"backend": {"resource": {"kind": "K", "apiGroup": None}}}]}}
    ]
    assert shaped("Event", message="m")["eventTime"] is None
    assert "eventTime" not in shaped("Event", note="m")
