"""``ssl-redirect``: hosts with TLS answer plain requests with 308 to https, unless this is false."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused, boolean, not_boolean


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = boolean(value)
    return not_boolean(value) if wanted is None else msgspec.structs.replace(draft, ssl_redirect=wanted)


ANNOTATION = Annotation(
    name="ssl-redirect",
    summary="Plain requests for a host with TLS are answered with 308 to https (the default) or served.",
    edit=_edit,
    examples=(
        Example(tls=True, path="/a/b?c=d", status=308, backend="", location="https://{host}/a/b?c=d"),
        Example(tls=True, scheme="https", path="/a/b"),
        Example(tls=True, main={"ssl-redirect": "false"}),
        Example(tls=True, main={"ssl-redirect": "off"}, status=308, backend="", location="https://{host}/"),
        Example(main={"ssl-redirect": "true"}),
        Example(tls=True, path="/.well-known/acme-challenge/token"),
    ),
)
