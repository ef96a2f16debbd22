import pytest

from switchboard.k8s.manifests import load

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    example.com/a.b: x
spec:
  ports:
  - name: http
    port: 80
  - port: 81
"""


def only(text):
    manifests, findings = load(text, "f.yaml")
    assert findings == []
    assert len(manifests) == 1
    return manifests[0]


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("", "f.yaml:1:1"),
        ("metadata.name", "f.yaml:4:3"),
        ("metadata.annotations[example.com/a.b]", "f.yaml:6:5"),
        ("metadata.annotations.example.com/a.b", "f.yaml:6:5"),
        ("spec.ports[0]", "f.yaml:9:5"),
        ("spec.ports[0].port", "f.yaml:10:5"),
        ("spec.ports[1].targetPort", "f.yaml:11:5"),
        ("spec.ports[7].port", "f.yaml:8:3"),
        ("spec.type", "f.yaml:7:1"),
        ("annotations.other", "f.yaml:1:1"),
    ],
)
def test_fields_have_places_and_missing_ones_those_of_their_parent(field, place):
    assert str(only(SERVICE).place(field)) == place


def test_lists_are_taken_apart():
    text = "kind: List\nitems:\n- kind: A\n  spec:\n    a: 1\n"
    text += "- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - {data: {}}\n"
    manifests, findings = load(text, "f")
    assert findings == []
    assert [m.object["kind"] for m in manifests] == ["A", "ConfigMap"]
    assert manifests[1].object["apiVersion"] == "v1"
    assert [str(m.place("spec.a")) for m in manifests] == ["f:5:5", "f:9:5"]


def test_an_empty_list_has_no_objects():
    assert load("kind: List\nitems:\n", "f") == ([], [])


@pytest.mark.parametrize(
    ("text", "reference", "line"),
    [
        ("- alert: x\n", "not-an-object", 1),
        ("# c\njust text\n", "not-an-object", 2),
        ("kind: List\nitems: {}\n", "wrong-type", 2),
        ("kind: List\nitems:\n- 3\n", "not-an-object", 3),
        ("kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n", "kustomization", 1),
    ],
)
def test_what_is_no_object_is_a_finding(text, reference, line):
    manifests, findings = load(text, "f")
    assert manifests == []
    assert [(f.reference, f.place.line) for f in findings] == [(reference, line)]
    assert findings[0].hint


def test_nothing_is_nothing():
    assert load("", "f") == ([], [])
    assert load("---\n---\n# nothing\n", "f") == ([], [])
