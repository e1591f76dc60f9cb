"""Renders docs/configuration.md from the configuration tree. With --check: fails when the page is stale."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from dupscope.audit.settings import FIELDS
from dupscope.config import tree, values
from dupscope.config.mask import written
from dupscope.config.reader import flow, hints, origin_of, stands_alone, unwrap
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import DENIED

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLES = ROOT / "examples"
FIRST_EXAMPLE = "dupscope"
MORE_EXAMPLES = {
    "Chain": "chain",
    "Fan-out": "fan-out",
    "Active-active": "active-active",
    "Failover": "failover",
}

SECTIONS = (
    ("The file", tree.Document),
    ("pipelines.NAME", tree.PipelineNode),
    ("pipelines.NAME.source", tree.SourceNode),
    ("pipelines.NAME.mirrors.STAGE", tree.MirrorNode),
    ("pipelines.NAME.sinks.STAGE", tree.SinkNode),
    ("pipelines.NAME.sinks.STAGE.audit", tree.AuditNode),
    ("pipelines.NAME.sinks.STAGE.audit.kafka", tree.AuditTopicNode),
    ("pipelines.NAME.sinks.STAGE.audit.postgres", tree.AuditPostgresNode),
    ("pipelines.NAME.redrive", tree.RedriveNode),
    ("pipelines.NAME.redrive.producers", tree.ProducersNode),
    ("replays[]", tree.ReplayNode),
    ("state", tree.StateNode),
    ("limits", tree.LimitsNode),
    ("web", tree.WebNode),
    ("log", tree.LogNode),
)

FORMS = {
    values.Duration: "duration",
    values.Size: "size",
    values.Moment: "time",
    values.StartAt: "duration, `earliest` or `latest`",
    values.ListenAddress: "address",
    values.PolicySpec: "policy",
    values.PropertySpec: "value",
    tree.FileReference: "`{file: path}`",
    KeySpec: "key",
    str: "text",
    int: "whole number",
    bool: "`true` or `false`",
}

HEAD = """\
# Configuration

<!-- Written by scripts/docs_config.py from the configuration tree; do not edit. -->

One YAML file, named to every command by `-c`. `dupscope keys TOPIC…` writes a first one, and
`dupscope check -c FILE` says everything that is wrong with it at once, each with the path of its key.
An unknown key is an error.

- A **duration** has a unit: `90s`, `10m`, `24h`, `2d`, `1h30m`. A **size** too: `512MiB`, `1GiB`.
- A **relative path** starts in the file's own folder.
- A **secret** is kept elsewhere: `{file: /run/secrets/password}` or `{env: PASSWORD}`, wherever a client
  property takes a value. Effective settings are logged at the start, with values of properties as `***`.
- **Names** of clusters, pipelines and stages have letters, digits, `_`, `-` and `.`; they become labels of
  metrics. The stages of a pipeline are `source`, its mirrors and its sinks, each with a name of its own.
"""

PATTERNS = """\
## Topics by pattern

An entry of `topics` that begins with `^` is a regular expression, in Python's syntax, and must match the
whole name of a topic: `^payments` is `payments` alone, `^payments-.*` is every name that begins so. Topics
that appear later belong to the log too. Names that begin with `__` are Kafka's own and match no pattern. A
topic that is named as well counts once.

A topic that a source's pattern matches is a logical topic of its own name. From the name of a mirror's topic
the policy is undone: with `default`, what stands before a separator is taken for the alias, the shortest
alias first; with `identity` the name is kept; with `map` it is looked up. What is left must be a topic of a
log that the mirror copies, named there or matched by a pattern there, also down a chain; otherwise the topic
does not belong to the mirror. So a wide pattern does no harm: not on a mirror, nor on a source, to which a
topic that a mirror of the pipeline writes does not belong, though its pattern may match it.
"""

REDRIVE_HEADERS = {
    "`kafka_dlt-original-topic`, `kafka_dlt-original-offset`": (
        "Spring Kafka, on what it sends to a dead-letter topic; they stay on a record that is sent back with "
        "its headers"
    ),
    "`retry_topic-attempts`, `retry_topic-original-timestamp`": "Spring Kafka's retry topics",
    "`__connect.errors.topic`": (
        "Kafka Connect's dead-letter queue, where `errors.deadletterqueue.context.headers.enable` is set"
    ),
}
"""Headers that tools set on what was sent before, and which tools."""

MARKS = """\
## Intended replays

Duplicates that somebody means are counted in `dupscope_intended_duplicates_total` and never in
`dupscope_duplicates_total`. They are recognised in two ways.

