"""Signed tokens of ServiceAccounts: JSON Web Tokens with ES256, and the key that signs them.

In: claims, or a token.  Out: a token, or the claims of one that this key has signed and that is in its time.
Called by ``run``, which gives ``sign`` and ``claims`` to the API server.
Specification: RFC 7519, RFC 7515 and RFC 7518 (ES256: the two halves of the signature, 32 bytes each).
The key appears in no repr and no error message.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from switchboard.base.errors import MachineError

KEY_FILE: Final = "sa.key"
LONGEST: Final = 16 * 1024
_HALF: Final = 32


class TokenKey:
    """Signs and verifies; make one with ``create`` or ``load``."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public)
        self._header = _encode(
            msgspec.json.encode({"alg": "ES256", "kid": _encode(digest.finalize()).decode(), "typ": "JWT"})
        )

    def __repr__(self) -> str:
        return "TokenKey(<hidden>)"

    @classmethod
    def create(cls) -> TokenKey:
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load_or_create(cls, directory: Path) -> TokenKey:
        """The key of a directory, made with mode 0600 when there is none; raises MachineError for a broken one."""
        path = directory / KEY_FILE
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            made = cls.create()
            made._save(path)
            return made
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise _unusable(path) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise _unusable(path)
        return cls(key)

    def _save(self, path: Path) -> None:
        private = serialization.PrivateFormat.PKCS8
        text = self._key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def sign(self, claims: dict[str, Any]) -> str:
        """A token that says so."""
        signed = self._header + b"." + _encode(msgspec.json.encode(claims))
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return (signed + b"." + _encode(r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big"))).decode()

    def claims(self, token: str, now: float) -> dict[str, Any] | None:
        """What a token says, None unless this key has signed it and ``now`` (seconds since 1970) is in its time."""
        header, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        if len(token) > LONGEST or header.encode() != self._header:
            return None
        try:
            given = _decode(signature)
            if len(given) != 2 * _HALF:
                return None
            der = encode_dss_signature(int.from_bytes(given[:_HALF], "big"), int.from_bytes(given[_HALF:], "big"))
            self._key.public_key().verify(der, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
            found = msgspec.json.decode(_decode(payload))
        except (InvalidSignature, ValueError, binascii.Error, msgspec.MsgspecError):
            return None
        if not isinstance(found, dict):
            return None
        begin, end = found.get("nbf", 0), found.get("exp", 0)
        return found if isinstance(end, int | float) and begin <= now < end else None


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _unusable(path: Path) -> MachineError:
    hint = f"Remove {path.name} there, and a new one is made; the tokens of ServiceAccounts end with it."
    return MachineError("token-key-unusable", "The key of the tokens cannot be read.", context=str(path), hint=hint)
