"""The nftables mode in the kernel: real packets through a node's namespace, for recorded cases of kube-proxy.

Every namespace is joined to the node's, so that each reply passes the node again.  Pods of the node that only answer
share one namespace, everything beyond the node is another one, and each source of a flow has its own.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import selectors
import socket
import threading
from pathlib import Path

import msgspec
import pytest

from switchboard.apply.conntrack import KernelConntrack
from switchboard.apply.netns import create, entered
from switchboard.apply.nft import KernelNft
from switchboard.apply.process import run
from switchboard.base.errors import MachineError
from switchboard.rules import nft_parse
from switchboard.rules.nft import Ruleset
from switchboard.rules.nft_difference import difference, removal
from switchboard.run.proxy_state import State, program

pytestmark = pytest.mark.live

RECORDED = Path(__file__).parents[1] / "cases" / "proxy" / "recorded"
# One of each kind; `make cases AREA=proxy` plays all of them.
NAMES = """
    affinity-flap affinity-tcp chg-etp chg-scale clusterip-tcp-basic clusterip-udp-basic ct-udp-late-lb
    ct-udp-late-service ct-udp-replaced extip-cluster hairpin-single hairpin-tcp-clusterip hints-zone
    itp-local-without-local
    lb-etp-local-with-local lb-etp-local-without-local lb-sourceranges lb-vip-cluster masq-no-clustercidr
    nodeport-tcp-basic noep-loadbalancer v6-lb-local
