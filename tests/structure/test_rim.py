"""At the rim each effect has one place (house rules 6 and 13).

Programs are started in apply/process.py, the environment is read in run, and only run knows the appliers.
"""

import ast

import pytest

EXCUSED = {
    "apply/process.py reads the environment": "programs get this process's environment, with one language for messages",
    "serve/outside.py knows an applier": "the client makes its sockets inside a namespace; it applies nothing",
}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"}
_PROGRAMS = ("subprocess", "pty")
_STARTERS = ("os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp", "asyncio.create_subprocess_shell",
             "asyncio.create_subprocess_exec")  # fmt: skip


def faults(repository) -> set[str]:
    found = set()
    for module in repository.modules:
        names = set()
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Attribute):
                names.add(ast.unparse(node))
        if names & _ENVIRONMENT and module.package != "run":
            found.add(f"{module.inside} reads the environment")
        if module.package not in ("run", "apply") and any(n.startswith("switchboard.apply") for n in names):
            found.add(f"{module.inside} knows an applier")
        started = any(n.split(".")[0] in _PROGRAMS for n in names) or names & set(_STARTERS)
        if started and module.inside != "apply/process.py":
            found.add(f"{module.inside} starts programs")
    return found


def test_effects_have_one_place(repository, ratchet) -> None:
    assert any(m.inside == "apply/process.py" for m in repository.modules)
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("apply/a.py", "import subprocess\n", "starts programs"),
        ("run/a.py", "from subprocess import run\n", "starts programs"),
        ("serve/a.py", "import os\nos.system('ls')\n", "starts programs"),
        ("cli/a.py", "import os\nx = os.environ['HOME']\n", "reads the environment"),
        ("serve/a.py", "from os import getenv\n", "reads the environment"),
        ("cli/a.py", "from switchboard.apply import files\n", "knows an applier"),
        ("serve/a.py", "def f():\n    import switchboard.apply.nft\n", "knows an applier"),
    ],
)
def test_the_rule_sees(planted, path: str, text: str, fault: str) -> None:
    assert faults(planted({f"src/switchboard/{path}": text})) == {f"{path} {fault}"}


def test_run_may(planted) -> None:
    text = "import os\nfrom switchboard.apply import files\nx = os.environ.get('PATH')\n"
    assert not faults(planted({"src/switchboard/run/a.py": text}))
