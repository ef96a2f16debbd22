"""Laws of all controllers over small random clusters: rest, purity, and the kinds they declared."""

import copy
import runpy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.api.admission import KubernetesAdmission
from switchboard.controllers._contract import Create, Delete, Update, UpdateStatus
from switchboard.controllers._snapshot import Cache, Snapshot
from switchboard.run.controllers import discover

_SIMULATED = runpy.run_path(str(Path(__file__).parents[1] / "controllers" / "simulated.py"))
SimulatedCluster, template = _SIMULATED["SimulatedCluster"], _SIMULATED["template"]

APPS = ("a", "b")
labels = st.sampled_from(APPS).map(lambda app: {"app": app})


def workload(kind, **extra):
    def build(values):
        chosen, image, replicas = values
        spec = {"selector": {"matchLabels": chosen}, "template": template(chosen, image), **extra}
        return (kind, spec if kind == "DaemonSet" else {"replicas": replicas, **spec})

    images = st.sampled_from(("app:1", "app:2"))
    return st.tuples(labels, images, st.integers(0, 4)).map(build)


def service(values):
    kind, selector, ports, distribution, mode = values
    spec = {"type": kind, "ports": [{"name": f"p{p}", "port": p, "targetPort": t} for p, t in ports]}
    if selector:
        spec["selector"] = selector
    if distribution:
        spec["trafficDistribution"] = distribution
    if mode:
        spec["annotations"] = {"service.kubernetes.io/topology-mode": mode}
    return ("Service", spec)


services = st.tuples(
    st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")),
    st.one_of(st.none(), labels),
    st.lists(
        st.tuples(st.integers(80, 90), st.sampled_from((8080, "http", "nowhere"))), min_size=1, max_size=2,
        unique_by=lambda p: p[0],
    ),
    st.sampled_from((None, "PreferSameZone", "PreferSameNode")),
    st.sampled_from((None, "Auto")),
).map(service)  # fmt: skip
def cron_job(values):
    schedule, policy = values
    spec = {"template": template({"app": "j"}, restartPolicy="Never")}
    return ("CronJob", {"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": {"spec": spec}})


addresses = st.lists(st.sampled_from(("192.0.2.1", "192.0.2.2", "2001:db8::1")), unique=True, max_size=3)


def endpoints(values):
    ready, port, label = values
    subset = {"addresses": [{"ip": ip} for ip in ready], "ports": [{"port": port}]}
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"} if label else {}
    return ("Endpoints", {"subsets": [subset] if ready else [], "labels": labels})


hand_made = st.tuples(addresses, st.sampled_from((80, 81)), st.booleans()).map(endpoints)
job_spec = {"parallelism": 2, "template": template({"app": "j"}, restartPolicy="Never")}
cron_jobs = st.tuples(
    st.sampled_from(("* * * * *", "@hourly", "never")), st.sampled_from(("Allow", "Forbid", "Replace"))
)
budget_limits = ({"minAvailable": 1}, {"minAvailable": "50%"}, {"maxUnavailable": 1}, {"maxUnavailable": "30%"})
budgets = st.tuples(labels, st.sampled_from(budget_limits)).map(
    lambda values: ("PodDisruptionBudget", {"selector": {"matchLabels": values[0]}, **values[1]})
)
workloads = st.one_of(
    workload("Deployment"),
    workload("Deployment", strategy={"type": "Recreate"}),
    workload("ReplicaSet"),
    workload("StatefulSet", serviceName="s"),
    workload("StatefulSet", serviceName="s", podManagementPolicy="Parallel"),
    workload("DaemonSet"),
    st.just(("Job", job_spec)),
    st.just(("Job", {**job_spec, "completions": 3, "completionMode": "Indexed", "ttlSecondsAfterFinished": 5})),
    services,
    hand_made,
    cron_jobs.map(cron_job),
    budgets,
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), workloads),
        st.tuples(st.just("delete"), st.integers(0, 3), st.sampled_from(("Background", "Foreground", "Orphan"))),
        st.tuples(st.just("node"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("health"), st.integers(0, 3), st.sampled_from(("True", "False", "Unknown"))),
        st.tuples(st.just("cordon"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("unready"), st.integers(0, 9), st.none()),
        st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(("Succeeded", "Failed"))),
        st.tuples(st.just("wait"), st.sampled_from((1, 70, 4000)), st.none()),
        st.tuples(st.just("settle"), st.none(), st.none()),
    ),
    max_size=8,
)


def play(cluster, steps):
    """Carry out a random story; what the API refuses is no part of it."""
    from switchboard.api.errors import ApiError

    for action, number, detail in steps:
        try:
            _act(cluster, action, number, detail)
        except ApiError:
            continue


def put_endpoints(cluster, name, subsets, labels):
    found = cluster.store.find("Endpoints", "default", name)
    if found is None:
        cluster.create("Endpoints", name, labels=labels, subsets=subsets)
    else:
        cluster.store.update({**found, "metadata": {**found["metadata"], "labels": labels}, "subsets": subsets})


