"""The configuration file's tree: every key, its type, its default and what it means.

The reader walks these structs, and the reference page is rendered from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dupscope.config.values import (
    Duration,
    ListenAddress,
    Moment,
    PolicySpec,
    PropertySpec,
    Size,
    StartAt,
)
from dupscope.fingerprint.settings import KeySpec
from dupscope.model.topology import SOURCE

HOUR = 3600
ALONE = {"alone": True}
"""Of a list: a single entry may stand without its brackets."""
MAX_REASON = 64
"""Characters of a replay's reason."""
MAX_REASONS = 20
"""Different reasons of replays: each is a series of its own."""


class FileReference(str):
    """The path of a file that holds a secret, written `{file: /path}`."""

    __slots__ = ()


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mapping of the file."""


class SourceNode(Node, frozen=True):
    """A log that everything else descends from."""

    cluster: Annotated[str, Meta(description="Name of the cluster.", examples=["primary"])]
    topics: Annotated[
        list[str],
        Meta(
            description="Topics, by name or by [pattern](#topics-by-pattern): `^payments-.*`.",
            examples=[["payments"]],
        ),
    ]


class MirrorNode(Node, frozen=True):
    """A mirror, by the topics that it writes."""

    cluster: Annotated[str, Meta(description="Name of the destination cluster.", examples=["dr"])]
    topics: Annotated[
        list[str],
        Meta(
            description="Topics on the destination, by name or by [pattern](#topics-by-pattern).",
            examples=[["primary.payments"]],
        ),
    ]
    from_: Annotated[
        str,
        Meta(
            description="The stage that it copies: `source`, or another mirror. Where there are several "
            "sources, `source` is all of them, and `source@CLUSTER` is one."
        ),
    ] = msgspec.field(name="from", default=SOURCE)
    tool: Annotated[Literal["mirrormaker2", "other"], Meta(description="What does the mirroring.")] = (
        "mirrormaker2"
    )
    policy: Annotated[
        PolicySpec,
        Meta(
            description="How the mirror names its topics: `default` (`<alias><separator><topic>`), "
            "`identity` (the same name), or `{map: {mirrored: source}}` with the "
            "topic of the stage that it copies."
        ),
    ] = PolicySpec()
    separator: Annotated[
        str, Meta(description="Between alias and topic, where the policy is `default`.", min_length=1)
    ] = "."
    tag: Annotated[
        list[Literal["timestamp", "key", "value"]],
        Meta(
            description="What the mirror preserves of a record, and by which its copies are recognised. "
            "Leave out `timestamp` where the destination topic has `message.timestamp.type=LogAppendTime`."
        ),
    ] = msgspec.field(default_factory=lambda: ["timestamp", "key", "value"])


class AuditTopicNode(Node, frozen=True):
    """A topic whose values are audit lines, or hold lines that were shipped there."""

    cluster: Annotated[str, Meta(description="Name of the cluster.", examples=["primary"])]
    topics: Annotated[
        list[str],
        Meta(
            description="Topics, by name or by [pattern](#topics-by-pattern).",
            examples=[["charger-audit"]],
        ),
    ]
    shipped_by: Annotated[
        Literal["dupscope", "vector", "fluent-bit", "other"],
        Meta(
            description="What writes to them: the sink itself or agents of `dupscope`, which also may do so "
            "beside the others; or a shipper of log files, with [its usual names](audit/topic.md) for the "
            "next three."
        ),
    ] = "dupscope"
    line: Annotated[
        str | None,
        Meta(description="Path to the line in a shipper's value; without it the value itself is the line."),
    ] = None
    file: Annotated[
        list[str],
        Meta(description="Paths that together name the file: `[host, file]`.", extra=ALONE, min_length=0),
    ] = msgspec.field(default_factory=list)
    offset: Annotated[
        str | None,
        Meta(
            description="Path to the offset in the file at which the line begins. Without it a line that is "
            "shipped twice counts twice."
        ),
    ] = None
    lost_after: Annotated[
        Duration,
        Meta(
            description="An agent that is silent for this long, and did not stop with all shipped, counts as "
            "lost with its lines."
        ),
    ] = Duration(600)


class AuditPostgresNode(Node, frozen=True):
    """A table to which the sink adds one row for each side effect."""

    connection: Annotated[
        dict[str, PropertySpec],
        Meta(
            description="How to connect: any parameter of libpq, such as `host`, `dbname`, `user`, `sslmode` "
            "and `sslrootcert`; a value can be kept elsewhere: `{file: /path}` or `{env: NAME}`.",
            examples=[{"host": "db", "dbname": "payments", "user": "dupscope"}],
        ),
    ]
    table: Annotated[
        str | None,
        Meta(description="The table, with its schema where it needs one. Or `query`."),
    ] = None
    query: Annotated[
        str | None,
        Meta(description="A query that gives the rows in place of a table; needs `transaction`."),
    ] = None
    id: Annotated[
        str, Meta(description="The column that names a row. Without `transaction` it is a number.")
    ] = "id"
    transaction: Annotated[
        str | None,
        Meta(
            description="A column of type `xid8 DEFAULT pg_current_xact_id()`, indexed together with `id`: "
            "which transaction wrote a row. Without it the system column `xmin` tells."
        ),
    ] = None
    reach: Annotated[
        int,
        Meta(
            description="Without `transaction`: a row whose id is further below the highest one than this, "
            "when its transaction commits, is not found.",
            gt=0,
        ),
    ] = 10_000


class AuditNode(Node, frozen=True):
    """Where a sink's audit log is: one of `file`, `kafka` and `postgres`."""

    file: Annotated[
        str | None,
        Meta(
            description="A file with one JSON object per line; the last part of the path may be a pattern, "
            "`*.jsonl`, for several."
        ),
    ] = None
    kafka: Annotated[AuditTopicNode | None, Meta(description="A topic with one JSON object per record.")] = (
        None
    )
    postgres: Annotated[AuditPostgresNode | None, Meta(description="A table with one row per effect.")] = None
    fields: Annotated[
        dict[str, str],
        Meta(
            description="Names that differ in the line, ours first: `{key: payment.id, at: ts}`. A dot steps "
            "into an object. Where the sink reads a topic of one name on several clusters, lines must name "
            "the cluster."
        ),
    ] = msgspec.field(default_factory=dict)


