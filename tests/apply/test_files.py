import pytest

from switchboard.apply.files import read
from switchboard.base.errors import UsageError


def no_stdin():
    raise AssertionError("standard input was read")


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.yaml").write_text("b: 1\r\nc: 2\n", newline="")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no")
    (tmp_path / "sub" / "c.yml").write_text("c: 1")
    return tmp_path


def names(texts, root):
    return [name.removeprefix(f"{root}/") for name, _ in texts]


def test_directories_are_read_in_the_order_of_names(tree):
    assert names(read([str(tree)], False, no_stdin), tree) == ["a.json", "b.yaml"]
    assert names(read([str(tree)], True, no_stdin), tree) == ["a.json", "b.yaml", "sub/c.yml"]


def test_files_are_read_whatever_their_ending(tree):
    assert read([str(tree / "notes.txt")], False, no_stdin)[0][1] == "no"


def test_line_ends_of_windows_do_not_matter(tree):
    assert read([str(tree / "b.yaml")], False, no_stdin)[0][1] == "b: 1\nc: 2\n"


def test_standard_input():
    assert read(["-"], False, lambda: b"\xef\xbb\xbfa: 1") == [("<stdin>", "a: 1")]
    assert read(["-"], False, lambda: "a: é".encode("utf-16")) == [("<stdin>", "a: é")]


@pytest.mark.parametrize(
    ("paths", "reference"),
    [
        (["{}/missing.yaml"], "no-such-file"),
        (["{}/empty"], "no-manifests"),
        (["{}/outer"], "no-manifests"),
        (["{}/latin.yaml"], "not-utf-8"),
        (["{}/kustom"], "kustomization"),
        (["-", "-"], "stdin-twice"),
        (["{}/unreadable"], "unreadable-file"),
    ],
)
def test_unreadable_input_is_told_with_a_hint(tmp_path, paths, reference):
    (tmp_path / "empty").mkdir()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "kustom").mkdir()
    (tmp_path / "kustom" / "kustomization.yaml").write_text("resources: []")
    (tmp_path / "unreadable").symlink_to("/proc/self/mem")
    with pytest.raises(UsageError) as caught:
        read([path.format(tmp_path) for path in paths], False, lambda: b"")
    assert caught.value.reference == reference
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_the_hint_for_directories_below_names_the_option(tmp_path):
    (tmp_path / "inner").mkdir()
    with pytest.raises(UsageError, match="-R"):
        read([str(tmp_path)], False, no_stdin)


def test_not_utf_8_names_the_line(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(UsageError) as caught:
        read([str(tmp_path / "a.yaml")], False, no_stdin)
    assert caught.value.context == "line 2"
