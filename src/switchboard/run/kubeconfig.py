"""Kubeconfig files: how kubectl reaches a server and who it is there.

In: an address, a certificate authority, a client certificate.  Out: YAML, and files with mode 0600.
Called where an API is served.
Specification: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import yaml

from switchboard.apply.certificates import KeyPair

NAME = "switchboard"


def kubeconfig(server: str, authority: str, client: KeyPair, name: str = NAME) -> str:
    """The file's text; ``authority`` is PEM, ``client`` what the server's authority has issued."""
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}],
        "users": [
            {
                "name": name,
                "user": {"client-certificate-data": _base64(client.chain), "client-key-data": _base64(client.key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(found, sort_keys=False)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; nobody but its owner may read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
