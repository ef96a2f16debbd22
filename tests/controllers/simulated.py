"""A cluster without a kernel: store, controllers, and a node agent that makes scheduled pods ready at once."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from switchboard.api.store import Store
from switchboard.controllers._contract import Controller
from switchboard.run.controllers import ControllerLoop, discover

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class SimulatedCluster:
    def __init__(self, controllers=None, *, admission=None, settings=None, effects=None, storage=None):
        self.now = START
        numbers = count(1)
        state = count(7)
        self.store = Store(
            clock=lambda: self.now,
            uid=lambda: str(UUID(int=next(numbers))),
            # Any sequence serves; this one spreads over small ranges and repeats at each run.
            randrange=lambda n: (next(state) * 2654435761 >> 7) % n,
            admission=admission,
            storage=storage,
        )
        self.controllers: tuple[Controller, ...] = tuple(controllers) if controllers is not None else discover()
        self.loop = ControllerLoop(
            self.store, self.controllers, clock=lambda: self.now, settings=settings, effects=effects
        )
        self.addresses = count(1)
        self.agent = True
        for name in ("default", "kube-system"):
            if self.store.find("Namespace", "", name) is None:
                self.create("Namespace", name, namespace="")

    def create(self, kind, name, *, namespace="default", labels=None, annotations=None, api_version=None, **fields):
        from switchboard.api.store import kind_named

        meta = {"name": name}
        if namespace:
            meta["namespace"] = namespace
        if labels:
            meta["labels"] = labels
        if annotations:
            meta["annotations"] = annotations
        return self.store.create(
            {"apiVersion": api_version or kind_named(kind).api_version, "kind": kind, "metadata": meta, **fields}
        )

    def node(self, name, zone="", **spec):
        labels = {"kubernetes.io/hostname": name}
        if zone:
            labels["topology.kubernetes.io/zone"] = zone
        return self.create("Node", name, namespace="", labels=labels, spec=spec)

    def set_node(self, name, ready="True", cpu="4", reason="KubeletReady"):
        """What a kubelet tells of its node; ``ready`` may be Unknown."""
        now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        node = self.store.get("Node", "", name)
        condition = {"type": "Ready", "status": ready, "reason": reason, "lastTransitionTime": now}
        status = {"allocatable": {"cpu": cpu}, "conditions": [condition]}
        return self.store.update_status({**node, "status": status})

    def deployment(self, name, replicas=3, image="app:1", labels=None, **spec):
        labels = labels or {"app": name}
        return self.create("Deployment", name, spec={
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(labels, image),
            **spec,
        })  # fmt: skip

    def change(self, kind, name, namespace="default", **spec):
        found = self.store.get(kind, namespace, name)
        found["spec"] = {**found.get("spec", {}), **spec}
        return self.store.update(found)

    def settle(self, rounds=300):
        """Controllers and node agent in turn until neither has anything to do."""
        for _ in range(rounds):
            self.loop.run_until_settled()
            if not (self.agent and self.act()):
                return
        raise AssertionError("controllers and pods do not come to rest")

    def act(self):
        """What a kubelet does: run pods that have a node, end those whose deletion is asked for."""
        did = False
        for pod in self.store.list("Pod")[0]:
            meta = pod["metadata"]
            if not pod["spec"].get("nodeName"):
                continue
            if meta.get("deletionTimestamp"):
                self.store.delete("Pod", meta["namespace"], meta["name"], grace_period_seconds=0)
                did = True
            elif not pod.get("status", {}).get("podIP"):
                self.set_ready(pod, True)
                did = True
        return did

    def set_ready(self, pod, ready):
        now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        status = dict(pod.get("status", {}))
        kept = [c for c in status.get("conditions", []) if c["type"] != "Ready"]
        if not status.get("podIP"):
            number = next(self.addresses)
            status["podIP"] = f"10.244.{number // 250}.{number % 250 + 1}"
            status["podIPs"] = [{"ip": status["podIP"]}]
        status["phase"] = "Running"
        ready_condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}
        status["conditions"] = [*kept, ready_condition]
        return self.store.update_status({**pod, "status": status})

    def pods(self, **labels):
        found, _ = self.store.list("Pod", None, ",".join(f"{k}={v}" for k, v in labels.items()))
        return found

    def events(self, reason=None):
        found, _ = self.store.list("Event")
        return [e for e in found if reason in (None, e["reason"])]

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.settle()

    def plans(self):
        """What every controller would do now, looking at everything: nothing, when all is settled."""
        from switchboard.controllers._snapshot import Cache, Snapshot

        cache = Cache()
        for controller in self.controllers:
            for kind in controller.reads:
                for record in self.store.records(kind):
                    cache.put(kind, (record.namespace, record.name), record.object)
        return {
            c.name: c.reconcile(Snapshot(cache, c.reads, None, self.loop._settings), self.now).operations
            for c in self.controllers
        }


def template(labels, image="app:1", **spec):
    ports = [{"name": "http", "containerPort": 8080}]
    container = {"name": "c", "image": image, "ports": ports}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
