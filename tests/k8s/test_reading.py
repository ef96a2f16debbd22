import pytest

from switchboard.k8s.reading import divide, read


def one(text):
    documents, findings = read(text, "f")
    assert findings == []
    assert len(documents) == 1
    return documents[0]


def refused(text):
    documents, findings = read(text, "f")
    assert documents == []
    assert len(findings) == 1
    return findings[0]


def test_documents_are_divided_at_separators():
    assert [n for n, _ in divide("a: 1\n---\nb: 1\n--- # c\nd: 1\n---x: 1\n")] == [0, 1, 3]
    documents, _ = read("a: 1\n---\n\n# only a comment\n---\nb: 2\n", "f")
    assert [(d.value, d.line) for d in documents] == [({"a": 1}, 1), ({"b": 2}, 6)]


def test_directives_belong_to_the_document_that_follows():
    assert one("%YAML 1.1\n---\na: 1\n").value == {"a": 1}


def test_a_fault_in_one_document_leaves_the_others():
    documents, findings = read("a: 1\n---\nb: [\n---\nc: 3\n", "f")
    assert [d.value for d in documents] == [{"a": 1}, {"c": 3}]
    assert [(f.reference, f.place.line) for f in findings] == [("yaml-invalid", 4)]


def test_merge_keys_give_way_to_written_ones_and_earlier_sources_win():
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\n"
    document = one(text)
    assert document.value["z"] == {"a": 0, "b": 1, "c": 2}
    places = document.tree.parts["z"][2].parts
    assert {key: place[0] for key, place in places.items()} == {"a": 5, "b": 1, "c": 2}


def test_aliases_are_copies_with_the_place_of_the_anchor():
    document = one("a: &a\n  b: 1\nc: *a\n")
    assert document.value["c"] == {"b": 1}
    assert document.value["c"] is not document.value["a"]
    assert document.tree.parts["c"][0] == 3
    assert document.tree.parts["c"][2].parts["b"][0] == 2


def test_keys_given_twice_name_both_places():
    documents, findings = read("spec:\n  a: 1\n  a: 2\n", "f")
    assert documents[0].value == {"spec": {"a": 2}}
    assert [(f.reference, f.place.line, f.place.column) for f in findings] == [("duplicate-key", 3, 3)]
    assert "line 2, column 3" in findings[0].message


def test_a_forgotten_separator_hides_no_object():
    documents, findings = read("apiVersion: v1\nkind: A\nspec: {}\napiVersion: v1\nkind: B\n", "f")
    assert [(d.value["kind"], d.line) for d in documents] == [("A", 1), ("B", 4)]
    assert [(f.reference, f.place.line) for f in findings] == [("missing-document-separator", 4)]


def test_kind_given_twice_in_one_object_is_a_duplicate():
    documents, findings = read("kind: A\nkind: B\n", "f")
    assert len(documents) == 1
    assert [f.reference for f in findings] == ["duplicate-key"]


@pytest.mark.parametrize(
    ("text", "reference", "line", "words"),
    [
        ("a:\n\t- b\n", "yaml-invalid", 2, "spaces"),
        ("a: {{ .Values.x }}\n", "yaml-invalid", 1, "template"),
        ("a: *b\n", "yaml-invalid", 1, "anchor"),
        ("&a [*a]\n", "yaml-invalid", 1, "anchor"),
        ("a: \x07\n", "yaml-invalid", 1, "control"),
        ("a: \ud800\n", "yaml-invalid", 1, "UTF-8"),
        ("a: 'x\n", "yaml-invalid", 2, "closed"),
        ("a: b: c\n", "yaml-invalid", 1, "colon"),
        ("a: .nan\n", "yaml-invalid", 1, "Quote"),
        ("? [a]\n: b\n", "yaml-invalid", 1, "quotes"),
        ("<<: 3\n", "yaml-invalid", 1, "mapping"),
        ("[" * 100_000, "manifest-too-deep", 1, "depth"),
    ],
)
def test_unreadable_text_is_a_finding_with_place_and_hint(text, reference, line, words):
    finding = refused(text)
    assert finding.reference == reference
    assert finding.place.line == line
    assert words in finding.hint


def test_aliases_that_multiply_are_refused():
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    assert refused("a0: &a0 [x, x]\n" + levels).reference == "manifest-too-large"


def test_large_files_are_refused_unread(monkeypatch):
    monkeypatch.setattr("switchboard.k8s.reading.MAX_CHARACTERS", 10)
    assert refused("a: 123456789\n").reference == "manifest-too-large"


def test_json_that_yaml_cannot_express():
    assert one('{"a": "\\ud83d\\ude00"}').value == {"a": "😀"}
    assert one('{\n\t"a": [1, 2.0]\n}').value == {"a": [1, 2]}
    assert refused('{"a": "\\ud83d"}').reference == "yaml-invalid"


def test_byte_order_mark_is_no_content():
    assert one("\ufeffa: 1").value == {"a": 1}
