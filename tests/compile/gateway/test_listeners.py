"""Listeners: HTTP always, HTTPS by server name."""

from switchboard.compile.gateway.listeners import ACCESS_LOG, Settings, key_pairs, listeners
from switchboard.rules import envoy
from switchboard.rules.discovery import KeyPair
from switchboard.view.route import Certificate

SHOWN = Certificate(owner="Ingress ns/a", secret="ns/cert", hosts=("b.test", "a.test"), chain="CHAIN", key="KEY")
DEFAULT = Settings(default_certificate=KeyPair("C", "K"))


def test_without_certificates_there_is_no_https() -> None:
    assert [x.name for x in listeners(Settings(), ())] == ["http"]
    assert key_pairs(Settings(), ()) == ()


def test_the_default_certificate_answers_other_names() -> None:
    _, secure = listeners(DEFAULT, ())
    assert secure.filter_chains == ()
    assert secure.default_filter_chain
    assert secure.default_filter_chain.filter_chain_match is None
    assert key_pairs(DEFAULT, ()) == (DEFAULT.default_certificate,)


def test_a_chain_for_each_secret_with_its_names() -> None:
    _, secure = listeners(DEFAULT, (SHOWN,))
    (chain,) = secure.filter_chains
    assert chain.filter_chain_match == envoy.FilterChainMatch(("a.test", "b.test"))
    assert chain.transport_socket
    context = chain.transport_socket.typed_config.common_tls_context
    assert context.tls_certificates == (KeyPair("CHAIN", "KEY", "ns/cert").message,)
    assert context.alpn_protocols == ("h2", "http/1.1")
    assert [s.name for s in key_pairs(DEFAULT, (SHOWN, SHOWN))] == ["default", "ns/cert"]


def test_ports_and_addresses_are_settings() -> None:
    plain, secure = listeners(Settings(address="::", http_port=8080, https_port=8443), (SHOWN,))
    assert plain.address.socket_address == envoy.SocketAddress("::", 8080, ipv4_compat=True)
    assert secure.address.socket_address.port_value == 8443


def test_the_access_log_holds_no_header_values_but_the_request_id() -> None:
    headers = [v for v in ACCESS_LOG.values() if v.startswith("%REQ(")]
    assert headers == ["%REQ(:METHOD)%", "%REQ(:AUTHORITY)%", "%REQ(X-REQUEST-ID)%"]
    assert ACCESS_LOG["path"] == "%PATH(NQ)%"
