"""From the settings of an audit log to what reads it."""

from __future__ import annotations

from dupscope.audit.files import AuditFiles
from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.audit.source import LineSource


def source_of(settings: AuditSettings) -> LineSource:
    """What gives the lines of an audit log. Opens and connects to nothing yet."""
    match settings.source:
        case FileSource():
            return AuditFiles(settings.source, settings.max_line_bytes)
    raise NotImplementedError(str(settings.source))
