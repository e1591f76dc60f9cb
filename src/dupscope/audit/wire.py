"""How an agent ships audit lines: one record of a topic for each.

The value is the line as it is in the file, without its newline. The key is the file's identity, so that the
lines of one file lie in one partition, in their order. Headers tell where the line lies: a line is there
once, however often it was shipped.
"""

from __future__ import annotations

VERSION = "dupscope-agent"
"""Header: the format's version, `FORMAT`. Records without it were not shipped by an agent."""
FORMAT = b"1"

FILE = "dupscope-file"
"""Header: the file's identity, which it keeps when it is renamed or copied, and no other file has."""
END = "dupscope-end"
"""Header: the offset behind the line's newline in its file, in decimal."""
NAME = "dupscope-name"
"""Header: the file's name as a person knows it."""
INVALID = "dupscope-invalid"
"""Header of a record without a value: why there is none (`InvalidReason`), as of a line that is too long."""

STATUS = "dupscope-status"
"""Header of a record that is no line: `ALIVE` now and then, `STOPPED` as an agent's last one. The key is the
agent's instance; the value is JSON: `instance`, `at` (ms since 1970), `behind_bytes` not shipped yet."""
ALIVE = b"alive"
STOPPED = b"stopped"
