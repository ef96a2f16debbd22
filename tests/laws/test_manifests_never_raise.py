"""Any text yields manifests or findings, and what is loaded can be checked without an exception."""

import copy
import json
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.k8s import schemas
from switchboard.k8s.acceptance import review
from switchboard.k8s.defaults import default, default_on_read
from switchboard.k8s.manifests import load
from switchboard.k8s.service_update import carried
from switchboard.k8s.validation import validate

LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)
KEYS = st.sampled_from(["apiVersion", "kind", "metadata", "spec", "name", "ports", "items", "port", "a.b/c", "é"])
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)
LINE = st.sampled_from(["---", "a: 1", "kind: Service", "- x", "  b: &x", "*x", "<<: *x", "\t", "{", "'", "# c"])
LINES = st.lists(LINE)


@given(st.text() | LINES.map("\n".join))
def test_any_text(text):
    manifests, findings = load(text, "f")
    for finding in findings:
        assert finding.message
        assert finding.hint
    review(manifests)


@given(st.dictionaries(KEYS, VALUES))
@settings(max_examples=200)
def test_what_is_written_is_read(value):
    """Through YAML and through JSON the same object arrives."""
    expected = [] if str(value.get("kind")).endswith("List") and "items" in value else [value]
    for text in (yaml.safe_dump(value, default_style='"'), json.dumps(value), json.dumps(value, ensure_ascii=False)):
        manifests, _ = load(text, "f")
        if expected:
            assert [m.object for m in manifests] == expected


CASES = Path(__file__).parents[1] / "cases" / "api"
AREAS = ("ingresses", "networkpolicies", "services", "workloads")
LINES_OF_CASES = [line for area in AREAS for line in (CASES / f"{area}.jsonl").read_text().splitlines()]
RECORDED = [case["send"] for case in map(json.loads, LINES_OF_CASES) if "old" not in case and len(str(case)) < 4000]
STRANGE = st.sampled_from([None, "", "None", "x y", "5%", 0, -1, 2**40, 1.5, True, [], {}, [None], [0], {"a": 0}])


def places(value, path=()):
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


@st.composite
def disturbed(draw):
    """A recorded request with up to three of its values replaced by strange ones."""
    obj = copy.deepcopy(draw(st.sampled_from(RECORDED)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(places(obj)) or [("spec",)]))
        parent = obj
        for step in path[:-1]:
            parent = parent[step]
        if path not in (("kind",), ("apiVersion",)):
            parent[path[-1]] = copy.deepcopy(draw(STRANGE))
    return obj


@given(disturbed(), disturbed())
@settings(max_examples=500)
def test_objects_of_any_shape(new, old):
    """Whatever stands in an object, it is judged, defaulted, carried over and validated without an exception."""
    schemas.check(new)
    for candidate in (new, default(new)):
        validate(candidate)
        validate(carried(candidate, default(old)), default(old))
        default_on_read(candidate, ("IPv4",))
