"""``proxy-connect-timeout``: whole seconds without a unit."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, whole_seconds


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = whole_seconds(value)
    return wanted if isinstance(wanted, Refused) else msgspec.structs.replace(draft, connect_timeout=wanted)


ANNOTATION = Annotation(
    name="proxy-connect-timeout",
    summary="A connection to a pod that is not there within so many seconds counts as failed (default 5).",
    edit=_edit,
    examples=(
        Example(main={"proxy-connect-timeout": "1"}, headers={"x-echo-delay-ms": "1200"}),
        Example(main={"proxy-connect-timeout": "30"}),
        Example(main={"proxy-connect-timeout": "soon"}),
    ),
)
