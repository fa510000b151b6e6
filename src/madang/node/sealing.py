"""Small secrets in the database, sealed with a key that lies outside it (AES-256-GCM)."""

import secrets

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home

KEY = "sealing"
_NONCE = 12


def seal(home: Home, secret: bytes, purpose: str) -> bytes:
    """`secret` so that only this installation can open it, and only for the same purpose (`code person:12`)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(home.key(KEY)).encrypt(nonce, secret, purpose.encode())


def unseal(home: Home, sealed: bytes, purpose: str) -> bytes:
    """What was sealed; `sealing.broken` if it was not sealed here, or for something else."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(home.key(KEY)).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
    except (InvalidTag, ValueError):
        raise MadangError(
            "sealing.broken",
            _("A secret in the database was not sealed with the key of this installation."),
            _("Restore the folder keys/ that belongs to this database."),
        ) from None
