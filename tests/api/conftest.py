from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
import pytest

from switchboard.api.access import bootstrap
from switchboard.api.access.identity import MASTERS, StaticTokens, User
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.server.request import Request, query_of
from switchboard.api.server.router import ApiServer
from switchboard.api.store import Store


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(clock):
    """Opens a store; without arguments it has no admission."""

    def open_(admission=None):
        numbers, random = count(1), count(3)
        return Store(
            clock=clock,
            uid=lambda: str(UUID(int=next(numbers))),
            randrange=lambda n: (next(random) * 2654435761 >> 5) % n,
            admission=admission,
        )

    return open_


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def cluster_store(open_store):
    """A store with the rules of Kubernetes and a dual-stack cluster would need two ranges: this one has IPv4."""
    return open_store(KubernetesAdmission())


@pytest.fixture
def config_map():
    def make(name="m", namespace="default", **fields):
        meta = {"name": name, "namespace": namespace, **fields.pop("metadata", {})}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **fields}

    return make


@pytest.fixture
def deployment():
    def make(name="d", replicas=1, **meta):
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        meta = {"name": name, "namespace": "default", **meta}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}

    return make


class Asker:
    """Sends requests to a server as one of its users; answers are (status, decoded body)."""

    def __init__(self, store):
        self.store = store
        users = {"admin": User("admin", (MASTERS,)), "ann": User("ann", ("team",))}
        self.server = ApiServer(store, [StaticTokens(users)], sign=lambda *_: "signed")

    def request(self, method, path, body=None, *, user="admin", query="", **headers):
        sent = [(k.replace("_", "-"), v) for k, v in headers.items()]
        if user:
            sent.append(("authorization", f"Bearer {user}"))
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return Request(method, path, query_of(query), tuple(sent), data)

    def answer(self, *arguments, **options):
        return self.server.handle(self.request(*arguments, **options))

    def __call__(self, *arguments, **options):
        found = self.answer(*arguments, **options)
        try:
            return found.status, msgspec.json.decode(found.body)
        except msgspec.DecodeError:
            return found.status, found.body.decode()


@pytest.fixture
def ask(open_store):
    store = open_store(KubernetesAdmission())
    bootstrap.start(store)
    return Asker(store)
