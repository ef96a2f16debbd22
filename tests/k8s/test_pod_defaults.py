import pytest

from switchboard.k8s import pod_defaults


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1.0", "IfNotPresent"),
        ("host:5000/app", "Always"),
        ("host:5000/app:2", "IfNotPresent"),
        ("app@sha256:aa", "IfNotPresent"),
        (None, "Always"),
    ],
)
def test_pull_policy_follows_the_tag(image, policy):
    spec = {"containers": [{"name": "c", "image": image}]}
    pod_defaults.template(spec)
    assert spec["containers"][0]["imagePullPolicy"] == policy


def test_host_network_publishes_the_ports_of_pods_only():
    spec = {"hostNetwork": True, "containers": [{"ports": [{"containerPort": 80}]}]}
    pod_defaults.pod(spec)
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    spec = {"hostNetwork": True, "containers": [{"ports": [{"containerPort": 80}]}]}
    pod_defaults.template(spec)
    assert "hostPort" not in spec["containers"][0]["ports"][0]


def test_volumes_without_source_are_empty_directories():
    spec = {
        "volumes": [
            {"name": "a"},
            {"name": "b", "projected": {"sources": [{"downwardAPI": {"items": [{"fieldRef": {}}]}}]}},
        ]
    }
    pod_defaults.template(spec)
    assert spec["volumes"][0]["emptyDir"] == {}
    projected = spec["volumes"][1]["projected"]
    assert projected["defaultMode"] == 0o644
    assert projected["sources"][0]["downwardAPI"]["items"][0]["fieldRef"] == {"apiVersion": "v1"}
