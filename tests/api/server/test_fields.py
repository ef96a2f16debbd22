from switchboard.api.server.fields import prune


def test_unknown_fields_go_and_are_named():
    obj = {"apiVersion": "v1", "kind": "Service", "x": 1,
           "spec": {"selector": {"any": "key"}, "ports": [{"port": 1, "Port": 2}], "y": {"z": 1}}}  # fmt: skip
    assert prune(obj, "v1", "Service") == ["x", "spec.ports[0].Port", "spec.y"]
    assert obj == {"apiVersion": "v1", "kind": "Service",
                   "spec": {"selector": {"any": "key"}, "ports": [{"port": 1}]}}  # fmt: skip
