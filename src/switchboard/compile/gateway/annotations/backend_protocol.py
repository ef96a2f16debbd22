"""``backend-protocol``: how the gateway speaks to the pods (HTTP, HTTPS, GRPC, GRPCS), written in any case."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Protocol, Refused


def _edit(draft: Draft, value: str) -> Draft | Refused:
    wanted = value.upper()
    if wanted not in Protocol.__members__:
        return Refused(f"{value!r} is not spoken to pods, HTTP is", "Write HTTP, HTTPS, GRPC or GRPCS.")
    return msgspec.structs.replace(draft, protocol=Protocol(wanted))


ANNOTATION = Annotation(
    name="backend-protocol",
    summary="Requests reach the pods over HTTP/1.1, over TLS (not verified), or over HTTP/2 for gRPC.",
    edit=_edit,
    examples=(
        Example(main={"backend-protocol": "HTTP"}),
        Example(main={"backend-protocol": "http"}),
        Example(main={"backend-protocol": "SPDY"}),
        # The pods of the table speak plain HTTP/1.1: TLS and HTTP/2 to them must fail.
        Example(main={"backend-protocol": "HTTPS"}, status=503, backend=""),
        Example(main={"backend-protocol": "grpc"}, status=502, backend=""),
    ),
)
