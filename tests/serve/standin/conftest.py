"""A connection to a stand-in without sockets: a clock that is moved by hand, a transport that remembers."""

import asyncio
from collections import Counter

import pytest

from switchboard.serve.standin.answer import Response
from switchboard.serve.standin.connection import Connection
from switchboard.serve.standin.limits import Limits

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


class Timer:
    def __init__(self, when, callback, args):
        self.when, self.callback, self.args, self.cancelled = when, callback, args, False

    def cancel(self):
        self.cancelled = True


class Clock:
    """As much of an event loop as connections use."""

    def __init__(self):
        self.now, self.timers = 1000.0, []

    def time(self):
        return self.now

    def call_later(self, delay, callback, *args):
        self.timers.append(Timer(self.now + delay, callback, args))
        return self.timers[-1]

    def advance(self, seconds):
        self.now += seconds
        due = [timer for timer in self.timers if timer.when <= self.now]
        self.timers = [timer for timer in self.timers if timer.when > self.now]
        for timer in due:
            if not timer.cancelled:
                timer.callback(*timer.args)


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.sent, self.closed, self.aborted, self.ended, self.reading = b"", False, False, False, True

    def get_extra_info(self, name, default=None):
        return {"peername": ("10.1.2.3", 5555), "sockname": ("10.244.0.7", 8080)}.get(name, default)

    def write(self, data):
        assert not self.closed
        assert not self.ended
        self.sent += data

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = self.aborted = True

    def is_closing(self):
        return self.closed

    def write_eof(self):
        self.ended = True

    def can_write_eof(self):
        return True

    def is_reading(self):
        return self.reading

    def pause_reading(self):
        assert self.reading
        self.reading = False

    def resume_reading(self):
        assert not self.reading
        self.reading = True


class Work:
    def __init__(self, request, reply):
        self.request, self.reply, self.cancelled = request, reply, False

    def cancel(self):
        self.cancelled = True


class FakeService:
    """Answers 200 with the request's target, at once or, with ``slow``, when the test says so."""

    def __init__(self, limits):
        self.limits, self.draining, self.ready, self.slow = limits, False, True, False
        self.requests, self.work, self.counts, self.gone = [], [], Counter(), 0
        self.response = None
        self.abort = self.tls_only = False
        self.context = None

    def handle(self, request, reply):
        self.requests.append(request)
        if self.slow:
            self.work.append(Work(request, reply))
            return self.work[-1]
        reply(self.answer(request))
        return None

    def answer(self, request):
        if self.abort:
            return None
        return self.response or Response(status=200, headers=(("X-A", "1"),), body=request.path.encode("latin-1"))

    def finish(self):
        """Answers the oldest request that waits."""
        work = self.work.pop(0)
        work.reply(self.answer(work.request))

    def demands_tls(self, port):
        return self.tls_only

    def tls_context(self):
        return self.context

    def date(self):
        return DATE

    def opened(self, connection):
        return True

    def closed(self, connection):
        self.gone += 1

    def count(self, event):
        self.counts[event] += 1


class Wire:
    """One client's end."""

    def __init__(self, limits):
        self.clock, self.transport, self.service = Clock(), Transport(), FakeService(limits)
        self.connection = Connection(self.service, self.clock)
        self.connection.connection_made(self.transport)

    def send(self, *parts):
        for part in parts:
            if not self.transport.aborted:
                self.connection.data_received(part)
        return self

    def eof(self):
        self.connection.eof_received()

    def lose(self):
        self.connection.connection_lost(None)

    def pass_time(self, seconds):
        """Moves the clock and lets the sweep look at the connection."""
        self.clock.advance(seconds)
        self.connection.expire(self.clock.now)

    def take(self):
        """What has been sent since the last call."""
        sent, self.transport.sent = self.transport.sent, b""
        return sent

    @property
    def closed(self):
        return self.transport.closed


@pytest.fixture
def wires():
    """Makes wires; limits may be given by name."""
    return lambda **limits: Wire(Limits(**limits))


@pytest.fixture
def wire(wires):
    return wires()
