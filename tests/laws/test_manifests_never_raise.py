"""Any text yields manifests or findings, and what is loaded can be checked without an exception."""

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.k8s import schemas
from switchboard.k8s.manifests import load

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
    for manifest in manifests:
        schemas.validate(manifest)


@given(st.dictionaries(KEYS, VALUES))
@settings(max_examples=200)
def test_what_is_written_is_read(value):
    """Through YAML and through JSON the same object arrives."""
    expected = [] if str(value.get("kind")).endswith("List") and "items" in value else [value]
    for text in (yaml.safe_dump(value, default_style='"'), json.dumps(value), json.dumps(value, ensure_ascii=False)):
        manifests, _ = load(text, "f")
        if expected:
            assert [m.object for m in manifests] == expected
