"""Values of pure packages are frozen: nobody changes what another one holds (house rule 14)."""

import ast

import pytest

EXCUSED = {
    "controllers/_endpoints.py Group": "filled while pods are read, within one function",
    "controllers/_packing.py Packing": "filled while slices are packed, within one function",
    "k8s/reading.py Tree": "grows with the document while it is read; one for each value, so creation is kept cheap",
}


def faults(repository) -> set[str]:
    found = set()
    for module in (m for m in repository.modules if m.pure):
        frozen: set[str] = set()
        for node in (n for n in ast.walk(module.syntax) if isinstance(n, ast.ClassDef)):
            struct = any(ast.unparse(base).split(".")[-1] == "Struct" for base in node.bases)
            if struct and _says_frozen(node.keywords):
                frozen.add(node.name)
            elif struct:
                found.add(f"{module.inside} {node.name}")
            for decorator in node.decorator_list:
                name = decorator.func if isinstance(decorator, ast.Call) else decorator
                if ast.unparse(name).split(".")[-1] == "dataclass":
                    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                    if not _says_frozen(keywords):
                        found.add(f"{module.inside} {node.name}")
    return found


def _says_frozen(keywords: list[ast.keyword]) -> bool:
    return any(k.arg == "frozen" and isinstance(k.value, ast.Constant) and k.value.value is True for k in keywords)


def test_values_are_frozen(repository, ratchet) -> None:
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class A(msgspec.Struct): pass\n", {"view/a.py A"}),
        ("class A(Struct, frozen=False): pass\n", {"view/a.py A"}),
        ("class A(msgspec.Struct, frozen=True, kw_only=True): pass\n", set()),
        ("@dataclass\nclass A: pass\n", {"view/a.py A"}),
        ("@dataclasses.dataclass(slots=True)\nclass A: pass\n", {"view/a.py A"}),
        ("@dataclass(frozen=True)\nclass A: pass\n", set()),
    ],
)
def test_the_rule_sees(planted, text: str, found: set[str]) -> None:
    assert faults(planted({"src/switchboard/view/a.py": text})) == found
