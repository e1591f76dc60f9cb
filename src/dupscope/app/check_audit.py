"""Whether a sink's audit log is there, can be read, and says what is needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.app.check_audit_topic import last_shipped
from dupscope.app.check_report import Level, Section, plural
from dupscope.audit.folder import is_pattern
from dupscope.audit.line import Effect, LineReader
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import AuditSettings, FileSource, PostgresSource, TopicSource
from dupscope.config.settings import PipelineSettings
from dupscope.fingerprint.propose import percent

LAST_BYTES = 1 << 18
"""How much of the end of the file is looked at."""

_MEANING = {
    InvalidReason.NOT_JSON: "are no JSON object",
    InvalidReason.DUPLICATE_KEYS: "have a name twice in one object",
    InvalidReason.NO_KEY: "have no business key: map it, audit: {fields: {key: …}}",
    InvalidReason.BAD_KEY: "have a key of another shape than the pipeline's",
    InvalidReason.NO_TIME: "have neither position nor time: map one, audit: {fields: {at: …}}",
    InvalidReason.BAD_TIME: "have a time that is no RFC 3339 with offset and no seconds since 1970",
    InvalidReason.BAD_POSITION: "have a position that is not whole: it takes topic, partition and offset",
    InvalidReason.UNKNOWN_TOPIC: "name no topic that the sink reads",
    InvalidReason.AMBIGUOUS_CLUSTER: "name no cluster, though several have this topic: add 'cluster' to them",
    InvalidReason.FOREIGN_GROUP: "are of another consumer group",
}

_GROUP_ALONE = "of its effects nothing is seen, only its group's rewinds: redelivered_records_total"
_WITHOUT_GROUP = "nothing is seen of its effects; name its 'group', and its rewinds are counted"


@dataclass(slots=True)
class AuditLook:
    """What the last whole lines of an audit file say."""

    lines: int = 0
    effects: int = 0
    placed: int = 0
    invalid: Counter[str] = field(default_factory=Counter)


def look_at_audit(pipeline: PipelineSettings, sink: int, section: Section) -> None:
    """Look at the audit log of one sink and say what is wrong with it."""
    name = pipeline.topology.sinks[sink].name
    settings = pipeline.audits.get(sink)
    if settings is None:
        text = _WITHOUT_GROUP if pipeline.topology.sinks[sink].group is None else _GROUP_ALONE
        section.add(Level.NOTE, name, f"no audit log: {text}")
        return
    if isinstance(settings.source, FileSource):
        _look_at_file(Path(settings.source.path), pipeline, sink, section)
    elif isinstance(settings.source, TopicSource):
        lines = last_shipped(settings.source, name, section)
        if lines is not None:
            tell(settings, look(pipeline, sink, lines), name, section)
    elif isinstance(settings.source, PostgresSource):
        _look_at_table(settings.source, pipeline, sink, section)


def _look_at_file(file: Path, pipeline: PipelineSettings, sink: int, section: Section) -> None:
    name = pipeline.topology.sinks[sink].name
    try:
        lines = last_lines(_newest(file))
    except FileNotFoundError:
        _tell_absent(file, name, section)
    except OSError as error:
        section.add(Level.PROBLEM, name, f"{file}: cannot be read: {error.strerror}; fix its access")
    else:
        tell(pipeline.audits[sink], look(pipeline, sink, lines), name, section)


def _look_at_table(source: PostgresSource, pipeline: PipelineSettings, sink: int, section: Section) -> None:
    name = pipeline.topology.sinks[sink].name
    try:
        from dupscope.audit import postgres_look  # noqa: PLC0415 - an extra, for those who need it
    except ImportError:
        text = "reading Postgres takes a driver: pip install 'dupscope[postgres]'"
        section.add(Level.PROBLEM, name, f"{source}: {text}")
        return
    try:
        found = postgres_look.look(source)
    except postgres_look.TableLookError as error:
        section.add(Level.PROBLEM, name, f"{source}: {error}")
        return
    tell(pipeline.audits[sink], look(pipeline, sink, found.lines), name, section)
    if found.transaction not in {"", "xid8"}:
        text = f"column '{source.transaction}' is of type {found.transaction}: it must be xid8"
        section.add(Level.PROBLEM, name, f"{source}: {text}")
    if not found.is_indexed:
        text = f"no index begins with '{source.transaction or source.id}': each look reads the whole table"
        section.add(Level.WARNING, name, f"{source}: {text}")
    if source.transaction is None:
        text = f"a row that is more than {source.reach:,} ids below the highest when it appears is not found"
        section.add(Level.NOTE, name, f"{source}: no 'transaction' column: {text}")
    if not found.sees_holders:
        text = "which transaction holds rows back cannot be seen; to see it: GRANT pg_monitor"
        section.add(Level.NOTE, name, f"{source}: {text} TO {source.connection.get('user', 'dupscope')}")


def _newest(file: Path) -> Path:
    """The file itself; of those that a pattern finds the one that was written last."""
    if not is_pattern(str(file)):
        return file
    return max(file.parent.glob(file.name), key=lambda found: found.stat().st_mtime, default=file)


def last_lines(file: Path) -> list[bytes]:
    """The whole lines in the last part of a file. Raises OSError."""
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        begin = opened.seek(max(0, size - LAST_BYTES))
        *lines, _ = opened.read(LAST_BYTES).split(b"\n")
    return lines[1:] if begin else lines


def look(pipeline: PipelineSettings, sink: int, lines: list[bytes]) -> AuditLook:
    """Read lines as `run` would."""
    reader = LineReader(pipeline.audits[sink], pipeline.key)
    found = AuditLook(len(lines))
    for line in lines:
        try:
            effect = reader.read(line)
            if effect is not None:
                _place(pipeline, sink, effect)
                found.effects += 1
                found.placed += effect.offset is not None
        except InvalidLineError as error:
            found.invalid[error.reason] += 1
    return found


def _place(pipeline: PipelineSettings, sink: int, effect: Effect) -> None:
    """Raises InvalidLineError where the effect's record cannot lie in a log that the sink reads."""
    if effect.topic is None:
        if effect.offset is not None:
            raise InvalidLineError(InvalidReason.BAD_POSITION)
        if pipeline.audits[sink].logical_topic is None:
            raise InvalidLineError(InvalidReason.UNKNOWN_TOPIC)
        return
    topology = pipeline.topology
    found = [
        log
        for log in topology.sinks[sink].reads
        if effect.topic in pipeline.topics[log].chosen((effect.topic,))
        and effect.cluster in {None, topology.logs[log].cluster}
    ]
    if not found:
        raise InvalidLineError(InvalidReason.UNKNOWN_TOPIC)
    if len(found) > 1:
        raise InvalidLineError(InvalidReason.AMBIGUOUS_CLUSTER)


