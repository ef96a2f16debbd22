import pytest

from switchboard.api import errors
from switchboard.api.server.options import delete_options, list_options, write_options
from switchboard.api.server.request import Request, query_of


def of(query):
    return Request("GET", "/", query_of(query))


@pytest.mark.parametrize(
    ("query", "watch", "fields"),
    [
        ("resourceVersionMatch=Exact", False, ["resourceVersionMatch"]),
        ("resourceVersion=5&resourceVersionMatch=Near", False, ["resourceVersionMatch"]),
        ("resourceVersion=0&resourceVersionMatch=Exact", False, ["resourceVersionMatch"]),
        ("sendInitialEvents=true", False, ["sendInitialEvents"]),
        ("sendInitialEvents=true", True, ["resourceVersionMatch"]),
        ("resourceVersionMatch=NotOlderThan", True, ["resourceVersionMatch"]),
    ],
)
def test_lists_and_watches_that_make_no_sense(query, watch, fields):
    with pytest.raises(errors.Invalid) as refused:
        list_options(of(query), watch=watch)
    assert [c.field for c in refused.value.causes] == fields


def test_list_options():
    found = list_options(of("limit=3&continue=x&allowWatchBookmarks=1&timeoutSeconds=9"), watch=False)
    assert (found.limit, found.continue_, found.bookmarks, found.timeout) == (3, "x", True, 9)
    with pytest.raises(errors.BadRequest):
        list_options(of("limit=x"), watch=False)


@pytest.mark.parametrize(
    ("query", "apply", "reasons"),
    [
        ("fieldValidation=Loose", False, ["FieldValueNotSupported"]),
        ("dryRun=Some", False, ["FieldValueNotSupported"]),
        (f"fieldManager={'x' * 129}", False, ["FieldValueTooLong"]),
        ("fieldManager=a%09b", False, ["FieldValueInvalid"]),
        ("", True, ["FieldValueRequired"]),
    ],
)
def test_writes_that_make_no_sense(query, apply, reasons):
    with pytest.raises(errors.Invalid) as refused:
        write_options(of(query), "PatchOptions", apply=apply)
    assert [c.reason for c in refused.value.causes] == reasons


def test_write_options():
    found = write_options(of("dryRun=All&fieldManager=me&force=true"), "PatchOptions", apply=True)
    assert (found.dry_run, found.manager, found.force, found.validation) == (True, "me", True, "Warn")


def test_delete_options_of_query_and_body():
    assert delete_options(of("gracePeriodSeconds=0&propagationPolicy=Orphan"), None).policy == "Orphan"
    found = delete_options(of("gracePeriodSeconds=7"), {"preconditions": {"uid": "u"}, "dryRun": ["All"]})
    assert (found.uid, found.dry_run, found.grace_period) == ("u", True, None)
    for body in ({"propagationPolicy": "x"}, {"propagationPolicy": "Orphan", "orphanDependents": True}):
        with pytest.raises(errors.Invalid):
            delete_options(of(""), body)
