from switchboard.controllers._placement import Placement, allows


def node(name, **labels):
    return {"metadata": {"name": name, "labels": labels}}


def pod(name="p", node_name="", **spec):
    meta = {"name": name, "namespace": "d", "labels": {"app": "a"}}
    return {"metadata": meta, "spec": {**({"nodeName": node_name} if node_name else {}), **spec}}


def test_a_toleration_without_key_needs_exists():
    tainted = {**node("n"), "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}}
    assert not allows({}, tainted)
    assert not allows({"tolerations": [{"key": "k", "value": "other"}]}, tainted)
    assert not allows({"tolerations": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}, tainted)
    assert allows({"tolerations": [{"key": "k", "operator": "Exists"}]}, tainted)
    assert allows({"tolerations": [{"operator": "Exists"}]}, tainted)


def test_a_preference_to_be_refused_is_none():
    preferring = {**node("n"), "spec": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}}
    assert allows({}, preferring)


def test_anti_affinity_to_another_namespace_needs_its_name_or_labels():
    def term(**where):
        return {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": "host", **where}

    def repelled(**where):
        anti = {"requiredDuringSchedulingIgnoredDuringExecution": [term(**where)]}
        there = pod("there", "n")
        there["metadata"]["namespace"] = "other"
        placement = Placement([node("n", host="n")], [there], {"other": {"team": "x"}, "d": {}})
        return placement.choose(pod(affinity={"podAntiAffinity": anti}))[0] is None

    assert not repelled()
    assert repelled(namespaces=["other"])
    assert repelled(namespaceSelector={"matchLabels": {"team": "x"}})
    assert not repelled(namespaceSelector={"matchLabels": {"team": "y"}})
    assert repelled(namespaceSelector={})


def test_reasons_are_counted_for_each_node():
    nodes = [node("a"), node("b", disk="ssd"), {**node("c", disk="ssd"), "spec": {"unschedulable": True}}]
    placement = Placement(nodes, [], {})
    chosen, reasons = placement.choose(pod(nodeSelector={"disk": "ssd"}))
    assert chosen is nodes[1]
    assert reasons == {
        "node(s) didn't match Pod's node affinity/selector": 1,
        "node(s) were unschedulable": 1,
    }


def test_min_domains_counts_missing_domains_as_empty():
    constraint = {
        "maxSkew": 1,
        "minDomains": 2,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    placement = Placement([node("n", zone="a")], [pod("x", "n")], {})
    assert placement.choose(pod(topologySpreadConstraints=[constraint]))[0] is None
    assert placement.choose(pod(topologySpreadConstraints=[{**constraint, "minDomains": 1}]))[0] is not None
