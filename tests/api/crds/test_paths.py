import pytest

from switchboard.api.crds import paths

OBJECT = {
    "metadata": {"annotations": {"e.com/x": "a"}},
    "spec": {"ports": [{"port": 1}, {"port": 2}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.ports[0].port", [1]),
        (".spec.ports[-1].port", [2]),
        (".spec.ports[*].port", [1, 2]),
        (".spec.ports[7].port", []),
        (".spec.missing.port", []),
        (r".metadata.annotations.e\.com/x", ["a"]),
        (".metadata.annotations['e.com/x']", ["a"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type!='Ready')].status", ["False"]),
        (".spec.ports[?(@.port==2)].port", [2]),
        ("{.spec.ports[0].port}", [1]),
    ],
)
def test_values_at_a_path(path, values):
    assert paths.find(paths.parse(path), OBJECT) == values


@pytest.mark.parametrize("path", ["", "spec", ".spec[", ".a..b", ".a[x]", "$.a", ".a[?(@.b)]"])
def test_what_is_no_path(path):
    assert paths.parse(path) is None


def test_only_keys_are_simple():
    assert paths.simple(".spec.replicas") == ("spec", "replicas")
    assert paths.simple(".spec.a[0]") is paths.simple(".spec.a[*]") is None


def test_setting_makes_what_is_missing():
    obj = {"spec": None}
    paths.put(("spec", "a", "b"), obj, 3)
    assert obj == {"spec": {"a": {"b": 3}}}
    assert paths.get(("spec", "a", "b"), obj) == 3
    assert paths.get(("spec", "x", "b"), obj) is None
