"""What manifests on the command line become, and how findings are told."""

import io

import pytest
from rich.console import Console

from switchboard.base.errors import UsageError
from switchboard.base.findings import Finding, Place, Severity
from switchboard.cli.input import manifests, print_findings
from switchboard.k8s import objects

GOOD = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_objects_of_all_files_are_one_cluster(machine) -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{port: 80}]}\n"
    )
    machine.texts = [("a.yaml", service), ("b.yaml", GOOD)]
    loaded = manifests(machine, ("a.yaml", "b.yaml"), False, console())
    assert [objects.kind(each.object) for each in loaded] == ["Service", "Namespace"]


def test_every_error_is_told_before_giving_up(machine) -> None:
    shown = console()
    machine.texts = [("a.yaml", "kind: ["), ("b.yaml", GOOD), ("c.yaml", "kind: Thing\napiVersion: v1\n")]
    with pytest.raises(UsageError) as raised:
        manifests(machine, ("a.yaml",), False, shown)
    assert raised.value.reference == "manifests-invalid"
    text = shown.file.getvalue()
    assert "a.yaml:" in text
    assert "c.yaml:" in text


def test_nothing_given_is_an_empty_cluster(machine) -> None:
    assert manifests(machine, (), False, console()) == []


def test_errors_come_first_and_say_what_to_do() -> None:
    shown = console()
    print_findings(
        [
            Finding(reference="a", message="perhaps", severity=Severity.WARNING, place=Place("a.yaml", 1, 2)),
            Finding(reference="b", message="[never]", object="Service x/y", field="spec.ports[0]",
                    place=Place("b.yaml", 3, 4), hint="Mend it."),
        ],
        shown,
    )  # fmt: skip
    assert shown.file.getvalue().splitlines() == [
        "b.yaml:3:4: error: Service x/y: spec.ports[0]: [never]",
        "  Mend it.",
        "a.yaml:1:2: warning: perhaps",
    ]


def test_thousands_are_not_poured_out() -> None:
    shown = console()
    print_findings([Finding(reference="a", message=f"n{number}") for number in range(60)], shown)
    lines = shown.file.getvalue().splitlines()
    assert (len(lines), lines[-1]) == (51, "… and 10 more")
