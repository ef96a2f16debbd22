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
from switchboard.run.controllers import ControllerLoop, discover

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
partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
running = st.one_of(
    workload("DaemonSet"),
    workload("StatefulSet", serviceName="s"),
    workload("StatefulSet", serviceName="s", podManagementPolicy="Parallel"),
    workload("StatefulSet", serviceName="s", updateStrategy=partition),
    workload("ReplicaSet"),
    workload("Deployment", strategy={"type": "Recreate"}),
    workload("Deployment"),
)
jobs = st.sampled_from((
    ("Job", job_spec),
    ("Job", {**job_spec, "completions": 3, "completionMode": "Indexed", "ttlSecondsAfterFinished": 5}),
))  # fmt: skip
others = st.one_of(budgets, hand_made, cron_jobs.map(cron_job), jobs)


def put(objects):
    return st.tuples(st.just("put"), st.integers(0, 3), objects)


# Every story begins with something of each sort: alone, most objects mean little.
openings = st.tuples(put(running), put(services), put(others), put(running), put(services))
steps = st.one_of(
    put(st.one_of(running, services, others)),
    st.tuples(st.just("delete"), st.integers(0, 3), st.sampled_from(("Background", "Foreground", "Orphan"))),
    st.tuples(st.just("node"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("health"), st.integers(0, 3), st.sampled_from(("True", "False", "Unknown"))),
    st.tuples(st.just("cordon"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("unready"), st.integers(0, 9), st.none()),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(("Succeeded", "Failed"))),
    st.tuples(st.just("wait"), st.sampled_from((1, 70, 4000)), st.none()),
    st.tuples(st.just("settle"), st.none(), st.none()),
)
actions = st.tuples(openings, st.lists(steps, min_size=2, max_size=10)).map(lambda story: [*story[0], *story[1]])


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
    # The other steps act on what is there at the moment, which waking changes; so do a ReplicaSet, which leaves
    # pods of an older template alone, and a partition, below which pods stay as they were made.
    puts = [step for step in steps if step[0] == "put"]
    steps = [step for step in puts if step[2][0] != "ReplicaSet" and "updateStrategy" not in step[2][1]]
    ends = []
    for eager in (False, True):
        cluster = make()
        for step in steps:
            play(cluster, [step])
            if eager:
                cluster.settle()
        cluster.settle()
        ends.append(summary(cluster))
    assert ends[0] == ends[1]


class Killed(BaseException):
    """What ends a process between two writes: nothing catches it."""


def kill_after(cluster, writes):
    """Let the store refuse everything after that many writes, as if the process had ended."""
    left = [writes]

    def deadly(method):
        def call(*args, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return method(*args, **kwargs)

        return call

    saved = {name: getattr(cluster.store, name) for name in ("create", "update", "delete")}
    for name, method in saved.items():
        setattr(cluster.store, name, deadly(method))
    try:
        cluster.loop.run_until_settled()
    except Killed:
        pass
    finally:
        for name in saved:
            delattr(cluster.store, name)


@given(actions, st.lists(st.integers(0, 12), min_size=1, max_size=4))
@relaxed
def test_controllers_killed_at_any_write_go_on_where_they_were(steps, deaths):
    """Processes that end after any write, and new ones that know nothing but the store, come to the same end."""
    steps = [step for step in steps if step[0] == "put"]
    straight, broken = make(), make()
    for cluster in (straight, broken):
        play(cluster, steps)
    for writes in deaths:
        kill_after(broken, writes)
        broken.loop = ControllerLoop(
            broken.store, broken.controllers, clock=lambda: broken.now, settings=broken.loop._settings
        )
        broken.act()
    for cluster in (straight, broken):
        cluster.settle()
    assert summary(straight) == summary(broken)
    assert {name: plan for name, plan in broken.plans().items() if plan} == {}


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
