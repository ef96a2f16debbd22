"""TLS over memory: a real client session on the other end."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from switchboard.apply.certificates import CertificateAuthority
from switchboard.serve.standin.tls import TlsChannel, server_context

NOW = datetime.now(UTC) - timedelta(hours=1)  # real clients compare with the real clock


@pytest.fixture(scope="module")
def authority():
    return CertificateAuthority.create("test", NOW)


@pytest.fixture(scope="module")
def context(authority):
    return server_context(*authority.issue(["shop.test"], NOW))


class Client:
    def __init__(self, authority, alpn=("http/1.1",), host="shop.test"):
        context = ssl.create_default_context(cadata=authority.certificate)
        context.set_alpn_protocols(list(alpn))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    def shake(self, channel, pieces=1 << 20):
        plain = b""
        while True:
            try:
                self.session.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            data = self.outgoing.read()
            for start in range(0, len(data), pieces):
                plain += channel.feed(data[start : start + pieces])
            self.incoming.write(channel.pending())
            if done:
                return plain


@pytest.mark.parametrize("pieces", [1, 7, 1 << 20])
def test_handshake_in_any_pieces(authority, context, pieces):
    channel, client = TlsChannel(context), Client(authority, ("h2", "http/1.1"))
    client.shake(channel, pieces)
    assert channel.established
    assert client.session.selected_alpn_protocol() == "h2"
    client.session.write(b"question")
    assert channel.feed(client.outgoing.read()) == b"question"
    client.incoming.write(channel.encrypt(b"answer"))
    assert client.session.read() == b"answer"


def test_large_texts(authority, context):
    channel, client = TlsChannel(context), Client(authority)
    client.shake(channel)
    client.session.write(b"x" * 300_000)
    assert channel.feed(client.outgoing.read()) == b"x" * 300_000


def test_the_peers_close_is_seen_and_ours_is_told(authority, context):
    channel, client = TlsChannel(context), Client(authority)
    client.shake(channel)
    with pytest.raises(ssl.SSLWantReadError):
        client.session.unwrap()
    assert channel.feed(client.outgoing.read()) == b""
    assert channel.closed
    client.incoming.write(channel.close())
    client.session.unwrap()


def test_close_before_the_handshake_says_nothing(context):
    assert TlsChannel(context).close() == b""


def test_garbage_raises_and_leaves_an_alert(context):
    channel = TlsChannel(context)
    with pytest.raises(ssl.SSLError):
        channel.feed(b"\x16\x03\x01\x00\x05hello")
    assert channel.pending()[:1] == b"\x15"


@pytest.mark.parametrize("pair", [("", ""), ("not PEM", "not PEM")])
def test_unusable_certificates_raise(pair):
    with pytest.raises(ssl.SSLError):
        server_context(*pair)


def test_a_key_of_another_certificate_raises(authority):
    one, two = authority.issue(["a.test"], NOW), authority.issue(["a.test"], NOW)
    with pytest.raises(ssl.SSLError):
        server_context(one.chain, two.key)


def test_without_files_in_memory_a_private_directory_will_do(authority, monkeypatch, tmp_path):
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server_context(*authority.issue(["a.test"], NOW))
    assert list(tmp_path.iterdir()) == []
