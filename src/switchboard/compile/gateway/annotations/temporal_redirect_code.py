"""``temporal-redirect-code``: 300 to 307 instead of 302."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, redirect_code


def _edit(draft: Draft, value: str) -> Draft | Refused:
    code = redirect_code(value, 307)
    return code if isinstance(code, Refused) else msgspec.structs.replace(draft, temporal_redirect_code=code)


_TMP = {"temporal-redirect": "https://tmp.example.test"}

ANNOTATION = Annotation(
    name="temporal-redirect-code",
    summary="The status of temporal-redirect, 300 to 307; anything else leaves 302.",
    edit=_edit,
    examples=(
        Example(main={**_TMP, "temporal-redirect-code": "307"}, status=307, backend="",
                location="https://tmp.example.test"),
        Example(main={**_TMP, "temporal-redirect-code": "308"}, status=302, backend="",
                location="https://tmp.example.test"),
    ),
)  # fmt: skip
