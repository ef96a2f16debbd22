def service(cluster, **spec):
    spec = {"clusterIP": "10.96.0.10", "ports": [{"port": 80, "targetPort": "http"}], **spec}
    return cluster.create("Service", "web", spec={"selector": {"app": "web"}, **spec})


def endpoints(cluster):
    return cluster.store.find("Endpoints", "default", "web")


def test_ready_and_unready_addresses_stand_apart(cluster):
    service(cluster)
    cluster.deployment("web", 3)
    cluster.settle()
    sick = cluster.pods(app="web")[0]
    cluster.set_ready(sick, False)
    cluster.settle()
    (subset,) = endpoints(cluster)["subsets"]
    assert len(subset["addresses"]) == 2
    assert [a["ip"] for a in subset["notReadyAddresses"]] == [sick["status"]["podIP"]]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert endpoints(cluster)["metadata"]["labels"] == {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def test_terminating_pods_are_left_out_unless_unready_ones_are_wanted(cluster):
    service(cluster)
    cluster.deployment("web", 1)
    cluster.settle()
    cluster.agent = False
    cluster.change("Deployment", "web", replicas=0)
    cluster.settle()
    assert "subsets" not in endpoints(cluster)
    cluster.change("Service", "web", publishNotReadyAddresses=True)
    cluster.settle()
    assert len(endpoints(cluster)["subsets"][0]["addresses"]) == 1


def test_more_than_a_thousand_addresses_are_cut(cluster, template):
    service(cluster, ports=[{"port": 80, "targetPort": 8080}])
    for number in range(1005):
        name = f"p{number:04}"
        made = cluster.create("Pod", name, labels={"app": "web"}, spec={"nodeName": "n1", **template({})["spec"]})
        if number % 2:
            cluster.set_ready(made, True)
        else:
            cluster.set_ready(made, False)
    cluster.loop.run_until_settled()
    found = endpoints(cluster)
    (subset,) = found["subsets"]
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (502, 498)
    assert found["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"


def test_headless_services_are_marked(cluster):
    service(cluster, clusterIP="None")
    cluster.settle()
    assert endpoints(cluster)["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
