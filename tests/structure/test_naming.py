"""Every module says what it is for, and none is named for nothing (house rules 19 and 20)."""

import ast
import re

import pytest

_NOTHING = {"util", "utils", "helper", "helpers", "misc", "manager", "managers", "common", "stuff", "lib"}
# ``rules.nft_difference`` or ``run/home.py`` in a docstring.
_MENTION = re.compile(r"``([a-z0-9_]+(?:[./][A-Za-z0-9_]+)+?)(?:\(\))?``")
EXCUSED: dict[str, str] = {}


def faults(repository) -> set[str]:
    found = set()
    packages = {m.package for m in repository.modules} - {""}
    for module in repository.modules:
        for part in module.inside.removesuffix(".py").split("/"):
            if part.strip("_") in _NOTHING:
                found.add(f"{module.inside} is named for nothing")
        text = ast.get_docstring(module.syntax)
        if not text:
            found.add(f"{module.inside} has no docstring")
        for mention in _MENTION.findall(text or ""):
            if mention.replace("/", ".").split(".")[0] in packages and not _resolves(repository, mention):
                found.add(f"{module.inside} mentions {mention}")
    return found


def _resolves(repository, mention: str) -> bool:
    """Whether a module, a package or a name in a module is meant."""
    inside = "src/switchboard/"
    if mention.endswith(".py"):
        return repository.exists(inside + mention)
    parts = re.split(r"[./]", mention)
    for count in range(len(parts), 0, -1):
        path = inside + "/".join(parts[:count])
        rest = parts[count:]
        file = f"{path}.py" if repository.exists(f"{path}.py") else f"{path}/__init__.py"
        if repository.exists(file):
            return not rest or bool(re.search(rf"\b{re.escape(rest[0])}\b", (repository.root / file).read_text()))
    return False


def test_modules_are_named_and_described(repository, ratchet) -> None:
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("run/a.py", "x = 1\n", "run/a.py has no docstring"),
        ("run/utils.py", '"""Text."""\n', "run/utils.py is named for nothing"),
        ("run/_helpers/a.py", '"""Text."""\n', "run/_helpers/a.py is named for nothing"),
        ("run/a.py", '"""Called by ``run.gone``."""\n', "run/a.py mentions run.gone"),
        ("run/a.py", '"""Called by ``run/gone.py``."""\n', "run/a.py mentions run/gone.py"),
        ("run/a.py", '"""Uses ``run.a.gone``."""\n', None),
    ],
)
def test_the_rule_sees(planted, path: str, text: str, fault: str | None) -> None:
    assert faults(planted({f"src/switchboard/{path}": text})) == ({fault} if fault else set())


@pytest.mark.parametrize("mention", ["run.a", "run/a.py", "run.a.x", "spec.ports", "other.b"])
def test_the_rule_leaves_alone(planted, mention: str) -> None:
    assert not faults(planted({"src/switchboard/run/a.py": f'"""See ``{mention}``."""\nx = 1\n'}))
