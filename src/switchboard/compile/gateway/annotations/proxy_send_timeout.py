"""``proxy-send-timeout``: whole seconds without a unit."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, whole_seconds


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = whole_seconds(value)
    return wanted if isinstance(wanted, Refused) else msgspec.structs.replace(draft, send_timeout=wanted)


ANNOTATION = Annotation(
    name="proxy-send-timeout",
    summary="A request body that pauses for so many seconds ends the exchange (default 60, never below the read one).",
    edit=_edit,
    examples=(
        Example(main={"proxy-send-timeout": "1"}, headers={"x-echo-delay-ms": "1200"}),
        Example(main={"proxy-send-timeout": "30"}),
        Example(main={"proxy-send-timeout": "soon"}),
    ),
)
