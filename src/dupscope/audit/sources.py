"""From the settings of an audit log to what reads it."""

from __future__ import annotations

from dupscope.audit.files import AuditFiles
from dupscope.audit.folder import AuditFolder, is_pattern
from dupscope.audit.settings import AuditSettings, FileSource, PostgresSource, TopicSource
from dupscope.audit.source import LineSource
from dupscope.audit.topic import TopicLines
from dupscope.kafka.client import ClientLog, silent
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.model.errors import ConfigError


def source_of(settings: AuditSettings, clock: Clock = SYSTEM_CLOCK, log: ClientLog = silent) -> LineSource:
    """What gives the lines of an audit log. Opens and connects to nothing yet."""
    match settings.source:
        case FileSource() if is_pattern(settings.source.path):
            return AuditFolder(settings.source, settings.max_line_bytes, clock)
        case FileSource():
            return AuditFiles(settings.source, settings.max_line_bytes)
        case TopicSource():
            return TopicLines(settings.source, clock, log)
        case PostgresSource():
            return _table(settings.source)


def _table(settings: PostgresSource) -> LineSource:
    try:
        from dupscope.audit.postgres import AuditTable  # noqa: PLC0415 - an extra, for those who need it
    except ImportError:
        text = f"{settings}: reading Postgres takes a driver; install it: pip install 'dupscope[postgres]'"
        raise ConfigError([text]) from None
    return AuditTable(settings)
