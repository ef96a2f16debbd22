"""HTTP/2 for one connection, gRPC within it (RFC 9113): bytes come in, requests go to the stand-in, answers go out.

Made by ``connection`` after the preface, in clear text or under TLS; frames and windows are h2's.
A request whose content type is gRPC gets one message that holds the JSON, and the health service is answered by
readiness: Check once, Watch at every change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2 import errors, events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from switchboard.serve.standin import grpc
from switchboard.serve.standin.answer import BODILESS, KEPT_BODY, Request, Response
from switchboard.serve.standin.http1 import join_headers, refusal

if TYPE_CHECKING:
    from switchboard.serve.standin.connection import Cancellable, Connection, Service

_OWN_HEADERS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})

Fields = list[tuple[str, str]]


class Stream:
    """One request and its answer: ``waiting`` is what no window has room for yet."""

    __slots__ = ("answered", "body", "fields", "length", "trailers", "waiting", "watching", "working")

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.fields = fields
        self.body = b""
        self.length = 0
        self.answered = False
        self.working: Cancellable | None = None
        self.waiting = memoryview(b"")
        self.trailers: Fields | None = None
        self.watching = False


class Http2:
    """The layer."""

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        self._streams: dict[int, Stream] = {}
        self._surplus: dict[int, int] = {}
        self._last_stream = 0
        self._going = False
        self._over = False
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: service.limits.streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: service.limits.head,
            }
        )
        self._send()

    @property
    def busy(self) -> bool:
        return any(stream.working is not None for stream in self._streams.values())

    @property
    def receiving(self) -> bool:
        return any(not stream.answered and stream.working is None for stream in self._streams.values())

    # ---- what the connection says

    def feed(self, data: bytes) -> None:
        if self._over:
            return
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except ProtocolError:
            # h2 has written the GOAWAY that names the fault.
            self._service.count("h2-error")
            self._send()
            self._end()
            return
        self._send()
        self._close_when_done()

    def eof(self) -> None:
        self._over = True
        if not self.busy:
            self._end()

    def drain(self) -> None:
        """Says which requests will still be answered (RFC 9113 6.8), and closes after the last.

        h2 would refuse to answer after its own GOAWAY, so the frame is written past it.
        """
        if not self._going:
            self._going = True
            self._connection.write(GoAwayFrame(0, last_stream_id=self._last_stream, error_code=0).serialize())
            for number, stream in list(self._streams.items()):
                if stream.watching:
                    self._finish(number, stream, [("grpc-status", str(grpc.UNAVAILABLE))])
            self._send()
        self._close_when_done()

    def expire(self) -> None:
        for number, stream in list(self._streams.items()):
            if not stream.answered and stream.working is None:
                self._answer(number, stream, refusal(408, "the request did not go on"))
        self._send()
        self._close_when_done()

    def lost(self) -> None:
        self._over = True
        for stream in self._streams.values():
            if stream.working is not None:
                stream.working.cancel()
        self._streams.clear()

    def readiness(self, ready: bool) -> None:
        for number, stream in list(self._streams.items()):
            if stream.watching:
                self._queue(number, stream, grpc.health(ready))
        self._send()

    # ---- what h2 says

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            self._begin(event)
        elif isinstance(event, events.DataReceived):
            self._receive(event)
        elif isinstance(event, events.StreamEnded):
            self._complete(event.stream_id)
        elif isinstance(event, events.StreamReset):
            self._forget(event.stream_id)
        elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            for number, stream in list(self._streams.items()):
                self._flush(number, stream)
        elif isinstance(event, events.ConnectionTerminated):
            self._going = True

    def _begin(self, event: events.RequestReceived) -> None:
        number = event.stream_id
        if self._going:
            self._h2.reset_stream(number, errors.ErrorCodes.REFUSED_STREAM)
            return
        self._last_stream = max(self._last_stream, number)
        fields = [(bytes(name), bytes(value)) for name, value in event.headers]
        self._streams[number] = Stream(fields)

    def _receive(self, event: events.DataReceived) -> None:
        number, stream = event.stream_id, self._streams.get(event.stream_id)
        if event.flow_controlled_length:
            try:
                self._h2.acknowledge_received_data(event.flow_controlled_length, number)
            except StreamClosedError:
                return
        if stream is None:
            self._overrun(number, len(event.data))
            return
        stream.length += len(event.data)
        if len(stream.body) < KEPT_BODY:
            stream.body += event.data[: KEPT_BODY - len(stream.body)]
        if stream.length > self._service.limits.body and not stream.answered:
            self._answer(number, stream, refusal(413, "the body is too large"))

    def _overrun(self, number: int, size: int) -> None:
        """Throws away what comes after an early answer, and resets the stream when that does not end.

        A reset at once would be allowed, but clients that are still sending would not read the answer.
        """
        self._surplus[number] = self._surplus.get(number, 0) + size
        if self._surplus[number] > self._service.limits.surplus:
            del self._surplus[number]
            self._h2.reset_stream(number, errors.ErrorCodes.NO_ERROR)

    def _complete(self, number: int) -> None:
        self._surplus.pop(number, None)
        stream = self._streams.get(number)
        if stream is None or stream.answered or stream.working is not None:
            return
        pseudo = {name: value for name, value in stream.fields if name.startswith(b":")}
        headers = join_headers([field for field in stream.fields if not field[0].startswith(b":")])
        path = pseudo.get(b":path", b"/").decode("latin-1")
        if path in (grpc.HEALTH_CHECK, grpc.HEALTH_WATCH):
            self._health(number, stream, watch=path == grpc.HEALTH_WATCH)
            return
        request = Request(
            method=pseudo.get(b":method", b"GET").decode("latin-1"),
            path=path,
            headers=headers,
            host=pseudo.get(b":authority", b"").decode("latin-1") or headers.get("host", ""),
            peer=self._connection.peer,
            port=self._connection.local_port,
            protocol="HTTP/2",
            tls=self._connection.tls is not None,
            body_length=stream.length,
            body=stream.body,
        )
        working = self._service.handle(request, lambda response: self._reply(number, request, response))
        if not stream.answered:
            stream.working = working

    def _forget(self, number: int) -> None:
        self._surplus.pop(number, None)
        stream = self._streams.pop(number, None)
        if stream is not None and stream.working is not None:
            stream.working.cancel()

    # ---- answers

    def _reply(self, number: int, request: Request, response: Response | None) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        later, stream.working = stream.working is not None, None
        if response is None:
            stream.answered = True
            self._h2.reset_stream(number, errors.ErrorCodes.INTERNAL_ERROR)
            self._forget(number)
        elif request.is_grpc:
            self._answer_grpc(number, stream, response)
        else:
            self._answer(number, stream, response, head=request.method == "HEAD")
        if later:
            # Answers given at once are sent with everything else that the same bytes asked for.
            self._send()
            self._close_when_done()

    def _answer(self, number: int, stream: Stream, response: Response, *, head: bool = False) -> None:
        """Headers and, unless the request was ``HEAD``, the body."""
        stream.answered = True
        fields: Fields = [(":status", str(response.status)), ("date", self._service.date()), *_lower(response)]
        if response.status not in BODILESS:
            fields.append(("content-length", str(len(response.body))))
        bodiless = head or not response.body
        self._h2.send_headers(number, fields, end_stream=bodiless)
        if bodiless:
            self._streams.pop(number, None)
        else:
            self._finish(number, stream, None, response.body)

    def _answer_grpc(self, number: int, stream: Stream, response: Response) -> None:
        stream.answered = True
        extra = [field for field in _lower(response) if field[0] != "content-type"]
        self._h2.send_headers(number, [(":status", "200"), ("content-type", "application/grpc"), *extra])
        body = grpc.frame(response.body) if response.body else b""
        self._finish(number, stream, [("grpc-status", str(response.grpc_status))], body)

    def _health(self, number: int, stream: Stream, *, watch: bool) -> None:
        self._service.count("grpc-health")
        stream.answered = True
        self._h2.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        message = grpc.health(self._service.ready)
        if watch:
            stream.watching = True
            self._queue(number, stream, message)
        else:
            self._finish(number, stream, [("grpc-status", str(grpc.OK))], message)

    # ---- windows

    def _queue(self, number: int, stream: Stream, data: bytes) -> None:
        stream.waiting = memoryview(bytes(stream.waiting) + data)
        self._flush(number, stream)

    def _finish(self, number: int, stream: Stream, trailers: Fields | None, data: bytes = b"") -> None:
        """The last bytes of an answer; without trailers they end the stream themselves."""
        stream.watching = False
        stream.trailers = trailers or []
        self._queue(number, stream, data)

    def _flush(self, number: int, stream: Stream) -> None:
        """Sends what the windows allow; forgets the stream with its last byte."""
        try:
            while stream.waiting:
                room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
                if room <= 0:
                    return
                part, stream.waiting = stream.waiting[:room], stream.waiting[room:]
                last = not stream.waiting and stream.trailers == []
                self._h2.send_data(number, bytes(part), end_stream=last)
            if stream.trailers is None:
                return
            if stream.trailers:
                self._h2.send_headers(number, stream.trailers, end_stream=True)
        except StreamClosedError:
            pass
        self._streams.pop(number, None)

    def _send(self) -> None:
        if data := self._h2.data_to_send():
            self._connection.write(data)

    def _close_when_done(self) -> None:
        if (self._going or self._over) and not self._streams:
            self._end()

    def _end(self) -> None:
        self._over = True
        self._connection.close()


def _lower(response: Response) -> Fields:
    """The answer's own header fields as HTTP/2 has them: lower-case, without those of a connection."""
    lowered = [(name.lower(), value) for name, value in response.headers]
    return [field for field in lowered if field[0] not in _OWN_HEADERS]