def _tell_absent(file: Path, name: str, section: Section) -> None:
    if file.parent.is_dir():
        text = "is not there yet; it is followed once it is: check that the sink writes it, and the mount"
        section.add(Level.WARNING, name, f"{file} {text}")
    else:
        section.add(Level.PROBLEM, name, f"there is no folder {file.parent}: fix the path, or mount it")


def tell(settings: AuditSettings, found: AuditLook, name: str, section: Section) -> None:
    """Say what the last lines of an audit log are worth."""
    if not found.lines:
        section.add(Level.NOTE, name, f"{settings.source}: no line yet")
        return
    read = found.lines - sum(found.invalid.values())
    level = Level.OK if read else Level.PROBLEM
    last = f"the last {plural(found.lines, 'line')}"
    section.add(level, name, f"{settings.source}: {read:,} of {last} can be used")
    for reason, count in found.invalid.most_common():
        meaning = _MEANING.get(InvalidReason(reason), f"cannot be used: {reason}")
        level = Level.WARNING if read else Level.PROBLEM
        section.add(level, name, f"{percent(count / found.lines)} of them {meaning}")
    if found.placed < found.effects:
        share = percent(1 - found.placed / found.effects)
        weaker = "duplicates are told by number, not by record; better log topic, partition and offset"
        section.add(Level.NOTE, name, f"{share} of the effects name no position, the weaker mode: {weaker}")
    if settings.group is None:
        section.add(Level.NOTE, name, "no group is named: what the sink's own dedup absorbed cannot be told")
