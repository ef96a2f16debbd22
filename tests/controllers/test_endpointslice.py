import pytest

SERVICE_LABEL = "kubernetes.io/service-name"


def service(cluster, name="web", selector=None, **spec):
    spec = {"clusterIP": "10.96.0.10", "ports": [{"port": 80, "targetPort": "http"}], **spec}
    selector = {"app": "web"} if selector is None else selector
    return cluster.create("Service", name, labels={"team": "x"}, spec={"selector": selector, **spec})


def slices(cluster, name="web"):
    found, _ = cluster.store.list("EndpointSlice", None, f"{SERVICE_LABEL}={name}")
    return found


def endpoints(cluster, name="web"):
    return [e for s in slices(cluster, name) for e in s["endpoints"]]


def test_a_slice_says_where_each_pod_is_and_in_which_condition(cluster):
    service(cluster)
    cluster.deployment("web", 1)
    cluster.settle()
    (piece,) = slices(cluster)
    pod = cluster.pods(app="web")[0]
    assert piece["endpoints"] == [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {
                "kind": "Pod",
                "namespace": "default",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
            "nodeName": "n1",
            "zone": "zone-a",
        }
    ]
    assert piece["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert piece["addressType"] == "IPv4"
    assert piece["metadata"]["generateName"] == "web-"
    assert piece["metadata"]["labels"] == {
        "team": "x",
        SERVICE_LABEL: "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    owner = piece["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", "web", True)


def test_conditions_follow_readiness_and_deletion(cluster):
    service(cluster)
    cluster.deployment("web", 2)
    cluster.settle()
    first, second = cluster.pods(app="web")
    cluster.set_ready(first, False)
    cluster.store.delete("Pod", "default", second["metadata"]["name"])
    cluster.agent = False
    cluster.settle()
    found = {e["targetRef"]["name"]: e["conditions"] for e in endpoints(cluster)}
    assert found[first["metadata"]["name"]] == {"ready": False, "serving": False, "terminating": False}
    assert found[second["metadata"]["name"]] == {"ready": False, "serving": True, "terminating": True}


def test_publish_not_ready_addresses_makes_all_ready_terminating_ones_too(cluster):
    service(cluster, publishNotReadyAddresses=True)
    cluster.deployment("web", 2)
    cluster.settle()
    first, second = cluster.pods(app="web")
    cluster.set_ready(first, False)
    cluster.store.delete("Pod", "default", second["metadata"]["name"])
    cluster.agent = False
    cluster.settle()
    assert all(e["conditions"]["ready"] for e in endpoints(cluster))


def test_an_empty_placeholder_remains_and_is_used_again(cluster):
    service(cluster)
    cluster.settle()
    (placeholder,) = slices(cluster)
    assert (placeholder["endpoints"], placeholder["ports"]) == ([], [])
    cluster.deployment("web", 1)
    cluster.settle()
    cluster.change("Deployment", "web", replicas=0)
    cluster.settle()
    (piece,) = slices(cluster)
    assert piece["metadata"]["name"] == placeholder["metadata"]["name"]
    assert piece["endpoints"] == []


def test_a_named_port_that_changes_its_number_makes_a_second_group(cluster, template):
    service(cluster)
    cluster.deployment("web", 2, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    cluster.settle()
    other = template({"app": "web"}, "app:2")
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    cluster.change("Deployment", "web", template=other)
    cluster.loop.run_until_settled()
    cluster.act()
    cluster.loop.run_until_settled()
    assert sorted((s["ports"][0]["port"], len(s["endpoints"])) for s in slices(cluster)) == [(8080, 2), (9090, 1)]
    cluster.settle()
    assert [(s["ports"][0]["port"], len(s["endpoints"])) for s in slices(cluster)] == [(9090, 2)]


def test_a_port_that_no_container_names_is_left_out_and_the_pod_stays(cluster):
    service(cluster, ports=[{"port": 80, "targetPort": "nowhere"}])
    cluster.deployment("web", 1)
    cluster.settle()
    (piece,) = slices(cluster)
    assert (piece["ports"], len(piece["endpoints"])) == ([], 1)


def test_a_pod_on_an_unknown_node_waits_for_the_node(cluster, template):
    service(cluster)
    cluster.create("Pod", "p", labels={"app": "web"}, spec={**template({"app": "web"})["spec"], "nodeName": "n9"})
    cluster.settle()
    assert endpoints(cluster) == []
    cluster.node("n9", "zone-z")
    cluster.settle()
    assert [e["zone"] for e in endpoints(cluster)] == ["zone-z"]


def test_a_node_that_changes_its_zone_changes_its_endpoints(cluster):
    service(cluster)
    cluster.deployment("web", 1)
    cluster.settle()
    node = cluster.store.get("Node", "", "n1")
    node["metadata"]["labels"]["topology.kubernetes.io/zone"] = "zone-q"
    cluster.store.update(node)
    cluster.settle()
    assert [e["zone"] for e in endpoints(cluster)] == ["zone-q"]


def test_relabelled_pods_leave_one_service_and_join_another(cluster, template):
    service(cluster)
    service(cluster, "db", {"app": "db"})
    cluster.create("Pod", "p", labels={"app": "web"}, spec=template({})["spec"])
    cluster.settle()
    assert (len(endpoints(cluster)), len(endpoints(cluster, "db"))) == (1, 0)
    pod = cluster.store.get("Pod", "default", "p")
    pod["metadata"]["labels"] = {"app": "db"}
    cluster.store.update(pod)
    cluster.settle()
    assert (len(endpoints(cluster)), len(endpoints(cluster, "db"))) == (0, 1)


@pytest.mark.parametrize(
    ("distribution", "annotations", "hints"),
    [
        (None, {}, None),
        ("PreferClose", {}, {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameZone", {}, {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameNode", {}, {"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "n1"}]}),
        ("PreferSameZone", {"service.kubernetes.io/topology-mode": "Auto"}, None),
        ("PreferSameZone", {"service.kubernetes.io/topology-mode": "off"}, {"forZones": [{"name": "zone-a"}]}),
    ],
)
def test_hints(cluster, distribution, annotations, hints):
    made = service(cluster, **({"trafficDistribution": distribution} if distribution else {}))
    made["metadata"]["annotations"] = annotations
    cluster.store.update(made)
    cluster.deployment("web", 1)
    cluster.settle()
    assert endpoints(cluster)[0].get("hints") == hints


def test_unready_endpoints_have_no_hints(cluster):
    service(cluster, trafficDistribution="PreferSameZone")
    cluster.deployment("web", 1)
    cluster.settle()
    cluster.set_ready(cluster.pods(app="web")[0], False)
    cluster.settle()
    assert "hints" not in endpoints(cluster)[0]


def test_a_dual_stack_service_has_slices_of_both_families(cluster, template):
    service(cluster, ipFamilies=["IPv4", "IPv6"])
    cluster.create("Pod", "p", labels={"app": "web"}, spec=template({})["spec"])
    cluster.settle()
    pod = cluster.store.get("Pod", "default", "p")
    pod["status"]["podIPs"] = [{"ip": pod["status"]["podIP"]}, {"ip": "FD00:0::7"}]
    cluster.store.update_status(pod)
    cluster.settle()
    found = {s["addressType"]: [e["addresses"] for e in s["endpoints"]] for s in slices(cluster)}
    assert found == {"IPv4": [[pod["status"]["podIP"]]], "IPv6": [["fd00::7"]]}
    cluster.change("Service", "web", ipFamilies=["IPv4"])
    cluster.settle()
    assert [s["addressType"] for s in slices(cluster)] == ["IPv4"]


def test_a_hostname_counts_only_with_the_services_subdomain(cluster, template):
    service(cluster, clusterIP="None")
    for name, subdomain in (("p", "web"), ("q", "other")):
        spec = {**template({})["spec"], "hostname": name, "subdomain": subdomain}
        cluster.create("Pod", name, labels={"app": "web"}, spec=spec)
    cluster.settle()
    assert {e["targetRef"]["name"]: e.get("hostname") for e in endpoints(cluster)} == {"p": "p", "q": None}
    assert slices(cluster)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_foreign_slices_are_left_alone_and_those_of_an_older_service_deleted(cluster):
    labels = {SERVICE_LABEL: "web"}
    rest = {"addressType": "IPv4", "endpoints": [], "ports": []}
    cluster.create("EndpointSlice", "mine", labels={**labels, "endpointslice.kubernetes.io/managed-by": "me"}, **rest)
    managed = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    cluster.create("EndpointSlice", "old", labels={**labels, **managed}, **rest)
    service(cluster)
    cluster.settle()
    names = {s["metadata"]["name"] for s in slices(cluster)}
    assert "mine" in names
    assert "old" not in names
    assert len(names) == 2


def test_a_slice_that_somebody_changed_or_deleted_is_restored(cluster):
    service(cluster)
    cluster.deployment("web", 2)
    cluster.settle()
    (piece,) = slices(cluster)
    before = piece["endpoints"]
    cluster.store.update({**piece, "endpoints": []})
    cluster.settle()
    assert endpoints(cluster) == before
    cluster.store.delete("EndpointSlice", "default", piece["metadata"]["name"])
    cluster.settle()
    assert endpoints(cluster) == before


@pytest.mark.parametrize("spec", [{"selector": {}}, {"type": "ExternalName", "externalName": "e.com"}])
def test_services_without_pods_of_their_own_have_no_slices(cluster, spec):
    service(cluster, **spec)
    cluster.settle()
    assert slices(cluster) == []


def test_labels_of_the_service_are_kept_in_step(cluster):
    service(cluster)
    cluster.settle()
    made = cluster.store.get("Service", "default", "web")
    made["metadata"]["labels"] = {"team": "y"}
    cluster.store.update(made)
    cluster.settle()
    assert slices(cluster)[0]["metadata"]["labels"]["team"] == "y"


def test_a_pods_heartbeat_looks_at_no_service(cluster):
    from switchboard.controllers import endpointslice
    from switchboard.controllers._snapshot import Cache, Snapshot

    service(cluster)
    cluster.deployment("web", 1)
    cluster.settle()
    cache = Cache()
    for kind in endpointslice.CONTROLLER.reads:
        for record in cluster.store.records(kind):
            cache.put(kind, (record.namespace, record.name), record.object)
    pod = cluster.pods(app="web")[0]
    key = ("Pod", "default", pod["metadata"]["name"])
    before = {**pod, "status": {**pod["status"], "startTime": "2026-11-23T11:00:00Z"}}
    # An endpoint that is missing shows whether the Service is looked at.
    for (namespace, name), piece in list(cache.objects("EndpointSlice").items()):
        cache.put("EndpointSlice", (namespace, name), {**piece, "endpoints": []})
    beat = Snapshot(cache, endpointslice.CONTROLLER.reads, {key: before})
    assert endpointslice.reconcile(beat, cluster.now).operations == ()
    unready = {**pod, "status": {**pod["status"], "conditions": []}}
    change = Snapshot(cache, endpointslice.CONTROLLER.reads, {key: unready})
    assert len(endpointslice.reconcile(change, cluster.now).operations) == 1


def auto(cluster, value="Auto", **spec):
    made = service(cluster, **spec)
    made["metadata"]["annotations"] = {"service.kubernetes.io/topology-mode": value}
    cluster.store.update(made)
    for name in ("n1", "n2", "n3"):
        cluster.set_node(name)


def hinted(cluster):
    return [(e["zone"], e.get("hints", {}).get("forZones", [{"name": "-"}])[0]["name"]) for e in endpoints(cluster)]


def told(cluster, reason):
    return [(e["type"], e["message"]) for e in cluster.events(reason)]


def test_auto_shares_endpoints_by_cpu_and_says_so_once(cluster):
    auto(cluster)
    cluster.deployment("web", 3)
    cluster.settle()
    assert sorted(hinted(cluster)) == [("zone-a", "zone-a"), ("zone-b", "zone-b"), ("zone-c", "zone-c")]
    enabled = [("Normal", "Topology Aware Hints has been enabled, addressType: IPv4")]
    assert told(cluster, "TopologyAwareHintsEnabled") == enabled
    cluster.change("Deployment", "web", replicas=6)
    cluster.settle()
    assert len(hinted(cluster)) == 6
    assert all(zone == hint for zone, hint in hinted(cluster))
    assert told(cluster, "TopologyAwareHintsEnabled") == enabled


def test_auto_with_too_few_endpoints_says_why_there_are_no_hints(cluster):
    auto(cluster, trafficDistribution="PreferSameZone")
    cluster.deployment("web", 2)
    cluster.settle()
    assert {hint for _, hint in hinted(cluster)} == {"-"}
    why = "Insufficient number of endpoints (2 endpoints, 3 zones), addressType: IPv4"
    assert ("Warning", why) in told(cluster, "TopologyAwareHintsDisabled")


def test_a_zone_that_gets_ready_nodes_gets_its_share(cluster):
    auto(cluster)
    cluster.set_node("n3", "False")
    cluster.deployment("web", 6)
    cluster.settle()
    assert {hint for _, hint in hinted(cluster)} == {"zone-a", "zone-b"}
    cluster.set_node("n3", "True")
    cluster.settle()
    assert sorted(hint for _, hint in hinted(cluster)) == ["zone-a", "zone-a", "zone-b", "zone-b", "zone-c", "zone-c"]


def test_taking_the_annotation_away_takes_the_hints_away(cluster):
    auto(cluster)
    cluster.deployment("web", 3)
    cluster.settle()
    made = cluster.store.get("Service", "default", "web")
    made["metadata"]["annotations"] = {}
    cluster.store.update(made)
    cluster.settle()
    assert {hint for _, hint in hinted(cluster)} == {"-"}
    gone = ("Warning", "Topology Aware Hints has been disabled, addressType: IPv4")
    assert gone in told(cluster, "TopologyAwareHintsDisabled")
