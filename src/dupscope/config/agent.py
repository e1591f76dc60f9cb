"""An agent's configuration file."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from dupscope.audit.settings import MAX_LINE_BYTES
from dupscope.config.compose import cluster_of
from dupscope.config.load import read_file
from dupscope.config.problems import Problems
from dupscope.config.secrets import Surroundings
from dupscope.config.tree import LogNode, Node
from dupscope.config.values import Duration, ListenAddress, PropertySpec, Size
from dupscope.kafka.settings import ClusterSettings

EXAMPLE = "it needs 'cluster', 'topic' and 'files'"


class AgentStateNode(Node, frozen=True):
    """What the agent keeps on disk: a few kilobytes."""

    path: Annotated[str, Meta(description="A folder of its own.", min_length=1)] = "/var/lib/dupscope-agent"


class AgentWebNode(Node, frozen=True):
    """The agent's metrics."""

    listen: Annotated[ListenAddress, Meta(description="Address; port 0 takes a free one.")] = ListenAddress(
        "", 9465
    )


class AgentDocument(Node, frozen=True):
    """The whole file of an agent."""

    cluster: Annotated[
        dict[str, PropertySpec],
        Meta(
            description="The cluster of the audit topic: any librdkafka property, `bootstrap.servers` at "
            "least; a value can be kept elsewhere: `{file: /path}` or `{env: NAME}`.",
            examples=[{"bootstrap.servers": "kafka-1:9092"}],
        ),
    ]
    topic: Annotated[
        str, Meta(description="The audit topic. Nothing else is written.", examples=["charger-audit"])
    ]
    files: Annotated[
        str,
        Meta(
            description="The audit files; the last part of the path may be a pattern.",
            examples=["/var/log/charger/*.jsonl"],
        ),
    ]
    instance: Annotated[
        str | None,
        Meta(description="What tells this agent from others; the host's name (the pod's) when left out."),
    ] = None
    state: Annotated[AgentStateNode, Meta(description="What the agent keeps on disk.")] = AgentStateNode()
    max_line: Annotated[Size, Meta(description="A longer line is not shipped; that there was one is.")] = (
        Size(MAX_LINE_BYTES)
    )
    shutdown: Annotated[Duration, Meta(description="How long it may ship what is there, after SIGTERM.")] = (
        Duration(20)
    )
    web: Annotated[AgentWebNode, Meta(description="Metrics.")] = AgentWebNode()
    log: Annotated[LogNode, Meta(description="Log lines.")] = msgspec.field(default_factory=LogNode)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """A valid configuration of an agent."""

    cluster: ClusterSettings
    topic: str
    files: str
    instance: str
    state_path: Path
    max_line_bytes: int
    shutdown_seconds: float
    listen: ListenAddress
    log_level: str


def load_agent(path: Path, env: Mapping[str, str]) -> AgentConfig:
    """The configuration in a file. Raises ConfigError with everything that is wrong with it."""
    problems = Problems(str(path))
    document: AgentDocument = read_file(path, AgentDocument, problems, EXAMPLE)
    surroundings = Surroundings(path.parent, env)
    cluster = cluster_of("agent", document.cluster, surroundings, "cluster", problems)
    problems.raise_if_any()
    return AgentConfig(
        cluster,
        document.topic,
        str(surroundings.path(document.files)),
        document.instance or socket.gethostname(),
        surroundings.path(document.state.path),
        int(document.max_line),
        float(document.shutdown),
        document.web.listen,
        document.log.level,
    )
