"""`dupscope keys`: which field names one business fact? The first question of a new user."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dupscope.app.check_report import plural
from dupscope.app.keys_file import SampledTopic, clusters_section, first_file, flows
from dupscope.config.load import load_clusters
from dupscope.fingerprint.propose import Candidate, Proposal, percent, propose
from dupscope.kafka.errors import TopicMissingError
from dupscope.kafka.sample import sample
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ClusterError, ConfigError

OK, NOTHING_PROPOSED = 0, 1
READ_SECONDS = 20.0
SHOWN_CANDIDATES = 8
_CLUSTER_NAMES = ("primary", "dr")


@dataclass(frozen=True, slots=True)
class KeysOptions:
    """Which clusters to ask (addresses, or a configuration), how many records, and what file to write."""

    servers: tuple[str, ...] = ()
    config: Path | None = None
    sample: int = 2000
    write: Path | None = None


def propose_keys(topics: Sequence[str], options: KeysOptions, env: Mapping[str, str]) -> int:
    """Sample topics, print what could be their business keys, and write a first configuration if asked to.

    Raises ConfigError, and ClusterError when a topic cannot be read.
    """
    if options.write and options.write.exists():
        raise ConfigError([f"{options.write}: exists already; name another file or remove it"])
    clusters = _clusters(options, env)
    found = [each for topic in dict.fromkeys(topics) for each in _sampled(topic, clusters, options.sample)]
    mirrors = {id(mirror): origin.topic for flow in flows(found) for mirror, origin in flow.mirrors}
    for each in found:
        print(show(each) if id(each) not in mirrors else show_mirror(each, mirrors[id(each)]))
    first = first_file(found, clusters_section(clusters, options.config))
    if first is None:
        print("No usable business key was found, so there is no configuration to propose.")
        return NOTHING_PROPOSED
    _hand_over(first, options.write)
    return OK


def _clusters(options: KeysOptions, env: Mapping[str, str]) -> dict[str, ClusterSettings]:
    if options.config:
        return load_clusters(options.config, env)
    further = (f"cluster-{number}" for number in itertools.count(len(_CLUSTER_NAMES) + 1))
    return {
        name: ClusterSettings(name, {"bootstrap.servers": servers})
        for servers, name in zip(options.servers, itertools.chain(_CLUSTER_NAMES, further), strict=False)
    }


def _sampled(topic: str, clusters: Mapping[str, ClusterSettings], limit: int) -> list[SampledTopic]:
    """A topic from each cluster that has it. Raises ClusterError when none has."""
    found = []
    for settings in clusters.values():
        try:
            records = sample(settings, topic, limit, READ_SECONDS)
        except TopicMissingError:
            continue
        partitions = len({record.partition for record in records})
        found.append(SampledTopic(settings.name, propose(topic, records), partitions))
    if not found:
        where = " or ".join(settings.properties["bootstrap.servers"] for settings in clusters.values())
        raise ClusterError(f"there is no topic '{topic}' at {where}, or these credentials may not see it")
    return found


def show(found: SampledTopic) -> str:
    """What was found out about one topic, for a person."""
    proposal = found.proposal
    if not proposal.records:
        return f"{proposal.topic}: no record to sample\n"
    where = f"{plural(found.partitions, 'partition')} on {found.cluster}"
    rows = [_HEADINGS, *(_row(candidate) for candidate in proposal.candidates[:SHOWN_CANDIDATES])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        f"{proposal.topic}: {plural(proposal.records, 'record')} sampled from {where}",
        *_remarks(proposal),
        "",
        *("  " + "  ".join(_aligned(row, widths)).rstrip() for row in rows),
        "",
        _conclusion(proposal),
        "",
    ]
    return "\n".join(lines)


def show_mirror(found: SampledTopic, source: str) -> str:
    """What was found out about a topic whose name says what it mirrors."""
    return f"{found.topic}: on {found.cluster}, by its name a mirror of {source}\n"


_HEADINGS = ("candidate", "present", "distinct", "same payload", "other payload", "")


def _row(candidate: Candidate) -> tuple[str, ...]:
    repeats = candidate.repeats
    return (
        label(candidate),
        percent(candidate.present_share),
        percent(repeats.distinct_share),
        f"{repeats.same + repeats.resent:,}",
        f"{repeats.other:,}",
        candidate.reason,
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(row) - 1
    return [
        text.ljust(width) if column in (0, last) else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def label(candidate: Candidate) -> str:
    """What a person calls a candidate."""
    names = " + ".join(candidate.spec.paths)
    return {"kafka_key": "the Kafka key", "header": f"header {names}", "json": names}[candidate.spec.kind]


def _remarks(proposal: Proposal) -> list[str]:
    remarks = []
    if proposal.tombstones:
        remarks.append(f"  {proposal.tombstones:,} of them have no value")
    if proposal.undecodable:
        share = percent(proposal.undecodable / proposal.records)
        remarks.append(
            f"  {share} of the values are no JSON objects: only Kafka key and headers can serve there"
        )
    return remarks


def _conclusion(proposal: Proposal) -> str:
    best = proposal.best
    if best is None:
        return "  No candidate names one business fact. A producer has to send an id of the fact it reports."
    return f"  Proposed: {label(best)} ({best.reason})."


def _hand_over(first: str, file: Path | None) -> None:
    """Print the proposed configuration, or write it and say what to do next."""
    if file is None:
        print("A first configuration (--write FILE keeps it):\n")
        print(first)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(first + "\n")
    except OSError as error:
        raise ConfigError([f"{file}: cannot be written: {error.strerror}"]) from error
    print(f"Wrote {file}. Next: dupscope check -c {file}")
