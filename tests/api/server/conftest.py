import msgspec
import pytest

from switchboard.api.access import bootstrap
from switchboard.api.access.identity import MASTERS, StaticTokens, User
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.server.request import Request, query_of
from switchboard.api.server.router import ApiServer


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


MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def config_map():
    def make(name="m", **fields):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}

    return make
