"""Annotations that are not honoured are told, each by its name; the others edit the draft."""

from collections.abc import Callable
from pathlib import Path

from switchboard.base.discovery import stems
from switchboard.base.findings import Severity
from switchboard.compile.gateway import annotations
from switchboard.compile.gateway.annotate import annotate, known
from switchboard.compile.gateway.draft import Draft, Protocol
from switchboard.view.route import Route

Make = Callable[..., Route]


def test_every_file_is_an_annotation_of_that_name() -> None:
    files = {p.stem for p in Path(annotations.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(stems(annotations.__name__)) == files
    assert {name.replace("-", "_") for name in known()} == files


def test_summaries_are_sentences_and_tables_are_not_empty() -> None:
    for name, annotation in known().items():
        assert annotation.summary.endswith("."), name
        assert annotation.examples, name


def test_no_options_make_the_default_draft(route: Make) -> None:
    assert annotate(route()) == (Draft(), ())


def test_options_edit_the_draft(route: Make) -> None:
    draft, findings = annotate(route(options={"backend-protocol": "grpc", "proxy-read-timeout": "7"}))
    assert draft == Draft(protocol=Protocol.GRPC, read_timeout=7)
    assert findings == ()


def test_an_unknown_annotation_is_told_by_name(route: Make) -> None:
    draft, (finding,) = annotate(route(options={"limit-rps": "5"}))
    assert draft == Draft()
    assert (finding.reference, finding.severity, finding.object) == (
        "annotation-not-honoured",
        Severity.WARNING,
        "Ingress ns/main",
    )
    assert "limit-rps" in finding.message


def test_a_snippet_is_refused_with_a_replacement(route: Make) -> None:
    draft, (finding,) = annotate(route(options={"configuration-snippet": "deny all;"}))
    assert draft == Draft()
    assert finding.reference == "snippet-refused"
    assert "configuration-snippet" in finding.message
    assert "HTTPRoute" in finding.hint
    assert "deny" not in finding.message


def test_a_bad_value_keeps_the_default_and_is_told(route: Make) -> None:
    draft, (finding,) = annotate(route(options={"proxy-read-timeout": "1s", "ssl-redirect": "false"}))
    assert draft == Draft(ssl_redirect=False)
    assert finding.reference == "annotation-invalid"


def test_a_value_that_cannot_be_guessed_takes_the_route_out(route: Make) -> None:
    draft, (finding,) = annotate(route(options={"permanent-redirect": "https://x$uri", "app-root": "/x"}))
    assert draft is None
    assert (finding.reference, finding.severity) == ("annotation-invalid", Severity.ERROR)