class SinkNode(Node, frozen=True):
    """Something that acts on records: charges a card, writes a row."""

    reads: Annotated[
        list[str] | None,
        Meta(
            description="The stages whose log it reads: `source` (or `source@CLUSTER`) or mirrors; both "
            "where it fails over. May be left out in a pipeline without mirrors.",
            examples=[["to-dr"]],
        ),
    ] = None
    group: Annotated[str | None, Meta(description="Its consumer group.")] = None
    order: Annotated[
        Literal["strict", "any"],
        Meta(description="`strict`: it works through each partition in order."),
    ] = "any"
    expects: Annotated[
        Literal["all"] | None,
        Meta(
            description="`all`: it has a side effect for every business fact, so [one without is missing]"
            "(semantics.md#effects-that-are-missing). Needs `audit` and `group`."
        ),
    ] = None
    audit: Annotated[AuditNode | None, Meta(description="Its audit log.")] = None


class ProducersNode(Node, frozen=True):
    """Producers that only ever send again what was sent before."""

    header: Annotated[
        str, Meta(description="The header that names a record's producer.", examples=["x-producer"])
    ]
    names: Annotated[list[str], Meta(description="Their names in it.", examples=[["redrive-tool"]])]


class RedriveNode(Node, frozen=True):
    """What marks a record as sent again on purpose."""

    headers: Annotated[
        list[str],
        Meta(
            description="Names of headers: a record with one of them is an intended replay, whatever the "
            "value."
        ),
    ] = msgspec.field(default_factory=list)
    producers: Annotated[
        ProducersNode | None, Meta(description="Producers of which every record is an intended replay.")
    ] = None


class PipelineNode(Node, frozen=True):
    """One business flow: a source, mirrors of it, sinks that act on them."""

    key: Annotated[
        KeySpec,
        Meta(
            description="The business key, which names one business fact: `kafka_key`, `{header: name}`, or "
            "`{json: [path, path]}`. A dot steps into an object; several paths form one key.",
            examples=[{"json": ["payment_id"]}],
        ),
    ]
    source: Annotated[
        list[SourceNode],
        Meta(
            description="Where the records come from: one cluster, or a list with an entry for each cluster.",
            examples=[{"cluster": "primary", "topics": ["payments"]}],
            extra=ALONE,
        ),
    ]
    mirrors: Annotated[dict[str, MirrorNode], Meta(description="Mirrors, by stage name.")] = msgspec.field(
        default_factory=dict
    )
    sinks: Annotated[dict[str, SinkNode], Meta(description="Sinks, by stage name.")] = msgspec.field(
        default_factory=dict
    )
    window: Annotated[
        Duration,
        Meta(description="Copies of one key that are further apart than this are two business facts."),
    ] = Duration(24 * HOUR)
    margin: Annotated[
        Duration,
        Meta(
            description="How far the order of timestamps may differ from the order of reading, at the edge "
            "of what was read."
        ),
    ] = Duration(600)
    start: Annotated[
        StartAt,
        Meta(description="Where the first start begins: this long ago, `earliest` or `latest`."),
    ] = StartAt("ago", HOUR)
    redrive: Annotated[
        RedriveNode | None,
        Meta(
            description="What marks a record as [sent again on purpose](#intended-replays). Without it no "
            "record is."
        ),
    ] = None
    team: Annotated[str | None, Meta(description="Who owns it; becomes a label of `pipeline_info`.")] = None


