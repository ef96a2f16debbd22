"""What a pod's programs find below /etc: resolv.conf, hosts and the host name, as Kubernetes writes them.

In: a pod's object and the cluster's DNS.  Out: ``PodFiles`` for the kubelet's order, and the files in the runtime
directory, which ``switchboard exec`` lays over the machine's.
Specification: Pod v1 (dnsPolicy, dnsConfig, hostname, subdomain, setHostnameAsFQDN, hostAliases); kubelet 1.36.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import msgspec

from switchboard.compile.resolver import Resolver, hosts_file, pod_resolver, with_config
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text

_LONGEST_HOST_NAME: Final = 63


class PodFiles(msgspec.Struct, frozen=True):
    """A pod's resolver, its hosts file and its host name."""

    resolver: Resolver = Resolver()
    hosts: str = ""
    host_name: str = ""


def pod_files(pod: Object, address: str, server: str, domain: str, host: Resolver) -> PodFiles:
    """As the kubelet would write them; ``server`` is the address of the cluster's DNS, ``host`` the node's resolver."""
    spec = objects.spec(pod)
    config = mapping(spec.get("dnsConfig"))
    space = objects.namespace(pod)
    policy = text(spec.get("dnsPolicy")) or "ClusterFirst"
    resolver = with_config(
        pod_resolver(policy, space, host, server, domain, host_network=spec.get("hostNetwork") is True),
        [text(each) for each in sequence(config.get("nameservers"))],
        [text(each) for each in sequence(config.get("searches"))],
        [(text(mapping(o).get("name")), text(mapping(o).get("value"))) for o in sequence(config.get("options"))],
    )
    own = (text(spec.get("hostname")) or objects.name(pod))[:_LONGEST_HOST_NAME].rstrip("-.")
    subdomain = text(spec.get("subdomain"))
    full = f"{own}.{subdomain}.{space}.svc.{domain}" if subdomain else ""
    aliases = [
        (text(mapping(a).get("ip")), tuple(text(n) for n in sequence(mapping(a).get("hostnames"))))
        for a in sequence(spec.get("hostAliases"))
    ]
    hosts = hosts_file(address, (full, own) if full else (own,), aliases)
    return PodFiles(resolver, hosts, full if full and spec.get("setHostnameAsFQDN") is True else own)


def _directory(home: Path, pod: str) -> Path:
    return home / "pods" / pod


def write(home: Path, pod: str, files: PodFiles) -> None:
    """Writes the files of ``pod`` (``namespace/name``) below a cluster's runtime directory."""
    directory = _directory(home, pod)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in (
        ("resolv.conf", files.resolver.text()),
        ("hosts", files.hosts),
        ("hostname", files.host_name + "\n"),
    ):
        (directory / name).write_text(content)


def remove(home: Path, pod: str) -> None:
    """Forgets them."""
    shutil.rmtree(_directory(home, pod), ignore_errors=True)


def mounts(home: Path, pod: str) -> dict[Path, Path]:
    """Which of the machine's files those of the pod stand for."""
    directory = _directory(home, pod)
    return {Path("/etc", name): directory / name for name in ("resolv.conf", "hosts", "hostname")}
