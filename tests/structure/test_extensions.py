"""An extension is one file with one constant, named as the file is, and importing it does nothing (house rule 7)."""

import ast

import pytest

# Directory below the package, constant, and where the declared name is: an argument of the call, or of a decorator.
FAMILIES = {
    "cli/commands": "COMMAND",
    "controllers": "CONTROLLER",
    "compile/modes": "MODE",
    "compile/gateway/annotations": "ANNOTATION",
}
# Controllers have the names of kube-controller-manager's, which people know from events and logs.
CONTROLLER_NAMES = {
    "certificates": "certificates-controller",
    "endpoints": "endpoint-controller",
    "garbage": "garbage-collector-controller",
    "ipaddress": "ipallocator-repair-controller",
    "loadbalancer": "service-controller",
    "nodelifecycle": "node-lifecycle-controller",
    "nodeport": "portallocator-repair-controller",
    "podgc": "pod-garbage-collector-controller",
    "scheduler": "default-scheduler",
    "servicecidr": "service-cidr-controller",
}


def faults(repository) -> set[str]:
    found = set()
    for module in repository.modules:
        directory, _, name = module.inside.rpartition("/")
        constant = FAMILIES.get(directory)
        if constant is None or name.startswith("_"):
            continue
        stem = name.removesuffix(".py")
        said = _definitions(module.syntax)
        if list(said) != [constant]:
            found.add(f"{module.inside} exports {', '.join(said) or 'nothing'} instead of {constant}")
            continue
        if said[constant] != expected(directory, stem):
            found.add(f"{module.inside} declares {said[constant]}")
        found |= {f"{module.inside} does something when imported" for node in module.syntax.body if _acts(node)}
    return found


def expected(directory: str, stem: str) -> str:
    """The name that a file of this name declares."""
    if directory == "controllers":
        return CONTROLLER_NAMES.get(stem, f"{stem}-controller")
    return stem.replace("_", "-")


def _definitions(tree: ast.Module) -> dict[str, str]:
    """The constants of extensions that a module defines, with the name that each declares."""
    found = {}
    constants = {ast.unparse(t): n.value for n in tree.body if isinstance(n, ast.Assign) for t in n.targets}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id in FAMILIES.values():
                    found[target.id] = _name(node.value, constants)
        elif isinstance(node, ast.FunctionDef) and node.name in FAMILIES.values():
            calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
            found[node.name] = _name(calls[0], constants) if calls else ""
    return found


def _name(call: ast.Call, constants: dict[str, ast.expr]) -> str:
    """The text given as ``name`` or as the first argument, written there or as a constant of the module."""
    values = [k.value for k in call.keywords if k.arg == "name"] or call.args[:1]
    said = constants.get(values[0].id) if values and isinstance(values[0], ast.Name) else next(iter(values), None)
    return str(said.value) if isinstance(said, ast.Constant) else ""


def _acts(node: ast.stmt) -> bool:
    calm = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    checking = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    return not (isinstance(node, calm) or docstring or checking)


def test_extensions_declare_what_their_files_say(repository) -> None:
    assert not faults(repository)


def test_every_family_is_there(repository) -> None:
    directories = {m.inside.rpartition("/")[0] for m in repository.modules}
    assert set(FAMILIES) <= directories


def test_no_special_name_is_left_over(repository) -> None:
    assert all(repository.exists(f"src/switchboard/controllers/{stem}.py") for stem in CONTROLLER_NAMES)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("controllers/a.py", "", "exports nothing instead of CONTROLLER"),
        ("controllers/a.py", "MODE = Mode(name='a')\n", "exports MODE instead of CONTROLLER"),
        ("controllers/a.py", "CONTROLLER = Controller(name='b')\n", "declares b"),
        ("compile/modes/a.py", "MODE = Mode(name='b')\n", "declares b"),
        ("compile/gateway/annotations/a_b.py", "ANNOTATION = Annotation(name='a_b')\n", "declares a_b"),
        ("cli/commands/a.py", "@click.command('b')\ndef COMMAND(): pass\n", "declares b"),
        ("compile/modes/a.py", "MODE = Mode(name='a')\nregister(MODE)\n", "does something when imported"),
    ],
)
def test_the_rule_sees(planted, path: str, text: str, fault: str) -> None:
    assert faults(planted({f"src/switchboard/{path}": text})) == {f"{path} {fault}"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("controllers/a.py", "CONTROLLER = Controller(name='a-controller')\n"),
        ("controllers/a.py", "NAME = 'a-controller'\nCONTROLLER = Controller(name=NAME)\n"),
        ("controllers/_a.py", "x = 1\n"),
        ("compile/gateway/annotations/a_b.py", "ANNOTATION = Annotation(name='a-b')\n"),
        ("cli/commands/a.py", "@click.command('a')\n@click.pass_obj\ndef COMMAND(): pass\n"),
    ],
)
def test_the_rule_leaves_alone(planted, path: str, text: str) -> None:
    assert not faults(planted({f"src/switchboard/{path}": text}))