class ReplayNode(Node, frozen=True):
    """A replay that somebody announces."""

    pipeline: Annotated[str, Meta(description="Name of the pipeline.", examples=["payments"])]
    stage: Annotated[
        str,
        Meta(
            description="The stage whose duplicates are meant: `source`, a mirror or a sink.",
            examples=["source"],
        ),
    ]
    from_: Annotated[
        Moment,
        Meta(description="From this time on, in RFC 3339 with an offset.", examples=["2026-11-23T10:00:00Z"]),
    ] = msgspec.field(name="from")
    to: Annotated[
        Moment, Meta(description="Up to this time, which is not in it.", examples=["2026-11-23T11:00:00Z"])
    ]
    reason: Annotated[
        str,
        Meta(
            description=f"Why; becomes a label. At most {MAX_REASON} characters; at most {MAX_REASONS} "
            "different reasons in the file.",
            max_length=MAX_REASON,
        ),
    ] = "declared"


class StateNode(Node, frozen=True):
    """What dupscope keeps on disk."""

    path: Annotated[str, Meta(description="A folder of its own.", min_length=1)] = "/var/lib/dupscope"
    journal: Annotated[
        Size,
        Meta(
            description="The journal is replaced by a checkpoint once it is longer than this and than a "
            "quarter of what is stored. Shorter: quicker restarts after a kill, more to write."
        ),
    ] = Size(16 << 20)


class LimitsNode(Node, frozen=True):
    """What dupscope may use."""

    memory: Annotated[
        Size, Meta(description="For the keys held. What does not fit is evicted, oldest first, and counted.")
    ] = Size(1 << 30)
    disk: Annotated[
        Size,
        Meta(
            description="For what the state folder takes; at least 128MiB. Where it holds fewer keys than "
            "`memory` does, it decides how many are held."
        ),
    ] = Size(4 << 30)
    fetch_rate: Annotated[
        int | None, Meta(description="Records per second and log; no limit when left out.", gt=0)
    ] = None


class WebNode(Node, frozen=True):
    """Metrics, probes and the page."""

    listen: Annotated[ListenAddress, Meta(description="Address; port 0 takes a free one.")] = ListenAddress()


class LogNode(Node, frozen=True):
    """Log lines on standard error, one JSON object each."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level shown.")] = (
        "info"
    )
    findings_per_second: Annotated[
        int,
        Meta(description="Most findings logged in a second; what is suppressed is counted. 0: all.", ge=0),
    ] = 100


class Document(Node, frozen=True):
    """The whole file."""

    clusters: Annotated[
        dict[str, dict[str, PropertySpec]],
        Meta(
            description="Kafka clusters, by name. Each takes any librdkafka property, `bootstrap.servers` at "
            "least; a value can be kept elsewhere: `{file: /path}` or `{env: NAME}`.",
            examples=[{"primary": {"bootstrap.servers": "kafka-1:9092"}}],
        ),
    ]
    pipelines: Annotated[
        dict[str, PipelineNode],
        Meta(
            description="Pipelines, by name. `dupscope keys` writes a first one.",
            examples=[{"payments": {"key": "…", "source": "…"}}],
            min_length=1,
        ),
    ]
    replays: Annotated[
        list[ReplayNode],
        Meta(
            description="[Replays](#intended-replays) that somebody announces. Read again while dupscope "
            "runs.",
            min_length=0,
        ),
    ] = msgspec.field(default_factory=list)
    state: Annotated[StateNode, Meta(description="What dupscope keeps on disk.")] = StateNode()
    fingerprint_key: Annotated[
        FileReference | None,
        Meta(
            description="The secret that turns keys into fingerprints: `{file: /path}`, 32 hexadecimal "
            "digits. When left out, `fingerprint.key` in the state's folder, made at the first start."
        ),
    ] = None
    limits: Annotated[LimitsNode, Meta(description="What dupscope may use.")] = LimitsNode()
    web: Annotated[WebNode, Meta(description="Metrics, probes and the page.")] = WebNode()
    log: Annotated[LogNode, Meta(description="Log lines.")] = LogNode()
