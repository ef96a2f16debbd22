from collections import Counter


def pod(cluster, template, name, labels=None, **spec):
    labels = labels or {"app": "a"}
    cluster.create("Pod", name, labels=labels, spec={**template(labels)["spec"], **spec})


def where(cluster):
    return {p["metadata"]["name"]: p["spec"].get("nodeName") for p in cluster.pods()}


def anti_affinity(topology="kubernetes.io/hostname", app="a"):
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": topology}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_pods_spread_over_zones_and_nodes(cluster):
    cluster.node("n4", "zone-a")
    cluster.deployment("web", 6)
    cluster.settle()
    zones = Counter(node for node in where(cluster).values())
    assert zones["n1"] + zones["n4"] == zones["n2"] == zones["n3"] == 2


def test_what_fits_nowhere_says_why_and_is_placed_later(cluster, template):
    pod(cluster, template, "p", nodeSelector={"disk": "ssd"})
    cluster.settle()
    found = cluster.store.get("Pod", "default", "p")
    condition = next(c for c in found["status"]["conditions"] if c["type"] == "PodScheduled")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    assert [e["message"] for e in cluster.events("FailedScheduling")] == [condition["message"]]
    node = cluster.store.get("Node", "", "n2")
    node["metadata"]["labels"]["disk"] = "ssd"
    cluster.store.update(node)
    cluster.settle()
    assert where(cluster)["p"] == "n2"


def test_no_nodes_at_all(simulated, template):
    cluster = simulated()
    pod(cluster, template, "p")
    cluster.settle()
    assert [e["message"] for e in cluster.events("FailedScheduling")] == ["no nodes available to schedule pods"]


def test_taints_keep_pods_away_that_do_not_tolerate_them(simulated, template):
    cluster = simulated()
    cluster.node("n1", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    pod(cluster, template, "p")
    pod(cluster, template, "q", tolerations=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    pod(cluster, template, "r", tolerations=[{"operator": "Exists"}])
    cluster.settle()
    assert where(cluster) == {"p": None, "q": "n1", "r": "n1"}


def test_anti_affinity_allows_one_pod_for_each_node(cluster, template):
    for number in range(4):
        pod(cluster, template, f"p{number}", affinity=anti_affinity())
    cluster.settle()
    assert Counter(where(cluster).values()) == {"n1": 1, "n2": 1, "n3": 1, None: 1}


def test_a_placed_pod_repels_others(simulated, template):
    cluster = simulated()
    cluster.node("n1")
    pod(cluster, template, "first", {"app": "x"}, affinity=anti_affinity(app="a"))
    cluster.settle()
    pod(cluster, template, "second")
    cluster.settle()
    assert where(cluster) == {"first": "n1", "second": None}


def test_affinity_brings_pods_together_and_the_first_starts_anywhere(cluster, template):
    term = {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": "topology.kubernetes.io/zone"}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for number in range(3):
        pod(cluster, template, f"p{number}", affinity=affinity)
    cluster.settle()
    assert len(set(where(cluster).values())) == 1


def test_topology_spread_keeps_the_skew(cluster, template):
    cluster.node("n4")
    constraint = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    for number in range(7):
        pod(cluster, template, f"p{number}", topologySpreadConstraints=[constraint])
    cluster.settle()
    counts = Counter(where(cluster).values())
    # n4 has no zone, so that the constraint excludes it.
    assert sorted(counts.values()) == [2, 2, 3]
    assert "n4" not in counts


def test_host_ports_are_used_once_on_a_node(cluster, template):
    ports = [{"containerPort": 80, "hostPort": 80}]
    containers = [{"name": "c", "image": "app:1", "ports": ports}]
    for number in range(4):
        pod(cluster, template, f"p{number}", containers=containers)
    cluster.settle()
    assert Counter(where(cluster).values())[None] == 1


def test_node_affinity_knows_required_and_preferred_terms(cluster, template):
    zones = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-b", "zone-c"]}
    preferred = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-c"]}
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [zones]}]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 5, "preference": {"matchExpressions": [preferred]}}
            ],
        }
    }
    for number in range(2):
        pod(cluster, template, f"p{number}", affinity=affinity)
    cluster.settle()
    assert set(where(cluster).values()) == {"n3"}


def test_a_pod_for_another_scheduler_or_behind_a_gate_is_left_alone(cluster, template):
    pod(cluster, template, "p", schedulerName="mine")
    pod(cluster, template, "q", schedulingGates=[{"name": "e.com/wait"}])
    cluster.settle()
    assert where(cluster) == {"p": None, "q": None}
    assert cluster.events("FailedScheduling") == []


def test_a_full_node_takes_no_more(simulated, template):
    cluster = simulated()
    node = cluster.node("n1")
    cluster.store.update_status({**node, "status": {"allocatable": {"pods": "1"}}})
    pod(cluster, template, "p")
    pod(cluster, template, "q")
    cluster.settle()
    assert [e["message"] for e in cluster.events("FailedScheduling")] == ["0/1 nodes are available: 1 Too many pods."]
