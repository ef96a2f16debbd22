"""``force-ssl-redirect``: plain requests move to https also where the host has no TLS section."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, boolean, not_boolean


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = boolean(value)
    return not_boolean(value) if wanted is None else msgspec.structs.replace(draft, force_ssl_redirect=wanted)


ANNOTATION = Annotation(
    name="force-ssl-redirect",
    summary="Plain requests are answered with 308 to https, whether or not the host has a TLS section.",
    edit=_edit,
    examples=(
        Example(main={"force-ssl-redirect": "true"}, path="/x", status=308, backend="", location="https://{host}/x"),
        Example(main={"force-ssl-redirect": "false"}),
        Example(
            tls=True, main={"force-ssl-redirect": "true", "ssl-redirect": "false"}, status=308, backend="",
            location="https://{host}/",
        ),
        Example(main={"force-ssl-redirect": "true"}, scheme="https"),
    ),
)  # fmt: skip
