"""The rules command over manifests and over a running cluster."""

from __future__ import annotations

import pytest

from switchboard.rules import iptables
from switchboard.rules.nft_parse import parse

MANIFESTS = """\
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDRs: [10.244.1.0/24]}
status: {addresses: [{type: InternalIP, address: 172.20.0.1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  clusterIP: 10.96.0.10
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints:
- {addresses: [10.244.1.5], nodeName: n1}
- {addresses: [10.244.2.5], nodeName: n2}
"""


@pytest.fixture
def shop(machine):
    machine.texts = [("all.yaml", MANIFESTS)]
    return machine


def test_nftables_with_comments(shop, run):
    done = run("rules", "-f", "all.yaml")
    assert (done.code, done.err) == (0, "")
    assert "10.96.0.10 . tcp . 80 : goto tcp-balance-2,  # shop/web\n" in done.out
    assert parse(done.out)[1] == ()
    assert shop.asked == [("read", ("all.yaml",), False)]


def test_iptables(shop, run):
    done = run(
        "rules", "-f", "all.yaml", "--mode", "iptables", "--masquerade-all", "--nodeport-addresses", "172.20.0.0/16"
    )
    assert done.code == 0
    four, six = (iptables.parse(t, f) for f, t in zip((4, 6), done.out.split("# IPv6\n"), strict=True))
    assert (four[1], six[1]) == ((), ())
    text = iptables.render(four[0])
    assert (
        '-d 10.96.0.10/32 -p tcp -m comment --comment "shop/web cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ' in text
    )
    assert "-d 172.20.0.1/32" in text


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_difference(shop, run, tmp_path, mode):
    wanted = run("rules", "-f", "all.yaml", "--mode", mode).out
    saved = tmp_path / "saved"
    for text, code, differ in ((wanted, 0, 0), (wanted.replace("10.244.2.5", "10.244.2.6"), 1, 6), ("", 1, 6)):
        saved.write_text(text)
        done = run("rules", "-f", "all.yaml", "--mode", mode, "--diff", str(saved))
        assert (done.code, done.out.splitlines()[-1]) == (
            code,
            f"6 packets compared, {differ} differ, 0 rules not understood",
        )
    assert "shop/web: outside 203.0.113.77 to 172.20.0.1:30080 TCP\n  wanted  10.244.1.5:8080 50" in done.out
    assert "  saved   passed\n" in done.out


def test_a_running_cluster_and_its_nodes(run, machine):
    done = run("rules", "--name", "demo")
    assert (done.code, "Write --node with one of these" in done.err) == (2, True)
    named = done.err.split("these: ")[1].split(",")[0].strip(".\n ")
    done = run("rules", "--node", named)
    assert (done.code, parse(done.out)[1]) == (0, ())
    assert "# payments/" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--node", "n9"), "There is no node n9."),
        (("--diff", "gone"), "gone cannot be read"),
        (("--mode", "other"), "other"),
    ],
)
def test_wrong_usage(shop, run, words, says):
    done = run("rules", "-f", "all.yaml", *words)
    assert (done.code, says in done.err) == (2, True)