def _act(cluster, action, number, detail):
    store = cluster.store
    if action == "put":
        kind, spec = detail[0], copy.deepcopy(detail[1])
        annotations = spec.pop("annotations", {})
        if kind == "Endpoints":
            put_endpoints(cluster, f"x{number}", **spec)
        elif store.find(kind, "default", f"x{number}") is None:
            cluster.create(kind, f"x{number}", annotations=annotations, spec=spec)
        else:
            cluster.change(kind, f"x{number}", **spec)
    elif action == "delete":
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service", "Endpoints", "CronJob",
                     "PodDisruptionBudget"):
            if store.find(kind, "default", f"x{number}") is not None:
                store.delete(kind, "default", f"x{number}", propagation_policy=detail)
    elif action == "node":
        if store.find("Node", "", f"n{number}") is None:
            cluster.node(f"n{number}", f"zone-{number % 2}" if detail else "")
            cluster.set_node(f"n{number}")
        elif number:
            store.delete("Node", "", f"n{number}")
    elif action == "health":
        if store.find("Node", "", f"n{number}") is not None:
            cluster.set_node(f"n{number}", detail)
    elif action == "cordon":
        if store.find("Node", "", f"n{number}") is not None:
            cluster.change("Node", f"n{number}", namespace="", unschedulable=detail)
    elif action == "unready":
        pods = [p for p in cluster.pods() if p.get("status", {}).get("podIP")]
        if pods:
            cluster.set_ready(pods[number % len(pods)], False)
    elif action == "end":
        pods = [p for p in cluster.pods() if p.get("status", {}).get("podIP")]
        if pods:
            pod = pods[number % len(pods)]
            store.update_status({**pod, "status": {**pod["status"], "phase": detail}})
    elif action == "wait":
        cluster.wait(number)
    else:
        cluster.settle()


def make():
    pool = {"load-balancer-pool": ("192.0.2.0/30",)}
    cluster = SimulatedCluster(admission=KubernetesAdmission(), settings=pool)
    cluster.node("n0", "zone-0")
    cluster.node("n1", "zone-1")
    cluster.set_node("n0")
    cluster.set_node("n1")
    return cluster


relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(actions)
@relaxed
def test_controllers_come_to_rest_and_then_plan_nothing(steps):
    cluster = make()
    play(cluster, steps)
    cluster.settle()
    assert {name: plan for name, plan in cluster.plans().items() if plan} == {}
    assert cluster.loop.findings == ()


@given(actions)
@relaxed
def test_the_order_of_waking_does_not_change_the_result(steps):
    """Settling after every step or only at the end leads to the same pods, slices and sizes."""
    ends = []
    for eager in (False, True):
        cluster = make()
        for step in steps:
            play(cluster, [step])
            if eager:
                cluster.settle()
        cluster.settle()
        if any(step[0] in ("unready", "delete", "settle", "node", "health", "cordon", "end", "wait") for step in steps):
            # These act on what is there at the moment, which waking changes.
            return
        ends.append(summary(cluster))
    assert ends[0] == ends[1]


def summary(cluster):
    pods = sorted((p["metadata"]["labels"]["app"], p["spec"]["containers"][0]["image"]) for p in cluster.pods())
    slices = sorted(
        (s["metadata"]["labels"]["kubernetes.io/service-name"], len(s["endpoints"]))
        for s in cluster.store.list("EndpointSlice")[0]
    )
    return pods, slices


@given(actions)
@relaxed
def test_a_controller_leaves_the_snapshot_alone_and_writes_what_it_declared(steps):
    cluster = make()
    play(cluster, steps)
    for controller in cluster.controllers:
        cache = Cache()
        for kind in controller.reads:
            for record in cluster.store.records(kind):
                cache.put(kind, (record.namespace, record.name), record.object)
        before = copy.deepcopy({kind: cache.objects(kind) for kind in controller.reads})
        # A kind that is not declared raises, and each() turns that into an error.
        settings_ = {"load-balancer-pool": ("192.0.2.0/30",)}
        plan = controller.reconcile(Snapshot(cache, controller.reads, None, settings_), cluster.now)
        assert [part.error for part in plan.parts if part.error] == []
        assert before == {kind: cache.objects(kind) for kind in controller.reads}
        assert {kind_of(operation) for operation in plan.operations} - {None} <= controller.writes


def kind_of(operation):
    if isinstance(operation, Delete):
        return operation.kind
    return operation.object["kind"] if isinstance(operation, Create | Update | UpdateStatus) else None


@pytest.mark.parametrize("controller", discover(), ids=lambda c: c.name)
def test_a_controller_declares_known_kinds_and_its_name_is_its_own(controller):
    from switchboard.k8s.kinds import named

    assert all(named(kind) for kind in controller.reads | controller.writes)
    assert controller.name not in [other.name for other in discover() if other is not controller]
