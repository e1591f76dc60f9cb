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
EXAMPLE = ROOT / "examples" / "dupscope.yaml"

SECTIONS = (
    ("The file", tree.Document),
    ("pipelines.NAME", tree.PipelineNode),
    ("pipelines.NAME.source", tree.SourceNode),
    ("pipelines.NAME.mirrors.STAGE", tree.MirrorNode),
    ("pipelines.NAME.sinks.STAGE", tree.SinkNode),
    ("pipelines.NAME.sinks.STAGE.audit", tree.AuditNode),
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
    example = EXAMPLE.read_text("utf-8").rstrip()
    parts = [HEAD, "## Example", f"```yaml\n{example}\n```"]
    for title, node in SECTIONS:
        parts += [f"## `{title}`" if "." in title or title.islower() else f"## {title}", _table(node)]
    return "\n\n".join(part.rstrip() for part in [*parts, _audit_lines(), _denied()]) + "\n"


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