**By marks on the records** (`redrive`; the reason is `redrive`): a source record that has one of `headers`,
whatever its value, or whose `producers.header` holds one of `producers.names`. What a mirror copies twice of
such a record is the mirror's duplicate all the same. Some tools set headers already:
"""

WINDOWS = """\
A tool that sets none, or takes them off again, needs a mark of its own, such as `x-redrive`.

**By a window that is announced** (`replays`, each with its reason): the duplicates of one stage whose own
timestamp is not before `from` and before `to`. That is the timestamp of the copy which was sent again, or for
a sink the time of the effect. The file's `replays` are read again while dupscope runs, whatever else has
changed in the file. A duplicate that was counted before its replay was announced stays counted.
"""

LINE = {
    "key": "p-17",
    "cluster": "dr",
    "topic": "primary.payments",
    "partition": 3,
    "offset": 42,
    "group": "charger",
    "at": "2026-11-23T10:00:00Z",
    "effect_id": "ch_9",
    "outcome": "succeeded",
}


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Example", _example(FIRST_EXAMPLE), "## Other shapes"]
    for title, name in MORE_EXAMPLES.items():
        parts += [f"### {title}", _example(name)]
    for title, node in SECTIONS:
        parts += [f"## `{title}`" if "." in title or title.islower() else f"## {title}", _table(node)]
    parts += [PATTERNS, _example("patterns"), MARKS, _redrive_headers(), WINDOWS, _example("replays")]
    parts += [_audit_lines(), _denied()]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _example(name: str) -> str:
    """A file of the examples' folder, each of which is a configuration that loads."""
    return f"```yaml\n{(EXAMPLES / name).with_suffix('.yaml').read_text('utf-8').rstrip()}\n```"


def _table(node: type[tree.Node]) -> str:
    rows = ["| key | type | default | |", "| --- | --- | --- | --- |"]
    rows += [f"| {' | '.join(_row(node, field))} |" for field in msgspec.structs.fields(node)]
    return "\n".join(rows)


def _row(node: type[tree.Node], field: msgspec.structs.FieldInfo) -> Iterator[str]:
    kind, meta = unwrap(hints(node)[field.name])
    yield f"`{field.encode_name}`"
    form = _form(kind)
    yield f"{_form(get_args(kind)[0])}, or a {form}" if stands_alone(meta) else form
    yield _default(field)
    yield (meta.description or "").replace("|", r"\|") if meta else ""


def _form(kind: Any) -> str:  # noqa: ANN401 - a type as an annotation writes it
    kind, _ = unwrap(kind)
    if kind in FORMS:
        return FORMS[kind]
    origin, inner = origin_of(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin is list:
        return f"list of {_form(inner[0])}"
    if origin is dict:
        return f"mapping: name to {_form(inner[1])}"
    return next(f"[section](#{_anchor(title)})" for title, node in SECTIONS if node is kind)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "**required**"
    default = field.default
    if default is msgspec.NODEFAULT:
        default = field.default_factory()
    if default is None or default in ({}, []) or isinstance(default, tree.Node):
        return ""
    return f"`{flow(written(default))}`"


def _redrive_headers() -> str:
    rows = "\n".join(f"| {names} | {tool} |" for names, tool in REDRIVE_HEADERS.items())
    return f"| header | set by |\n| --- | --- |\n{rows}"


def _audit_lines() -> str:
    names = ", ".join(f"`{name}`" for name in FIELDS)
    line = json.dumps(LINE).replace(", ", ",\n ")
    return f"""\
## Audit lines

One JSON object per line, appended when an effect has happened. It can say
{names};
`fields` gives other names. A composite `key` is a list in the order of the pipeline's `key`, or an object
with its paths. `partition` and `offset` are of the record that was acted on; `topic` and `cluster` (its name
in this file) say in which log. A line without a position needs the time `at`: RFC 3339 with an offset, or
seconds or milliseconds since 1970. An `outcome` other than `succeeded` or `unknown` is no effect.

```json
{line}
```

(Shown on several lines; in the log it is one.)"""


def _denied() -> str:
    rows = "\n".join(f"| `{name}` | {why} |" for name, why in DENIED.items())
    return f"""\
## Client properties that are refused

Every other property of librdkafka passes through to the client.

| property | because |
| --- | --- |
{rows}"""


def main() -> int:
    """Write the page, or compare it. Gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page(), "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == page():
        return 0
    print(f"{PAGE.relative_to(ROOT)} is stale: run python scripts/docs_config.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
