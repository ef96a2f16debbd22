"""Reads the recorded cases of this directory, and plays their questions against a ``Responder``.

Loaded with ``runpy`` by the tests and the script that play them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from switchboard.compile._dns_records import Record
from switchboard.compile.dns import PodNames, Zone, ZoneOptions
from switchboard.compile.resolver import candidates
from switchboard.serve.dns.responder import Responder
from switchboard.serve.dns.upstream import Recorded
from switchboard.view.build import build

HERE = Path(__file__).parent
Case = dict[str, Any]
_UPSTREAM_TTL = 60


def cases(directory: Path = HERE) -> list[Case]:
    """All cases of a directory by id."""
    return [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]


def responder(case: Case) -> Responder:
    """A server with the case's objects and settings."""
    config = case.get("config", {})
    objects: dict[str, list[Any]] = {}
    for obj in case["objects"]:
        objects.setdefault(obj["kind"], []).append(obj)
    for name in ("default", "kube-system"):
        objects.setdefault("Namespace", []).append({"kind": "Namespace", "metadata": {"name": name}})
    options = ZoneOptions(
        domain=config.get("zone", "cluster.local."),
        pods=PodNames(config.get("pods", "disabled")),
        ttl=config.get("ttl", 5),
        endpoint_pod_names=config.get("endpoint_pod_names", False),
        ignore_empty_service=config.get("ignore_empty_service", False),
        servers=tuple(config.get("server_ips", ())),
    )
    records = [
        Record(r["name"], dns.rdatatype.from_text(r["type"]), r.get("ttl", _UPSTREAM_TTL), r["data"])
        for r in config.get("upstream", ())
    ]
    upstream = None if config.get("no_upstream") else Recorded(records)
    return Responder(Zone(options, build(objects)[0].names), upstream, secret=b"secret")


def ask(server: Responder, name: str, kind: str, transport: str, edns: int | None) -> tuple[dns.message.Message, int]:
    """The answer as dnspython reads it, and its size."""
    query = dns.message.make_query(name, kind, use_edns=False if edns is None else 0, payload=edns or 0)
    reply = server.reply(query.to_wire(), "192.0.2.1", tcp=transport == "tcp")
    if not isinstance(reply, bytes):
        assert reply is not None
        reply = asyncio.run(reply)
    message = dns.message.from_wire(reply, ignore_trailing=False)
    assert query.is_response(message)
    return message, len(reply)


def play(case: Case) -> list[str]:
    """What is wrong."""
    server = responder(case)
    wrong = []
    for query in case["queries"]:
        faults = _search(server, query) if "search" in query.get("resolver", {}) else _plain(server, query)
        wrong += [f"{query['name']} {query['type']}: {fault}" for fault in faults]
    return wrong


def _plain(server: Responder, query: Case) -> Iterator[str]:
    edns = query.get("edns")
    transport = query.get("transport", "udp")
    message, size = ask(server, query["name"], query["type"], transport, edns)
    if query.get("resolver", {}).get("retry_tcp_on_tc") and message.flags & dns.flags.TC:
        message, size = ask(server, query["name"], query["type"], "tcp", edns)
    yield from _differences(message, size, query["expect"], has_opt=query.get("expect_opt", edns is not None))


def _differences(message: dns.message.Message, size: int, expect: Case, *, has_opt: bool) -> Iterator[str]:
    rcode = dns.rcode.to_text(message.rcode())
    if rcode != expect["rcode"]:
        yield f"{rcode}, recorded {expect['rcode']}"
    for section, key in (
        (message.answer, "answers"),
        (message.authority, "authority"),
        (message.additional, "additional"),
    ):
        if key in expect and not _same(_rows(section), _recorded(expect[key])):
            yield f"{key} {_rows(section)}, recorded {_recorded(expect[key])}"
    if "answers_subset_of" in expect:
        found, all_of = _rows(message.answer), _recorded(expect["answers_subset_of"])
        if not 0 < len(found) < len(all_of) or not all(any(_match(row, other) for other in all_of) for row in found):
            yield f"{len(found)} answers are no part of the recorded {len(all_of)}"
    if size > expect.get("max_size", size):
        yield f"{size} octets, at most {expect['max_size']}"
    for flag, key, default in ((dns.flags.TC, "tc", False), (dns.flags.AA, "aa", None)):
        wanted = expect.get(key, default)
        if wanted is not None and bool(message.flags & flag) != wanted:
            yield f"{key} is {not wanted}"
    if (message.edns >= 0) != has_opt:
        yield f"OPT record: {message.edns >= 0}"


def _search(server: Responder, query: Case) -> Iterator[str]:
    """What a stub resolver does: the names it asks in turn, until one has an answer."""
    settings, expect = query["resolver"], query["expect"]
    musl = settings["libc"] == "musl"
    steps: list[Case] = []
    answers: list[tuple[str, ...]] = []
    result = "NXDOMAIN"
    for name in candidates(query["name"], settings["search"], settings["ndots"], musl=musl):
        message, _ = ask(server, name, query["type"], "tcp", None)
        rcode = dns.rcode.to_text(message.rcode())
        if rcode == "NOERROR" and not message.answer:
            rcode = "NODATA"
        steps.append({"name": name, "result": rcode})
        if rcode != "NXDOMAIN":
            result = rcode
        if rcode == "NOERROR":
            answers = _rows(message.answer)
        # glibc goes on after NODATA, musl stops.
        if rcode == "NOERROR" or (musl and rcode == "NODATA"):
            break
    if result != expect["rcode"]:
        yield f"{result}, recorded {expect['rcode']}"
    if "sequence" in expect and steps != expect["sequence"]:
        yield f"asked {steps}, recorded {expect['sequence']}"
    if not _same(answers, _recorded(expect.get("answers", ()))):
        yield f"answers {answers}"


def _rows(section: Any) -> list[tuple[str, ...]]:
    return [
        (rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), str(rrset.ttl), rdata.to_text())
        for rrset in section
        for rdata in rrset
    ]


def _recorded(records: Any) -> list[tuple[str, ...]]:
    return [(r["name"], r["type"], str(r["ttl"]), r["data"]) for r in records]


def _match(row: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if row[:3] != wanted[:3]:
        return False
    data, pattern = row[3].split(), wanted[3].split()
    return len(data) == len(pattern) and all(p in ("*", d) for d, p in zip(data, pattern, strict=True))


def _same(rows: list[tuple[str, ...]], wanted: list[tuple[str, ...]]) -> bool:
    left = list(rows)
    for each in wanted:
        found = next((row for row in left if _match(row, each)), None)
        if found is None:
            return False
        left.remove(found)
    return not left
