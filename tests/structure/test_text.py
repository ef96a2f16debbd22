"""What no file of the repository holds: paths of one machine, hosts of a registry, suppressions without a code."""

import re

import pytest

_PATH = re.compile(r"(?<![\w.$}])/(?:home|root|Users|work|mnt|opt)/[\w.-]+")
_REGISTRY = re.compile(r"(?:index-url|registry\.[a-z]+\.|pypi\.org/simple|/artifactory/|pythonhosted|docker\.io)")
_BARE = re.compile(r"#\s*(?:noqa(?!\s*:\s*[A-Z]+[0-9]+)|type:\s*ignore(?!\[[a-z-]+))", re.IGNORECASE)
_HERE = "tests/structure/test_text.py"


def faults(repository) -> set[str]:
    found = set()
    for path, text in repository.files.items():
        if path == _HERE:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if _PATH.search(line):
                found.add(f"{path}:{number} has a path of one machine")
            if _REGISTRY.search(line):
                found.add(f"{path}:{number} names a registry")
            if path.endswith(".py") and _BARE.search(line):
                found.add(f"{path}:{number} suppresses without a code")
    return found


def test_no_file_holds_these(repository) -> None:
    assert not faults(repository)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x = '/home/ada/project'", "has a path of one machine"),
        ("--index-url https://somewhere/simple", "names a registry"),
        ("import a  # noqa", "suppresses without a code"),
        ("import a  # NOQA because", "suppresses without a code"),
        ("x = 1  # type: ignore", "suppresses without a code"),
    ],
)
def test_the_rule_sees(planted, line: str, fault: str) -> None:
    assert faults(planted({"src/a.py": f"\n{line}\n"})) == {f"src/a.py:2 {fault}"}


@pytest.mark.parametrize(
    "line", ["import a  # noqa: F401", "x = 1  # type: ignore[misc]", "x = '/proc/self/ns/net'", "x = f'{home}/root/a'"]
)
def test_the_rule_leaves_alone(planted, line: str) -> None:
    assert not faults(planted({"src/a.py": f"{line}\n"}))
