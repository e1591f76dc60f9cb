"""The key of all digests, in a file."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from dupscope.fingerprint.siphash import SECRET_BYTES
from dupscope.model.errors import ConfigError

_FORM = re.compile(rf"\s*([0-9a-fA-F]{{{2 * SECRET_BYTES}}})\s*")
_OWNER_ONLY = 0o600


def load_or_create(path: Path) -> bytes:
    """The 16 bytes in a file of 32 hexadecimal characters; a file that does not exist is created.

    The new file is readable by its owner only, and appears whole or not at all: of two programs that start
    at once, both use the same key. Raises ConfigError.
    """
    try:
        if not path.exists():
            _create(path, secrets.token_hex(SECRET_BYTES))
        text = path.read_text("ascii")
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: {_WANTED}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot hold the fingerprint key: {error.strerror}"]) from error
    match = _FORM.fullmatch(text)
    if match is None:
        raise ConfigError([f"{path}: {_WANTED}"])
    return bytes.fromhex(match[1])


def keep(path: Path, secret: bytes) -> None:
    """Write a key that is in use into its file again, should that be gone. An OSError leaves it so."""
    with suppress(OSError):
        if not path.exists():
            _create(path, secret.hex())


_WANTED = (
    f"a fingerprint key is {2 * SECRET_BYTES} hexadecimal characters, and this file holds something else"
)


def _create(path: Path, text: str) -> None:
    """Write a key beside `path` and give it that name, unless somebody else was faster."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
