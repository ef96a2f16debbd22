"""``proxy-read-timeout``: whole seconds without a unit."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, whole_seconds


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = whole_seconds(value)
    return wanted if isinstance(wanted, Refused) else msgspec.structs.replace(draft, read_timeout=wanted)


ANNOTATION = Annotation(
    name="proxy-read-timeout",
    summary="An answer that pauses for so many seconds, or does not begin, is ended with 504 (default 60).",
    edit=_edit,
    examples=(
        Example(main={"proxy-read-timeout": "1"}, headers={"x-echo-delay-ms": "1500"}, status=504, backend=""),
        Example(main={"proxy-read-timeout": "1s"}, headers={"x-echo-delay-ms": "1200"}),
        Example(main={"proxy-read-timeout": "30"}),
        Example(main={"proxy-read-timeout": "soon"}),
    ),
)
