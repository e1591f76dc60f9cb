"""Values that YAML has no word for: durations, sizes, addresses, starting points, secrets.

Each `parse_…` takes what YAML gave and raises `ValueError` with what is wrong and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from dupscope.fingerprint.settings import KeySpec, split_path

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNIT_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|[KMG]i?B)")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[^:\s]*):(?P<port>\d+)")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Duration(float):
    """A length of time in seconds."""

    def __str__(self) -> str:
        for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
            if self >= seconds * (2 if unit == "d" else 1) and self % seconds == 0:
                return f"{int(self // seconds)}{unit}"
        return f"{float(self):g}s"


class Size(int):
    """A number of bytes."""

    def __str__(self) -> str:
        for unit in ("GiB", "MiB", "KiB"):
            if self and self % _UNIT_BYTES[unit] == 0:
                return f"{int(self) // _UNIT_BYTES[unit]}{unit}"
        return f"{int(self)}B"


class Moment(int):
    """A point in time, in milliseconds since 1970."""

    def __str__(self) -> str:
        moment = _EPOCH + timedelta(milliseconds=int(self))
        return moment.isoformat(timespec="milliseconds" if self % 1000 else "seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class StartAt:
    """Where the first start begins to read: a duration before now, or an end of the log.

    `seconds` is set when `kind` is `ago`.
    """

    kind: Literal["earliest", "latest", "ago"] = "ago"
    seconds: float | None = None

    def __str__(self) -> str:
        return str(Duration(self.seconds or 0)) if self.kind == "ago" else self.kind


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen. An empty host means every interface, port 0 any free port."""

    host: str = ""
    port: int = 9464

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """How a mirror names its topics. `topics` is set when `kind` is `map`: physical -> logical."""

    kind: Literal["default", "identity", "map"] = "default"
    topics: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PropertySpec:
    """A client property as the file gives it: the value itself, or where it is kept."""

    value: str = field(default="", repr=False)
    kept_in: Literal["here", "file", "env"] = "here"


def parse_duration(raw: object) -> Duration:
    """`24h`, `90s`, `1h30m`. A bare number is refused."""
    text = str(raw).strip()
    if text.isdigit():
        raise ValueError(f"'{text}' needs a unit; write '{text}h', '{text}m' or '{text}s'")
    if not isinstance(raw, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"{describe(raw)} is not a duration; write for example '24h', '90s' or '10m'")
    parts = _DURATION_PART.findall(text)
    return Duration(sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts))


def parse_size(raw: object) -> Size:
    """`1GiB`, `512MiB`, `200MB`. A bare number is refused."""
    match = _SIZE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if not match:
        raise ValueError(f"{describe(raw)} is not a size; write for example '1GiB' or '512MiB'")
    return Size(float(match[1]) * _UNIT_BYTES[match[2]])


def parse_start(raw: object) -> StartAt:
    """`earliest`, `latest` or a duration back from now."""
    if raw in ("earliest", "latest"):
        return StartAt("earliest" if raw == "earliest" else "latest")
    try:
        return StartAt("ago", parse_duration(raw))
    except ValueError as error:
        raise ValueError(f"{error}, or 'earliest' or 'latest'") from None


