import pytest


@pytest.mark.parametrize(
    ("ready", "spec", "shown"),
    [("True", {}, "Ready"), ("False", {}, "NotReady"), ("True", {"unschedulable": True}, "Ready,SchedulingDisabled")],
)
def test_nodes(cells, ready, spec, shown):
    status = {"conditions": [{"type": "Ready", "status": ready}], "addresses": [{"type": "InternalIP", "address": "i"}]}
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": ""}
    found = cells("Node", metadata={"labels": labels}, spec=spec, status=status)
    assert (found["Status"], found["Roles"], found["Internal-IP"]) == (shown, "edge,worker", "i")


def test_configuration_is_counted(cells):
    assert cells("ConfigMap", data={"a": "", "b": ""}, binaryData={"c": ""})["Data"] == 3
    assert cells("Secret", type="Opaque", data={"a": ""})["Data"] == 1


def test_events_of_both_groups(cells):
    old = cells(
        "Event", involvedObject={"kind": "Pod", "name": "p"}, message=" m ", source={"component": "c", "host": "h"}
    )
    new = cells("Event", regarding={"kind": "Pod", "name": "p"}, note="m", reportingController="c")
    assert (old["Object"], old["Message"], old["Source"], old["Count"]) == ("pod/p", "m", "c, h", 1)
    assert (new["Object"], new["Message"], new["Source"]) == ("pod/p", "m", "c")


def test_claims(cells):
    status = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    found = cells("PersistentVolumeClaim", spec={}, status=status)
    assert (found["Status"], found["Capacity"], found["Access Modes"]) == ("Bound", "1Gi", "RWO")
