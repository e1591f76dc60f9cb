"""What may become of the files of a state folder behind the program's back, at random places."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from dupscope.store.database import DATABASE_FILE, PAGE_BYTES

Damage = Callable[[Path, random.Random], str]
"""Changes the files of a folder; returns what it did, in words."""

HEADER_BYTES = 100


def database(folder: Path) -> Path:
    return folder / DATABASE_FILE


def log(folder: Path) -> Path:
    return folder / f"{DATABASE_FILE}-wal"


def flipped(path: Path, draw: random.Random, span: range | None = None) -> str:
    """One bit of a byte that says something, or of any byte of a span."""
    content = bytearray(path.read_bytes())
    at = draw.choice(span or [at for at, byte in enumerate(content) if byte] or [0])
    if at < len(content):
        content[at] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return f"byte {at} of {path.name} flipped"


def flip(folder: Path, draw: random.Random) -> str:
    return flipped(database(folder), draw)


def flip_header(folder: Path, draw: random.Random) -> str:
    return flipped(database(folder), draw, range(HEADER_BYTES))


def flip_schema(folder: Path, draw: random.Random) -> str:
    """In the page that tells of the tables."""
    return flipped(database(folder), draw, range(HEADER_BYTES, PAGE_BYTES))


def flip_log(folder: Path, draw: random.Random) -> str:
    return flipped(log(folder), draw)


def zero_page(folder: Path, draw: random.Random) -> str:
    content = bytearray(database(folder).read_bytes())
    page = draw.randrange(max(1, len(content) // PAGE_BYTES)) * PAGE_BYTES
    content[page : page + PAGE_BYTES] = bytes(len(content[page : page + PAGE_BYTES]))
    database(folder).write_bytes(content)
    return f"page at {page} zeroed"


def cut(folder: Path, draw: random.Random) -> str:
    return _cut(database(folder), draw)


def cut_log(folder: Path, draw: random.Random) -> str:
    return _cut(log(folder), draw)


def empty(folder: Path, _draw: random.Random) -> str:
    database(folder).write_bytes(b"")
    return "database empty"


def garbage(folder: Path, draw: random.Random) -> str:
    database(folder).write_bytes(draw.randbytes(database(folder).stat().st_size))
    return "database is garbage"


def remove(folder: Path, _draw: random.Random) -> str:
    database(folder).unlink()
    return "database removed"


def remove_log(folder: Path, _draw: random.Random) -> str:
    log(folder).unlink(missing_ok=True)
    return "log removed"


def _cut(path: Path, draw: random.Random) -> str:
    content = path.read_bytes() if path.exists() else b""
    length = draw.randrange(len(content) + 1)
    path.write_bytes(content[:length])
    return f"{path.name} cut from {len(content)} to {length} bytes"


OF_DATABASE: tuple[Damage, ...] = (flip, flip_header, flip_schema, zero_page, cut, empty, garbage)
OF_LOG: tuple[Damage, ...] = (flip_log, cut_log, remove_log)
EVERY: tuple[Damage, ...] = (*OF_DATABASE, *OF_LOG, remove)