def parse_moment(raw: object) -> Moment:
    """`2026-11-23T10:00:00Z`, as text or as YAML reads it. A time without an offset is refused."""
    text = raw.isoformat() if isinstance(raw, datetime) else raw
    match = _RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if not match or not isinstance(text, str):
        raise ValueError(f"{describe(raw)} is not a time; write for example '2026-11-23T10:00:00Z'")
    if not match["offset"]:
        raise ValueError(f"{describe(raw)} has no offset; write for example '{text}Z' or '{text}+01:00'")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{describe(raw)} is not a time: {error}") from None
    return Moment((moment - _EPOCH) // timedelta(milliseconds=1))


def parse_listen(raw: object) -> ListenAddress:
    """`:9464`, `127.0.0.1:9464`, `[::1]:9464`."""
    match = _LISTEN.fullmatch(raw) if isinstance(raw, str) else None
    if not match or int(match["port"]) > 65535:  # noqa: PLR2004 - the largest TCP port
        raise ValueError(f"{describe(raw)} is not an address; write ':9464' or '127.0.0.1:9464'")
    return ListenAddress(match["host"].strip("[]"), int(match["port"]))


def parse_key(raw: object) -> KeySpec:
    """`kafka_key`, `{header: name}`, `{json: path}` or `{json: [path, path]}`."""
    if raw == "kafka_key":
        return KeySpec("kafka_key", ())
    kind, value = _only_entry(raw)
    if kind in ("avro", "protobuf"):
        raise ValueError(f"'{kind}' keys come in a later version; for now use kafka_key, header or json")
    if kind == "header" and isinstance(value, str) and value:
        return KeySpec("header", (value,))
    if kind == "json":
        return KeySpec("json", _paths(value))
    raise ValueError(
        f"{describe(raw)} names no business key; write 'kafka_key', '{{header: name}}' or "
        "'{json: [payment_id]}' ('dupscope keys' proposes one)"
    )


def _paths(raw: object) -> tuple[str, ...]:
    paths = [raw] if isinstance(raw, str) else raw
    if not isinstance(paths, list) or not paths or not all(_is_path(path) for path in paths):
        raise ValueError(f"{describe(raw)} is no list of JSON paths; write '{{json: [payment_id]}}'")
    if len(set(paths)) < len(paths):
        raise ValueError("a JSON path is given twice; keep one")
    return tuple(paths)


def _is_path(path: object) -> bool:
    return isinstance(path, str) and all(split_path(path))


def parse_policy(raw: object) -> PolicySpec:
    """`default`, `identity` or `{map: {physical: logical}}`."""
    if raw in ("default", "identity"):
        return PolicySpec("identity" if raw == "identity" else "default")
    kind, value = _only_entry(raw)
    if kind == "map" and isinstance(value, dict) and value and _all_text([*value, *value.values()]):
        return PolicySpec("map", value)
    raise ValueError(
        f"{describe(raw)} is no naming policy; write 'default', 'identity' or '{{map: {{mirrored: source}}}}'"
    )


def parse_property(raw: object) -> PropertySpec:
    """A librdkafka property: text, number, true or false; or `{file: path}`, `{env: NAME}`."""
    if isinstance(raw, bool):
        return PropertySpec(str(raw).lower())
    if isinstance(raw, str | int | float):
        return PropertySpec(str(raw))
    if isinstance(raw, list) and _all_text(raw):
        raise ValueError("is a list; write the values as one text, separated by commas")
    kind, value = _only_entry(raw)
    if kind in ("file", "env") and isinstance(value, str) and value:
        return PropertySpec(value, "file" if kind == "file" else "env")
    raise ValueError("is no value; write text, a number, '{file: /path}' or '{env: NAME}'")


def parse_file_reference(raw: object) -> str:
    """`{file: path}`: a file that holds a secret."""
    kind, value = _only_entry(raw)
    if kind == "file" and isinstance(value, str) and value:
        return value
    raise ValueError("is no file; write '{file: /path}'")


def _only_entry(raw: object) -> tuple[object, object]:
    if isinstance(raw, dict) and len(raw) == 1:
        (entry,) = raw.items()
        return entry
    return None, None


def _all_text(values: list[object]) -> bool:
    return all(isinstance(value, str) and value for value in values)


def describe(raw: object) -> str:
    """What a YAML value is, in words that never contain more than a short scalar of it."""
    if raw is None or raw == "":
        return "an empty value"
    if isinstance(raw, dict):
        return "this mapping"
    if isinstance(raw, list):
        return "this list"
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    return f"'{text[:40]}'"