"""
CASES = [RECORDED / f"{name}.json" for name in NAMES.split()]
SERVICE_RANGES = {4: ("10.96.0.0/12", "198.51.100.0/24", "192.0.2.0/24"), 6: ("fd00:10:96::/112", "2001:db8:1::/64")}
GATEWAY = {4: ("169.254.1.1", "169.254.1.2"), 6: ("fe80::1", "fe80::2")}
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
PATIENCE, SHORT = 5.0, 0.4
ATTEMPTS = 200


def family(address):
    return 6 if ":" in address else 4


def place(address):
    return (address, 0) if family(address) == 4 else (address, 0, 0, 0)


def kind(address):
    return socket.AF_INET6 if family(address) == 6 else socket.AF_INET


class Lab:
    """Namespaces around one node, with responders that tell where they were reached and by whom."""

    def __init__(self, case, stack):
        self.case, self.stack = case, stack
        self.node = self.namespace()
        ips = case["node"]["ips"] + case["node"].get("loIPs", [])
        self.ip(self.node, "link set lo up")
        run(("sysctl", "-q", "-w", *FORWARDING, *self.loose()), netns=self.node)
        self.links = 0
        self.world = self.joined("up", [])
        self.ip(self.node, *(f"addr add {a}/{self.length(a)} dev up0 {self.nodad(a)}" for a in ips))
        for number, (_, far) in GATEWAY.items():
            self.ip(self.node, f"-{number} route add default via {far} dev up0 onlink")
            self.ip(self.world, *(f"-{number} route add local {r} dev lo" for r in SERVICE_RANGES[number]))
        self.sources = {}
        self.open()

    def open(self):
        """Clients, endpoints and their responders."""
        phases = [self.case, *self.case.get("phases", [])]
        for flow in (f for p in phases for f in p.get("flows", [])):
            source = flow["from"]
            if source["where"] != "node-itself" and source["ip"] not in self.sources:
                first = ipaddress.ip_address(source["ip"])
                mine = [str(first + i) for i in range(source.get("count", 1))]
                name = "pod" if source["where"] == "pod-on-node" else "ext"
                self.sources |= dict.fromkeys(mine, self.joined(name, mine))
        local, responders = {}, {}
        for address, port, here in self.endpoints(phases):
            if here and address not in self.sources:
                local[address] = None
            responders[address, port] = here
        farm = self.joined("pod", list(local))
        remote = {a for (a, _), here in responders.items() if not here and a not in self.sources}
        self.ip(self.world, *(f"addr add {a}/{self.length(a)} dev lo {self.nodad(a)}" for a in sorted(remote)))
        self.selector = self.stack.enter_context(selectors.DefaultSelector())
        for (address, port), here in responders.items():
            where = self.sources.get(address, farm if here else self.world)
            self.listen(where, address, port)
        for port in {f["to"]["port"] for p in phases for f in p.get("flows", [])}:
            self.listen(self.world, "::", port)
        self.serve()

    def endpoints(self, phases):
        """(address, port, on this node) of every endpoint of every phase."""
        for found in (s for p in phases for s in p.get("endpointSlices", [])):
            for entry in found.get("endpoints") or []:
                for port in found.get("ports") or []:
                    yield entry["addresses"][0], port["port"], entry.get("nodeName") == self.case["node"]["name"]

    def namespace(self):
        descriptor = create()
        self.stack.callback(os.close, descriptor)
        return descriptor

    def joined(self, name, addresses):
        """A namespace with these addresses, joined to the node."""
        new, link = self.namespace(), f"{name}{self.links if name != 'up' else 0}"
        self.links += 1
        self.ip(self.node, f"link add {link} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{new}")
        run(("sysctl", "-q", "-w", *self.loose()), netns=new)
        near = [f"addr add {g}/{self.length(g)} dev {link} {self.nodad(g)}" for g, _ in GATEWAY.values()]
        self.ip(self.node, f"link set {link} up", *near)
        far = [f"addr add {g}/{self.length(g)} dev eth0 {self.nodad(g)}" for _, g in GATEWAY.values()]
        own = [f"addr add {a}/{self.length(a)} dev lo {self.nodad(a)}" for a in addresses]
        self.ip(new, "link set lo up", "link set eth0 up", *far, *own)
        for number, (gateway, peer) in GATEWAY.items():
            self.ip(new, f"-{number} route add default via {gateway} dev eth0 onlink")
            mine = [a for a in addresses if family(a) == number]
            self.ip(self.node, *(f"route add {a}/{self.length(a)} via {peer} dev {link} onlink" for a in mine))
        return new

    def ip(self, where, *commands):
        for command in commands:
            done = run(("ip", *command.split()), netns=where)
            assert not done.code, f"{command}: {done.stderr}"

    @staticmethod
    def loose():
        return ("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")

    @staticmethod
    def length(address):
        return 128 if family(address) == 6 else 32

    @staticmethod
    def nodad(address):
        return "nodad" if family(address) == 6 else ""

    def listen(self, where, address, port):
        """Answer TCP and UDP at one address; the wildcard stands for what was not translated."""
        for type_ in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with entered(where):
                server = socket.socket(kind(address), type_)
            self.stack.enter_context(server)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((*place(address)[:1], port))
            server.setblocking(False)
            shown = f"[{address}]" if family(address) == 6 else address
            name = "untranslated" if address == "::" else f"{shown}:{port}"
            if type_ == socket.SOCK_STREAM:
                server.listen(64)
            self.selector.register(server, selectors.EVENT_READ, (type_, name))

    def serve(self):
        waker, ender = socket.socketpair()
        self.selector.register(waker, selectors.EVENT_READ, None)
        thread = threading.Thread(target=self.answer, name="responders")
        thread.start()

        def end():
            ender.close()
            thread.join()
            waker.close()

        self.stack.callback(end)

    def answer(self):
        while True:
            for entry, _ in self.selector.select():
                if entry.data is None:
                    return
                type_, name = entry.data
                with contextlib.suppress(OSError):
                    if type_ == socket.SOCK_STREAM:
                        peer, address = entry.fileobj.accept()
                        with peer:
                            peer.sendall(f"{name} {address[0]}".encode())
                    else:
                        _, address = entry.fileobj.recvfrom(100)
                        entry.fileobj.sendto(f"{name} {address[0]}".encode(), address)

    def probe(self, flow, index=0, patience=PATIENCE):
        """One connection or datagram: the responder's name and the source it saw, or why there was no answer."""
        source, target = flow["from"], flow["to"]
        address = str(ipaddress.ip_address(source["ip"]) + index)
        stream = target["protocol"] == "TCP"
        with entered(self.sources.get(address, self.node)):
            client = socket.socket(kind(address), socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        with client:
            client.settimeout(patience)
            try:
                client.bind((*place(address)[:1], source.get("port", 0)))
                client.connect((target["ip"], target["port"]))
                if not stream:
                    client.send(b"?")
                name, seen = client.recv(200).decode().split()
            except ConnectionRefusedError:
                return "reject", ""
            except (TimeoutError, PermissionError):
                return "drop", ""
        return name, "kept" if seen.removeprefix("::ffff:") == address else "masqueraded"


def check(lab, flow):
    """What the flow expects is what happens."""
    expected, source = flow["expect"], flow["from"]
    if expected["verdict"] != "dnat":
        assert lab.probe(flow, patience=SHORT if expected["verdict"] == "drop" else PATIENCE)[0] == expected["verdict"]
        return
    answers = set()
    if source.get("count", 1) > 1:
        for index in range(source["count"]):
            mine = {lab.probe(flow, index) for _ in range(flow.get("rounds", 1))}
            assert len(mine) == 1 or not expected.get("sticky")
            answers |= mine
    for _ in range(ATTEMPTS):
        if {name for name, _ in answers} >= set(expected["endpoints"]):
            break
        answers.add(lab.probe(flow))
    assert {name for name, _ in answers} == set(expected["endpoints"])
    if source["where"] != "node-itself":
        for name, seen in answers:
            masquerade = expected["masquerade"]
            wanted = name in expected["masqueradeFor"] if masquerade is None else masquerade
            assert seen == ("masqueraded" if wanted else "kept"), name


def states(case):
    """The case's phases as (state, flows); what a phase does not give stays as it was."""
    objects = {k: case[k] for k in ("services", "endpointSlices")}
    for phase in (case, *case.get("phases", [])):
        objects |= {k: phase[k] for k in objects if k in phase}
        whole = {"node": case["node"], "nodes": case.get("nodes", []), **objects}
        yield msgspec.convert(whole, State), phase.get("flows", [])


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_packets_go_where_they_went_with_kube_proxy(path):
    case = json.loads(path.read_text())
    checked = 0
    with contextlib.ExitStack() as stack:
        lab = Lab(case, stack)
        nft, conntrack, applied = KernelNft(lab.node), KernelConntrack(lab.node), None
        for state, flows in states(case):
            applied = program(state, applied, nft, conntrack)
            for flow in flows:
                # Health checks are another component's, and what passes untouched needs listeners on the node.
                if flow["expect"]["verdict"] in ("dnat", "reject", "drop"):
                    check(lab, flow)
                    checked += 1
    assert checked


def test_kernel_takes_every_change_and_lists_what_was_compiled():
    with contextlib.ExitStack() as stack:
        namespace = create()
        stack.callback(os.close, namespace)
        nft, applied = KernelNft(namespace), None
        for path in CASES:
            for state, _ in states(json.loads(path.read_text())):
                applied = program(state, applied, nft)
                text = "".join(nft.list_table(t.family, t.name) for t in applied.rules.tables)
                assert nft_parse.parse(text) == (applied.rules, ())
        nft.apply(difference(applied.rules, Ruleset()).render())
        assert nft.list_table("ip", "kube-proxy") == ""
        nft.apply(removal([("ip", "kube-proxy")]).render())


def test_refused_transaction_changes_nothing():
    with contextlib.ExitStack() as stack:
        namespace = create()
        stack.callback(os.close, namespace)
        nft = KernelNft(namespace)
        nft.check("add table ip t\n")
        assert nft.list_table("ip", "t") == ""
        with pytest.raises(MachineError) as error:
            nft.apply("add table ip t\nadd rule ip t nowhere drop\n")
        assert error.value.reference == "nft-refused"
        assert error.value.context == "add rule ip t nowhere drop"
        assert nft.list_table("ip", "t") == ""
