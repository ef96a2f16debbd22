"""``temporal-redirect``: every request of the Ingress is answered with 302 and this Location."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, redirect_target


def _edit(draft: Draft, value: str) -> Draft | Refused:
    refused = redirect_target(value)
    return refused or msgspec.structs.replace(draft, temporal_redirect=value)


_AWAY = {"temporal-redirect": "https://tmp.example.test/x"}

ANNOTATION = Annotation(
    name="temporal-redirect",
    summary="Every request is answered with 302 and exactly this Location; it wins over permanent-redirect.",
    edit=_edit,
    examples=(
        Example(main=_AWAY, path="/a", status=302, backend="", location="https://tmp.example.test/x"),
        Example(main={**_AWAY, "permanent-redirect": "https://new.example.test"}, status=302, backend="",
                location="https://tmp.example.test/x"),
    ),
)  # fmt: skip
