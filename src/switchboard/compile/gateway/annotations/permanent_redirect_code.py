"""``permanent-redirect-code``: 300 to 308 instead of 301."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, redirect_code


def _edit(draft: Draft, value: str) -> Draft | Refused:
    code = redirect_code(value, 308)
    return code if isinstance(code, Refused) else msgspec.structs.replace(draft, permanent_redirect_code=code)


_NEW = {"permanent-redirect": "https://new.example.test"}

ANNOTATION = Annotation(
    name="permanent-redirect-code",
    summary="The status of permanent-redirect, 300 to 308; anything else leaves 301.",
    edit=_edit,
    examples=(
        Example(main={**_NEW, "permanent-redirect-code": "308"}, status=308, backend="",
                location="https://new.example.test"),
        Example(main={**_NEW, "permanent-redirect-code": "200"}, status=301, backend="",
                location="https://new.example.test"),
    ),
)  # fmt: skip
