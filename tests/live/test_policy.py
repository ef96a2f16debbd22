"""Policies in the kernel: recorded connections between pods, nodes and the world, tried with real packets.

A cluster is a namespace for each pod and node and one for everything outside.  Nothing listens: a packet that gets
through is refused by its destination (RST, port unreachable), one that is dropped is answered by nobody.
SCTP is left to the laws, since not every kernel has it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import runpy
import selectors
import socket
import time
from itertools import islice
from pathlib import Path

import pytest

from switchboard.apply.fabric import Fabric
from switchboard.apply.netns import create, entered
from switchboard.apply.nft import KernelNft
from switchboard.apply.process import run
from switchboard.compile import lab
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes.nftables import MODE
from switchboard.compile.policy import TABLES, compile_node
from switchboard.rules.lab import Lab, Route, Setting
from switchboard.rules.nft import Ruleset
from switchboard.rules.nft_difference import difference
from switchboard.rules.nft_parse import parse
from switchboard.view.build import build
from switchboard.view.choice import addresses_of
from switchboard.view.node import Node
from switchboard.view.policy_decision import PolicyIndex

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

CORPUS = runpy.run_path(str(Path(__file__).parents[1] / "cases" / "policy" / "corpus.py"))
CASES = CORPUS["cases"]()
SINGLE = [c for c in CASES if "probes" in c]
# Every third case by itself and some of the random clusters: as much as everybody's patience allows.
SAMPLE = [*SINGLE[::3], *(c for c in CASES if "matrix" in c)][: len(SINGLE[::3]) + 4]
RANGES = lab.Ranges(nodes="192.168.0.0/16")
WORLD = lab.CLOUD
NO_DELAY = ("ipv6/conf/all/accept_dad", "ipv6/conf/default/accept_dad", "ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit")
PATIENCE, SHORT = 5.0, 0.3
MOST = 240


class Cluster:
    """The namespaces of one case's nodes and pods; the cases of a cluster share it."""

    def __init__(self, case, stack):
        self.view, _ = build(CORPUS["objects"](case))
        self.fabric = stack.enter_context(Fabric({}))
        stack.callback(self.close)
        facts = [
            Node(
                name=n.name,
                addresses=addresses_of(n.addresses, 4),
                pod_cidrs=tuple(f"{a}/32" for p in self.pods(n.name) for a in addresses_of(p.addresses, 4)),
            )
            for n in self.view.nodes
        ]
        names = [WORLD, *(n.name for n in facts), *(p.key for p in self.pods())]
        settings = tuple(Setting(name, each, "0") for name in names for each in NO_DELAY)
        self.fabric.make(Lab(namespaces=tuple(names), settings=settings))
        self.fabric.make(lab.fabric(facts, 0, RANGES))
        for number, pod in enumerate(self.pods()):
            node = next(n for n in facts if n.name == pod.node)
            address = next(iter(addresses_of(pod.addresses, 4)), f"198.18.0.{number}")
            self.fabric.make(lab.pod(pod.key, f"pod{number}", address, node))
            self.fabric.route(Route(WORLD, f"{address}/32", (node.addresses[0],)))
        self.six()
        self.outside = {WORLD: set()}
        self.nft = {n.name: KernelNft(self.fabric.namespaces[n.name]) for n in facts}
        self.applied = dict.fromkeys(self.nft, Ruleset())

    def close(self):
        for name in list(self.fabric.namespaces):
            self.fabric.forget(name)

    def pods(self, node=""):
        return [p for p in self.view.pods if not p.host_network and node in ("", p.node)]

    def ip(self, where, *commands):
        text = "".join(f"{command}\n" for command in commands)
        done = run(("ip", "-6", "-batch", "-"), stdin=text.encode(), netns=self.fabric.namespaces[where])
        assert not done.code, done.stderr

    def six(self):
        """The same network once more in the other family."""
        first = {n.name: next(iter(addresses_of(n.addresses, 6)), "") for n in self.view.nodes}
        self.ip(WORLD, "addr add fd00:192:168:10::ff/64 dev nodes nodad")
        numbers = {p.key: number for number, p in enumerate(self.pods())}
        for node in (n for n in self.view.nodes if first[n.name]):
            with entered(self.fabric.namespaces[node.name]):
                Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
            self.ip(node.name, f"addr add {first[node.name]}/64 dev eth0 nodad")
            self.ip(node.name, "route add default via fd00:192:168:10::ff dev eth0")
            for pod in self.pods():
                for address in addresses_of(pod.addresses, 6):
                    here = f"dev pod{numbers[pod.key]}" if pod.node == node.name else f"via {first[pod.node]} dev eth0"
                    self.ip(node.name, f"route add {address} {here}")
                    self.ip(WORLD, f"route replace {address} via {first[pod.node]} dev nodes")
            for pod in self.pods(node.name):
                self.ip(node.name, f"addr add fe80::1/64 dev pod{numbers[pod.key]} nodad")
                own = [f"addr add {a}/128 dev eth0 nodad" for a in addresses_of(pod.addresses, 6)]
                self.ip(pod.key, *own, "route add default via fe80::1 dev eth0")

    def enforce(self, case):
        """Brings every node to the policies of the case."""
        view, _ = build(CORPUS["objects"](case))
        for name, nft in self.nft.items():
            # The rules for Services are always there; with them the kernel tracks every connection from its beginning.
            services, _ = MODE.compile(view, name, ProxyOptions())
            policies, _ = compile_node(view, name)
            wanted = Ruleset((*services.tables, *policies.tables))
            nft.apply(difference(self.applied[name], wanted).render())
            self.applied[name] = wanted
        return PolicyIndex(view)

    def place(self, end):
        """The namespace of an end; addresses of nobody belong to the world."""
        if end.pod:
            return end.pod.key
        if end.node:
            return end.node.name
        if end.address not in self.outside[WORLD]:
            length = 128 if ":" in end.address else 32
            run(("ip", "addr", "add", f"{end.address}/{length}", "dev", "lo"), netns=self.fabric.namespaces[WORLD])
            self.outside[WORLD].add(end.address)
        return WORLD


