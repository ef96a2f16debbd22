"""``app-root``: a request for ``/`` is sent to another path of the same host."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused


def _edit(draft: Draft, value: str) -> Draft | Refused:
    if not value.startswith("/") or value.startswith("//"):
        return Refused(f"{value!r} is no absolute path, so / is served", "Write a path that begins with /.")
    return msgspec.structs.replace(draft, app_root=value)


_ROOT = {"app-root": "/portal"}

ANNOTATION = Annotation(
    name="app-root",
    summary="A request for / is answered with 302 to this path of the same scheme and host, without the query.",
    edit=_edit,
    examples=(
        Example(main=_ROOT, path="/?a=b", status=302, backend="", location="http://{host}/portal"),
        Example(main=_ROOT, path="/portal"),
        Example(main=_ROOT, path="/", tls=True, scheme="https", status=302, backend="",
                location="https://{host}/portal"),
        Example(main={"app-root": "portal"}),
        Example(main={"app-root": "http://elsewhere.test/x"}),
    ),
)  # fmt: skip
