"""Recorded sequences of writes, as kube-apiserver 1.36 answered them, played on the pure functions."""

import json
from pathlib import Path

import pytest

from switchboard.api import managed, managed_scale, managed_types
from switchboard.api.errors import ApiError
from switchboard.api.patch import json_patch, merge_patch, strategic
from switchboard.k8s import schemas
from switchboard.k8s.defaults import default
from switchboard.k8s.kinds import kind_of
from switchboard.k8s.objects import metadata

AGENT = "replay/1.0"


class Played:
    """One object and its writes, one minute after the other."""

    def __init__(self):
        self.object = None
        self.minutes = 0

    def write(self, step):
        self.minutes += 1
        self.object = self._written(step)
        return self.object

    def _written(self, step):
        body, verb, subresource = step["body"], step["verb"], step.get("subresource", "")
        if verb in ("create", "update") or (step.get("type") == "apply" and self.object is None):
            self.api_version, self.kind = body.get("apiVersion", "v1"), body.get("kind", "ConfigMap")
        writer = self._writer(step, subresource)
        if step.get("type") == "apply":
            found = managed.apply(self.object, body, writer, force=step.get("force", False))
            return self._stored(found)
        if subresource == "scale":
            scale = {"spec": {"replicas": self.object["spec"]["replicas"]}}
            wanted = merge_patch.apply(scale, body)
            new = {**self.object, "spec": {**self.object["spec"], "replicas": wanted["spec"]["replicas"]}}
            return managed_scale.updated(self.object, new, writer)
        new = body if verb in ("create", "update") else self._patched(step["type"], body)
        return self._stored(managed.update(self.object, default(new), writer))

    def _writer(self, step, subresource):
        kind = kind_of(self.api_version, self.kind)
        return managed.Writer(
            manager=managed.manager_name(step.get("manager", ""), AGENT),
            api_version=self.api_version,
            kind=self.kind,
            time=f"2026-11-23T12:{self.minutes:02}:00Z",
            types=managed_types.built_in(self.api_version, self.kind),
            subresource=subresource,
            reset=managed.reset_fields(status_subresource=kind.status_subresource, subresource=subresource),
        )

    def _patched(self, type_, body):
        if type_ == "json":
            return json_patch.apply(self.object, body)
        if type_ == "strategic":
            return strategic.apply(self.object, body, schemas.schema_of(self.api_version, self.kind))
        merge_patch.check(body)
        return merge_patch.apply(self.object, body)

    def _stored(self, obj):
        found = default(obj)
        meta = {k: v for k, v in metadata(found).items() if v not in ({}, [])}
        namespaced = kind_of(self.api_version, self.kind).namespaced
        return {**found, "metadata": {**meta, **({"namespace": "team"} if namespaced else {})}}


def play(case):
    played = Played()
    for step in case["steps"]:
        if step["status"] >= 400:
            _refused(played, step)
        else:
            _compare(played.write(step), step)


def _refused(played, step):
    with pytest.raises(ApiError) as refusal:
        played.write(step)
    error = refusal.value
    assert error.code == step["status"]
    assert error.reason == step.get("reason", "")
    assert sorted([c.field, c.reason] for c in error.causes) == sorted(step.get("causes", []))
    if error.code in (409, 500):
        assert error.message == step["message"]


def _compare(obj, step):
    if "managedFields" in step:
        assert _timed(metadata(obj).get("managedFields")) == _timed(step["managedFields"])
    if "object" in step:
        meta = {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "resourceVersion")}
        assert {**obj, "metadata": meta} == step["object"]
    for path, expected in step.get("only", {}).items():
        found = obj
        for part in path.split("."):
            found = found[part]
        assert found == expected


def _timed(entries):
    """Entries in one order, with times as kept or not."""
    marked = [{**e, "time": "<time>"} if "time" in e else e for e in entries or ()]
    return sorted(marked, key=lambda e: (e["operation"], e["manager"], e.get("subresource", "")))


CASES = Path(__file__).parents[1] / "cases" / "api"


def recorded(name):
    lines = (CASES / f"patch-{name}.jsonl").read_text().splitlines()
    return [pytest.param(case, id=case["id"]) for case in map(json.loads, lines)]


@pytest.mark.parametrize("case", recorded("json"))
def test_json_patch(case):
    play(case)


@pytest.mark.parametrize("case", recorded("merge"))
def test_merge_patch(case):
    play(case)


@pytest.mark.parametrize("case", recorded("strategic"))
def test_strategic_merge_patch(case):
    play(case)


@pytest.mark.parametrize("case", recorded("apply"))
def test_server_side_apply_and_ownership(case):
    play(case)
