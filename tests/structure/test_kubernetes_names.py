"""API groups and well-known labels are literals in k8s only; everybody else imports the constant (house rule 12)."""

import ast
import re

import pytest

# example.com/name and group/v1 of Kubernetes' own domains, and ours.
_NAME = re.compile(r"(^|[./\s])(kubernetes\.io|k8s\.io|cert-manager\.io|switchboard\.dev)(/|$)")
EXCUSED: dict[str, str] = {
    "cli/ports.py switchboard.dev/v1": "the form of a report, which is no object of an API",
    "run/kubelet.py switchboard.dev/gateway": "the name of an image, which is no API name",
    "run/pod_names.py switchboard.dev/dns": "the name of an image, which is no API name",
    "serve/tally.py switchboard.dev/v1": "the form of a report, which is no object of an API",
    "trace/result.py switchboard.dev/v1": "the form of a report, and trace may not know k8s",
}


def faults(repository) -> set[str]:
    found = set()
    for module in repository.modules:
        if module.package == "k8s":
            continue
        documentation = {id(node) for node in _docstrings(module.syntax)}
        for node in ast.walk(module.syntax):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in documentation else None
            if isinstance(text, str) and "://" not in text and _NAME.search(text):
                found.add(f"{module.inside} {text}")
    return found


def _docstrings(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                yield first.value


def test_kubernetes_names_live_once(repository, ratchet) -> None:
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('X = "kubernetes.io/hostname"\n', {"view/a.py kubernetes.io/hostname"}),
        ('X = "discovery.k8s.io/v1"\n', {"view/a.py discovery.k8s.io/v1"}),
        ('X = f"{a}.kubernetes.io/{b}"\n', {"view/a.py .kubernetes.io/"}),
        ('X = "https://kubernetes.io/docs/"\n', set()),
        ('"""About kubernetes.io/hostname."""\n', set()),
        ('def f():\n    """About kubernetes.io/hostname."""\n', set()),
    ],
)
def test_the_rule_sees(planted, text: str, found: set[str]) -> None:
    assert faults(planted({"src/switchboard/view/a.py": text})) == found
    assert not faults(planted({"src/switchboard/view/a.py": "", "src/switchboard/k8s/a.py": text}))