class Attempts:
    """Connections that are tried side by side; ``passed`` are the numbers of those that were answered."""

    def __init__(self, stack):
        self.stack = stack
        self.selector = stack.enter_context(selectors.DefaultSelector())
        self.passed = set()

    def add(self, number, namespace, source, destination, protocol, port):
        kind = socket.AF_INET6 if ":" in source else socket.AF_INET
        with entered(namespace):
            made = socket.socket(kind, socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM)
        self.stack.enter_context(made)
        made.setblocking(False)
        made.bind((source, 0))
        answer = made.connect_ex((destination, port))
        if protocol == "UDP":
            made.send(b"?")
        assert answer in (0, errno.EINPROGRESS, errno.ECONNREFUSED), os.strerror(answer)
        if answer == errno.ECONNREFUSED:
            self.passed.add(number)
        else:
            # A connection that is refused becomes writable with an error, a datagram's refusal readable.
            event = selectors.EVENT_WRITE if protocol == "TCP" else selectors.EVENT_READ
            self.selector.register(made, event, number)

    def wait(self, expected):
        """Until everything expected was answered, and a moment longer for what was not."""
        deadline = time.monotonic() + PATIENCE
        while expected - self.passed and time.monotonic() < deadline:
            self.collect(0.1)
        end = time.monotonic() + SHORT
        while (left := end - time.monotonic()) > 0:
            self.collect(left)

    def collect(self, seconds):
        for entry, _ in self.selector.select(seconds):
            error = entry.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == errno.ECONNREFUSED, os.strerror(error)
            self.passed.add(entry.data)
            self.selector.unregister(entry.fileobj)


def feasible(index, probe):
    """What this laboratory can send: no SCTP, no loopback addresses, no Service in between."""
    if probe["protocol"] == "SCTP" or probe.get("via"):
        return False
    source, destination = CORPUS["ends"](index, probe)
    between_strangers = not (source.pod or source.node or destination.pod or destination.node)
    return not between_strangers and not any(e.address.startswith("127.") for e in (source, destination))


def tried(cluster, index, probes):
    """The verdicts of the kernel."""
    with contextlib.ExitStack() as stack:
        attempts = Attempts(stack)
        for number, probe in enumerate(probes):
            source, destination = CORPUS["ends"](index, probe)
            cluster.place(destination)
            namespace = cluster.fabric.namespaces[cluster.place(source)]
            attempts.add(number, namespace, source.address, destination.address, probe["protocol"], probe["port"])
        attempts.wait({number for number, probe in enumerate(probes) if probe["allowed"]})
        return [number in attempts.passed for number in range(len(probes))]


@pytest.fixture(scope="module")
def clusters():
    """From the nodes and pods of a case to its cluster; the one used last stays for the next case."""
    with contextlib.ExitStack() as stack:
        held = {}

        def find(case):
            key = json.dumps([case["nodes"], case["pods"]])
            if key not in held:
                held.clear()
                stack.pop_all().close()
                held[key] = Cluster(case, stack)
            return held[key]

        yield find


@pytest.mark.parametrize(
    "case", sorted(SAMPLE, key=lambda c: json.dumps([c["nodes"], c["pods"]])), ids=lambda c: c["id"]
)
def test_the_kernel_gives_the_recorded_verdict(case, clusters):
    cluster = clusters(case)
    index = cluster.enforce(case)
    probes = list(islice((p for p in CORPUS["probes"](case) if feasible(index, p)), MOST))
    found = tried(cluster, index, probes)
    assert [p for p, allowed in zip(probes, found, strict=True) if allowed != p["allowed"]] == []


def named(identity):
    return next(c for c in SINGLE if c["id"] == identity)


def test_a_new_policy_is_for_new_connections_and_established_ones_go_on(clusters):
    free, denied = named("np-iso-none"), named("np-iso-deny-ingress")
    cluster = clusters(free)
    index = cluster.enforce(free)
    client, server = index.end("ops/prom", 4), index.end("shop/api", 4)

    def connect(patience):
        with entered(cluster.fabric.namespaces[client.pod.key]):
            return socket.create_connection((server.address, 3000), patience)

    with entered(cluster.fabric.namespaces[server.pod.key]):
        listener = socket.create_server((server.address, 3000))
    with listener, connect(PATIENCE) as early, listener.accept()[0] as accepted:
        accepted.settimeout(PATIENCE)
        cluster.enforce(denied)
        with pytest.raises(TimeoutError):
            connect(SHORT)
        early.sendall(b"still here")
        assert accepted.recv(100) == b"still here"
        accepted.sendall(b"and back")
        assert early.recv(100) == b"and back"
        cluster.enforce(free)
        connect(PATIENCE).close()


def test_the_kernel_takes_every_change_and_lists_what_was_compiled():
    applied = Ruleset()
    namespace = create()
    try:
        nft = KernelNft(namespace)
        for case in CASES[::8]:
            view, _ = build(CORPUS["objects"](case))
            wanted, _ = compile_node(view, view.nodes[0].name)
            nft.apply(difference(applied, wanted).render())
            assert parse("".join(nft.list_table(*key) for key in TABLES)) == (wanted, ())
            applied = wanted
        nft.apply(difference(applied, Ruleset()).render())
        assert [nft.list_table(*key) for key in TABLES] == ["", ""]
    finally:
        os.close(namespace)
