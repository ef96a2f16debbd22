"""Tests mirror sources: src/switchboard/X/y.py has tests/X/test_y.py, and no twin outlives its source (rule 21)."""

import ast

import pytest

EXCUSED: dict[str, str] = {}
# Extensions that carry their own table of examples, and the test that plays every table.
_TABLES = {"compile/gateway/annotations/": "tests/live/gateway/test_annotations.py"}
# Directories of tests that are no mirror: laws over many modules, real programs, examples, this one.
_NO_MIRROR = ("laws", "live", "flows", "examples", "structure", "generated")


def twin(inside: str) -> str:
    """Where the test of a module is; a package's own code is tested beside the package."""
    directory, _, name = inside.removesuffix("/__init__.py").rpartition("/")
    return "/".join(part for part in ("tests", directory, f"test_{name.removesuffix('.py')}.py") if part)


def has_code(tree: ast.Module) -> bool:
    """Whether a module does anything: declared facts, constants and protocols have nothing to test."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    statements = [n for function in functions for n in function.body if not isinstance(n, ast.Pass)]
    said = (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in statements)
    return not all(said) or any(isinstance(n, ast.Lambda) for n in ast.walk(tree))


def untested(repository) -> set[str]:
    found = set()
    for module in repository.modules:
        if not has_code(module.syntax):
            continue
        table = next((test for prefix, test in _TABLES.items() if module.inside.startswith(prefix)), None)
        if not repository.exists(table or twin(module.inside)):
            found.add(module.inside)
    return found


def orphans(repository) -> set[str]:
    twins = {twin(module.inside) for module in repository.modules}
    tests = {m.path for m in repository.python if m.path.startswith("tests/") and "/test_" in m.path}
    return {path for path in tests - twins if path.split("/")[1] not in _NO_MIRROR}


def test_every_module_has_its_twin(repository, ratchet) -> None:
    ratchet(untested(repository), EXCUSED)


def test_every_twin_has_its_module(repository) -> None:
    assert not orphans(repository)


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("base/a.py", "tests/base/test_a.py"),
        ("compile/modes/_a.py", "tests/compile/modes/test__a.py"),
        ("view/build/__init__.py", "tests/view/test_build.py"),
    ],
)
def test_the_rule_sees(planted, module: str, test: str) -> None:
    source = {f"src/switchboard/{module}": "def f():\n    return 1\n"}
    assert untested(planted(source)) == {module}
    assert not untested(planted({**source, test: ""}))
    assert not orphans(planted({**source, test: ""}))


@pytest.mark.parametrize(
    "text",
    [
        '"""Text."""\nfrom a import b\n__all__ = ["b"]\n',
        "class A(Struct, frozen=True):\n    b: int = 1\n",
        'class A(Protocol):\n    def f(self) -> int:\n        """Text."""\n',
    ],
)
def test_declarations_need_none(planted, text: str) -> None:
    assert not untested(planted({"src/switchboard/base/__init__.py": text, "src/switchboard/base/a.py": text}))


def test_tables_of_functions_need_one(planted) -> None:
    assert untested(planted({"src/switchboard/base/a.py": "A = {1: lambda x: x}\n"})) == {"base/a.py"}


def test_orphans_are_seen(planted) -> None:
    assert orphans(planted({"tests/base/test_a.py": "", "tests/laws/test_b.py": ""})) == {"tests/base/test_a.py"}
