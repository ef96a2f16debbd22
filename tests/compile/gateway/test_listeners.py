"""Listeners: HTTP always, HTTPS by server name."""

from switchboard.compile.gateway.listeners import ACCESS_LOG, KeyPair, Settings, listeners, secrets
from switchboard.rules import envoy
from switchboard.view.route import Certificate

SHOWN = Certificate(owner="Ingress ns/a", secret="ns/cert", hosts=("b.test", "a.test"), chain="CHAIN", key="KEY")
DEFAULT = Settings(default_certificate=KeyPair("C", "K"))


def test_without_certificates_there_is_no_https() -> None:
    assert [x.name for x in listeners(Settings(), ())] == ["http"]
    assert secrets(Settings(), ()) == ()


def test_the_default_certificate_answers_other_names() -> None:
    _, secure = listeners(DEFAULT, ())
    assert secure.filter_chains == ()
    assert secure.default_filter_chain
    assert secure.default_filter_chain.filter_chain_match is None
    assert secrets(DEFAULT, ()) == (envoy.Secret("default", envoy.TlsCertificate(*map(envoy.DataSource, "CK"))),)


def test_a_chain_for_each_secret_with_its_names() -> None:
    _, secure = listeners(DEFAULT, (SHOWN,))
    (chain,) = secure.filter_chains
    assert chain.filter_chain_match == envoy.FilterChainMatch(("a.test", "b.test"))
    assert chain.transport_socket
    context = chain.transport_socket.typed_config.common_tls_context
    assert [c.name for c in context.tls_certificate_sds_secret_configs] == ["ns/cert"]
    assert context.alpn_protocols == ("h2", "http/1.1")
    assert [s.name for s in secrets(DEFAULT, (SHOWN,))] == ["default", "ns/cert"]


def test_ports_and_addresses_are_settings() -> None:
    plain, secure = listeners(Settings(address="::", http_port=8080, https_port=8443), (SHOWN,))
    assert plain.address.socket_address == envoy.SocketAddress("::", 8080, ipv4_compat=True)
    assert secure.address.socket_address.port_value == 8443


def test_the_access_log_holds_no_header_values_but_the_request_id() -> None:
    headers = [v for v in ACCESS_LOG.values() if v.startswith("%REQ(")]
    assert headers == ["%REQ(:METHOD)%", "%REQ(:AUTHORITY)%", "%REQ(X-REQUEST-ID)%"]
    assert ACCESS_LOG["path"] == "%PATH(NQ)%"


def test_keys_do_not_show_in_representations() -> None:
    assert "K" not in repr(KeyPair("C", "K")).removeprefix("KeyPair")
