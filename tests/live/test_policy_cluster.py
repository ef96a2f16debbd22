"""Policies in a running cluster: the payment pods are protected, and every sort of rule holds for real connections."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.run.machine import LocalMachine
from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest, PodRequest
from switchboard.trace.result import Verdict

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

HERE = Path(__file__).parents[1]
PROGRAM = str(Path(sys.executable).with_name("switchboard"))
MANIFESTS = (HERE.parent / "examples" / "payments", HERE / "cases" / "policy" / "neighbours.yaml")
# Prints ``open`` or ``closed``; whoever is not answered in time was dropped.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except TimeoutError:
    print("closed")
"""
PATIENCE, SHORT = "10", "0.7"


class Cluster:
    """One cluster for all tests of this file."""

    def __init__(self, directory):
        self.environment = {**os.environ, "SWITCHBOARD_RUNTIME_DIR": str(directory), "COLUMNS": "200"}
        files = [part for path in MANIFESTS for part in ("-f", str(path))]
        quiet = ("--http-port", "0", "--https-port", "0", "--no-host-link", "--detach")
        self.run("up", *files, *quiet)

    @functools.cached_property
    def view(self):
        return LocalMachine(self.environment).view("policies")

    def run(self, verb, *arguments):
        done = subprocess.run(
            (PROGRAM, verb, "--name", "policies", *arguments),
            env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def pod(self, beginning):
        """The first pod whose ``namespace/name`` begins so."""
        return next(p for p in self.view.pods if p.key.startswith(beginning))

    def service(self, key, field):
        space, name = key.split("/")
        found = next(s for s in self.view.services if (s.namespace, s.name) == (space, name))
        return getattr(found, field)[0]

    def reaches(self, source, address, port, *, expected):
        """Whether a new connection is made; the expectation decides only how long to wait for it."""
        patience = PATIENCE if expected else SHORT
        return self.run("exec", source, "--", sys.executable, "-c", CONNECT, address, str(port), patience) == "open\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("policies"))
    try:
        yield made
    finally:
        made.run("down")


@pytest.mark.parametrize(
    ("source", "pod", "port", "allowed"),
    [
        ("other/stranger", "payments/payment-gateway", 8443, False),
        ("other/stranger", "payments/app-v1", 8080, False),
        ("other/stranger", "payments/app-v2", 8080, False),
        ("other/stranger", "payments/colleague", 8080, False),
        ("payments/colleague", "payments/payment-gateway", 8443, True),
        ("payments/colleague", "payments/app-v1", 8080, True),
        ("payments/colleague", "other/stranger", 8080, True),
        # Egress: to the port of this name only, whatever its number is there.
        ("shop/front", "shop/old", 7001, True),
        ("shop/front", "shop/new", 7002, True),
        ("shop/front", "shop/new", 7100, False),
        ("shop/front", "other/stranger", 8080, False),
        # Ingress by pod selector and by namespace selector.
        ("shop/old", "shop/new", 7100, True),
        ("shop/old", "shop/front", 8000, False),
        ("payments/colleague", "shop/new", 7100, True),
        ("payments/colleague", "shop/new", 7002, False),
        ("other/stranger", "shop/new", 7100, False),
        # A pod reaches itself under any policy.
        ("shop/front", "shop/front", 8000, True),
    ],
)
def test_pods_reach_what_policies_allow(cluster, source, pod, port, allowed):
    address = cluster.pod(pod).addresses[0]
    assert cluster.reaches(source, address, port, expected=allowed) is allowed
    path = trace(cluster.view, PodRequest(pod=source, url=f"{address}:{port}"))
    assert path.verdict is (Verdict.ANSWERED if allowed else Verdict.DROPPED)


def test_the_own_node_always_gets_in_and_another_one_does_not(cluster):
    front = cluster.pod("shop/front")
    elsewhere = next(n.name for n in cluster.view.nodes if n.name != front.node)
    assert cluster.reaches(front.node, front.addresses[0], 8000, expected=True)
    assert not cluster.reaches(elsewhere, front.addresses[0], 8000, expected=False)


def test_services_are_judged_by_the_pods_behind_them(cluster):
    app = cluster.service("payments/app-v1", "cluster_ips")
    assert cluster.reaches("payments/colleague", app, 80, expected=True)
    assert not cluster.reaches("other/stranger", app, 80, expected=False)


def test_blocks_see_the_real_client_through_a_load_balancer_with_the_local_policy(cluster):
    front = cluster.service("shop/front", "load_balancer_ips")
    assert cluster.reaches("client-1", front, 80, expected=True)
    assert not cluster.reaches("client-2", front, 80, expected=False)
    for client, verdict in (("203.0.113.10", Verdict.ANSWERED), ("203.0.113.11", Verdict.DROPPED)):
        assert trace(cluster.view, OutsideRequest(url=f"http://{front}/", client=client)).verdict is verdict


def test_a_pod_does_not_become_an_outside_user_by_going_through_the_load_balancer(cluster):
    payments = cluster.service("payments/payment-service", "load_balancer_ips")
    assert cluster.reaches("client-1", payments, 443, expected=True)
    assert not cluster.reaches("other/stranger", payments, 443, expected=False)


def test_the_gateway_still_reaches_the_application(cluster):
    gateway = cluster.service("switchboard-system/gateway", "load_balancer_ips")
    ask = """
import http.client, socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
plain = socket.create_connection((sys.argv[1], 443), 10)
connection = http.client.HTTPConnection("api.example.com")
connection.sock = context.wrap_socket(plain, server_hostname="api.example.com")
connection.request("GET", "/")
print(connection.getresponse().status)
"""
    assert cluster.run("exec", "client-1", "--", sys.executable, "-c", ask, gateway) == "200\n"


FORGE = """
import socket, subprocess, sys
subprocess.run(["ip", "addr", "add", sys.argv[3] + "/32", "dev", "lo"], check=True)
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind((sys.argv[3], 0))
ear.settimeout(float(sys.argv[4]))
ear.sendto(b"forged", (sys.argv[1], int(sys.argv[2])))
try:
    print(ear.recv(100).decode())
except TimeoutError:
    print("nothing")
finally:
    subprocess.run(["ip", "addr", "del", sys.argv[3] + "/32", "dev", "lo"], check=True)
"""


def test_a_pod_cannot_send_with_the_address_of_another(cluster):
    """A stranger that borrows a colleague's address is dropped at its own node (reverse path filter)."""
    stranger, colleague = cluster.pod("other/stranger"), cluster.pod("payments/colleague")
    target = cluster.pod("payments/payment-gateway").addresses[0]
    words = ("exec", stranger.key, "--", sys.executable, "-c", FORGE, target, "8443", colleague.addresses[0], SHORT)
    before = dropped(cluster, stranger.node)
    assert cluster.run(*words) == "nothing\n"
    assert dropped(cluster, stranger.node) > before


def dropped(cluster, node):
    """Packets that the node's reverse path filter has dropped (TcpExt IPReversePathFilter)."""
    names, values = cluster.run("exec", node, "--", "grep", "^TcpExt:", "/proc/net/netstat").splitlines()
    return int(dict(zip(names.split(), values.split(), strict=True))["IPReversePathFilter"])
