"""From the routes of the view to Envoy's configuration: ``compile`` is the compiler, ``Settings`` the pod's side."""

from switchboard.compile.gateway.config import compile  # noqa: A004 — the verb of this package
from switchboard.compile.gateway.listeners import Settings
from switchboard.rules.discovery import KeyPair

__all__ = ["KeyPair", "Settings", "compile"]
