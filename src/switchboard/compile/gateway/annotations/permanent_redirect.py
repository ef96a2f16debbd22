"""``permanent-redirect``: every request of the Ingress is answered with 301 and this Location."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, redirect_target


def _edit(draft: Draft, value: str) -> Draft | Refused:
    refused = redirect_target(value)
    return refused or msgspec.structs.replace(draft, permanent_redirect=value)


_OLD = {"permanent-redirect": "https://new.example.test"}

ANNOTATION = Annotation(
    name="permanent-redirect",
    summary="Every request is answered with 301 and exactly this Location, before any redirect to https.",
    edit=_edit,
    examples=(
        Example(main=_OLD, path="/old/x?y=z", status=301, backend="", location="https://new.example.test"),
        Example(main=_OLD, tls=True, status=301, backend="", location="https://new.example.test"),
        Example(main={"permanent-redirect": "https://new.example.test/a%20b"}, status=301, backend="",
                location="https://new.example.test/a%20b"),
        Example(main={"permanent-redirect": "https://new.example.test$request_uri"}, status=404, backend=""),
    ),
)  # fmt: skip
