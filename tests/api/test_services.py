"""Requests recorded from kube-apiserver 1.36, replayed on the store without HTTP: Services and their allocations."""

import copy
import json
import re
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from switchboard.api import errors
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.store import Store

CASES = Path(__file__).parents[1] / "cases" / "api" / "store-services.jsonl"
DROPPED = ("uid", "resourceVersion", "creationTimestamp", "selfLink", "managedFields")
REFERENCE = re.compile(r"\$(?:\{([A-Za-z]\w*)\}|([A-Za-z]\w*))")


# Recorded answers that we do not give yet, with the difference.
DIFFERENT: dict[str, str] = {}


def load():
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def parameters():
    for case in load():
        why = DIFFERENT.get(case["id"])
        yield pytest.param(case, id=case["id"], marks=pytest.mark.xfail(reason=why) if why else ())


def open_store(*service_cidrs):
    numbers, random = count(1), count(3)
    return Store(
        admission=KubernetesAdmission(service_cidrs or ("10.96.0.0/12",)),
        clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
        uid=lambda: str(UUID(int=next(numbers))),
        randrange=lambda n: (next(random) * 2654435761 >> 5) % n,
    )


def merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class Replay:
    """One case against a fresh store: substitutes names, sends a step, normalises the answer."""

    def __init__(self, case):
        self.store = open_store()
        self.names = {"ns": "case"}
        self.store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "case"}})
        self.sent = json.dumps([step.get("body") for step in case["steps"]])

    def fill(self, value):
        if isinstance(value, dict):
            if "$use" in value:
                return self.use(value)
            if set(value) == {"$repeat"}:
                return value["$repeat"][0] * value["$repeat"][1]
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            whole = REFERENCE.fullmatch(value)
            if whole and (whole[1] or whole[2]) in self.names:
                return self.names[whole[1] or whole[2]]
            return REFERENCE.sub(lambda m: str(self.names.get(m[1] or m[2], m[0])), value)
        return value

    def use(self, value):
        body = copy.deepcopy(self.names[value["$use"]])
        body = merged(body, self.fill(value.get("$merge", {})))
        for path, item in value.get("$set", {}).items():
            holder, last = self.walk(body, path)
            holder[last] = self.fill(item)
        for path in value.get("$unset", []):
            holder, last = self.walk(body, path)
            if isinstance(holder, list):
                del holder[last]
            else:
                holder.pop(last, None)
        return body

    @staticmethod
    def walk(body, path):
        *parents, last = path.split(".")
        for part in parents:
            body = body[int(part)] if isinstance(body, list) else body.setdefault(part, {})
        return body, int(last) if isinstance(body, list) else last

    def send(self, step):
        path = self.fill(step["path"])
        parts = path.removeprefix("/api/v1/namespaces/").split("/")
        namespace, name, subresource = parts[0], *([*parts[2:], "", ""][:2])
        body = self.fill(step.get("body"))
        try:
            return self.call(step, namespace, name, subresource, body)
        except errors.ApiError as error:
            return error.code, error.status()

    def call(self, step, namespace, name, subresource, body):
        store = self.store
        if "/networking.k8s.io/" in step["path"]:
            return 200, store.get("IPAddress", "", self.fill(step["path"]).rpartition("/")[2])
        if isinstance(body, dict) and step["method"] in ("POST", "PUT"):
            body.setdefault("metadata", {}).setdefault("namespace", namespace)
        match step["method"]:
            case "POST":
                return 201, store.create(body)
            case "GET":
                return 200, store.get("Service", namespace, name)
            case "DELETE":
                return 200, store.delete("Service", namespace, name)
            case "PATCH":
                body = merged(store.get("Service", namespace, name), body)
                return 200, store.update(body, subresource=subresource)
            case "PUT":
                existed = store.find("Service", namespace, name) is not None
                return 200 if existed else 201, store.update(body, subresource=subresource, create=True)
        raise AssertionError(step["method"])

    def capture(self, step, answer):
        for name, path in step.get("capture", {}).items():
            value = answer
            for part in path.split(".") if path else ():
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.names[name] = copy.deepcopy(value)

    def normalise(self, obj):
        """Allocated values that the case did not send become placeholders, captured ones their names."""
        obj = copy.deepcopy(obj)
        for field in DROPPED:
            obj.get("metadata", {}).pop(field, None)
        if obj.get("metadata", {}).get("deletionTimestamp"):
            obj["metadata"]["deletionTimestamp"] = "<time>"
        spec = obj.get("spec", {})
        for field in ("clusterIP", "healthCheckNodePort"):
            if field in spec:
                spec[field] = self.placeholder(spec[field], field)
        if "clusterIPs" in spec:
            spec["clusterIPs"] = [self.placeholder(ip, "clusterIP") for ip in spec["clusterIPs"]]
        for port in spec.get("ports", []):
            if "nodePort" in port:
                port["nodePort"] = self.placeholder(port["nodePort"], "nodePort")
        return self.named(obj)

    def placeholder(self, value, field):
        if value == "None" or json.dumps(value) in self.sent or value in self.names.values():
            return value
        return f"<{field}>"

    def named(self, value):
        if isinstance(value, dict):
            return {key: self.named(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.named(item) for item in value]
        for name, known in self.names.items():
            if value == known and (isinstance(known, str) or (isinstance(known, int) and known >= 30000)):
                return f"${name}"
        return value


def failure(case):
    """The first difference between the recorded and our answers, empty when they agree."""
    replay = Replay(case)
    for number, step in enumerate(case["steps"]):
        status, answer = replay.send(step)
        expected = step["expect"]
        if status != expected["status"]:
            return f"step {number}: {status} {answer.get('message', '')}, recorded {expected}"
        if step.get("check") == "status":
            replay.capture(step, answer)
            continue
        if status >= 400:
            causes = {(c.get("field", ""), c.get("reason", "")) for c in answer.get("details", {}).get("causes", [])}
            if answer.get("reason", "") != expected["reason"] or causes != {tuple(c) for c in expected["causes"]}:
                return f"step {number}: {answer.get('reason')} {sorted(causes)}, recorded {expected['causes']}"
            continue
        replay.capture(step, answer)
        found = replay.normalise(answer)
        if found != expected["object"]:
            return f"step {number}: {json.dumps(found)}\n recorded {json.dumps(expected['object'])}"
    return ""


@pytest.mark.parametrize("case", list(parameters()))
def test_the_store_answers_as_kube_apiserver_did(case):
    assert failure(case) == ""
