"""WebSocket echo for one connection (RFC 6455): frames come in and go back, text as text and bytes as bytes.

Made by ``http1`` after a request with ``Upgrade: websocket``; framing is wsproto's.  Parts of a message are sent back
as they come, so nothing is kept, and no compression is agreed to for the same reason.
The first sub-protocol that the client offers is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from switchboard.serve.standin.http1 import refusal, render

if TYPE_CHECKING:
    from switchboard.serve.standin.connection import Connection, Service

GOING_AWAY = 1001


class WebSocket:
    """The layer."""

    busy = False
    receiving = False

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        self._frames = WSConnection(ConnectionType.SERVER)

    def open(self, path: str, fields: list[tuple[bytes, bytes]], rest: bytes) -> None:
        """Answers the handshake and takes the bytes that came after it."""
        try:
            self._frames.initiate_upgrade_connection(fields, path)
            offer = next(self._frames.events())
            assert isinstance(offer, Request)
            chosen = offer.subprotocols[0] if offer.subprotocols else None
            accepted = self._frames.send(AcceptConnection(subprotocol=chosen))
        except (LocalProtocolError, RemoteProtocolError) as error:
            response = refusal(400, f"not a WebSocket handshake: {error}")
            self._connection.write(render(response, method="GET", version="1.1", date=self._service.date(), close=True))
            self._connection.close()
            return
        self._service.count("101")
        self._connection.write(accepted)
        if self._service.draining:
            self.drain()
        elif rest:
            self.feed(rest)

    def feed(self, data: bytes) -> None:
        out = b""
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, TextMessage):
                    out += self._frames.send(TextMessage(data=event.data, message_finished=event.message_finished))
                elif isinstance(event, BytesMessage):
                    part = bytes(event.data)
                    out += self._frames.send(BytesMessage(data=part, message_finished=event.message_finished))
                elif isinstance(event, Ping):
                    out += self._frames.send(event.response())
                elif isinstance(event, CloseConnection):
                    out += self._frames.send(event.response())
                    self._end(out)
                    return
        except RemoteProtocolError as error:
            if error.event_hint is not None:
                out += self._frames.send(error.event_hint)
            self._end(out)
            return
        except LocalProtocolError:
            # The client went on after its own close; there is nobody left to tell.
            self._end(out)
            return
        if out:
            self._connection.write(out)

    def eof(self) -> None:
        self._connection.close()

    def drain(self) -> None:
        try:
            self._end(self._frames.send(CloseConnection(code=GOING_AWAY)))
        except LocalProtocolError:
            self._connection.close()

    def expire(self) -> None:
        self.drain()

    def lost(self) -> None:
        """Nothing is kept."""

    def readiness(self, ready: bool) -> None:
        """A WebSocket has no word for it."""

    def _end(self, data: bytes) -> None:
        self._connection.write(data)
        self._connection.close()
