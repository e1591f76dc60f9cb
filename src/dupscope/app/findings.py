"""`dupscope findings`: what was found, read from the stored state while `run` goes on."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dupscope.app.findings_report import FoundIncidents, write_csv, write_json, write_text
from dupscope.causes.incidents import Incidents
from dupscope.config.load import load
from dupscope.config.problems import nearest_of_all
from dupscope.config.settings import Config, PipelineSettings
from dupscope.config.values import parse_duration, parse_moment
from dupscope.model.errors import ConfigError
from dupscope.model.finding import Finding
from dupscope.store.reader import StoreReader

_WRITERS = {"text": write_text, "json": write_json, "csv": write_csv}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings are asked for; None and 0 leave a thing open.

    `since` and `until` are a duration before now or a time, and mean the detection. `limit` keeps the newest.
    """

    since: str | None = None
    until: str | None = None
    pipeline: str | None = None
    layer: str | None = None
    stage: str | None = None
    incident: str | None = None
    limit: int = 0

    def takes(self, finding: Finding) -> bool:
        """Whether a finding is asked for, its time and its incident aside."""
        asked = (self.pipeline, finding.pipeline), (self.layer, finding.layer), (self.stage, finding.stage)
        return all(wish in (None, value) for wish, value in asked)


@dataclass(frozen=True, slots=True)
class Where:
    """Where the stored state lies: in a folder, or in the one that a configuration names."""

    file: Path | None = None
    folder: Path | None = None


def show_findings(where: Where, wanted: Wanted, form: str) -> int:
    """Print findings and their incidents as `text`, `json` or `csv`. Returns the exit code, always 0.

    Raises ConfigError, and StoreError where there is no state that can be read.
    """
    config = load(where.file, os.environ) if where.file else None
    now = time.time()
    span = moment(wanted.since, now, "--since"), moment(wanted.until, now, "--until")
    folder = where.folder or (config.state_path if config else Path())
    with StoreReader(folder) as reader:
        _check_names(wanted, config, reader.contents.pipelines)
        found = select(reader.findings(), wanted, span)
    _WRITERS[form](found, sys.stdout)
    return 0


def moment(text: str | None, now: float, option: str) -> float | None:
    """Seconds since 1970 of a duration before now, or of a time. Raises ConfigError."""
    if text is None:
        return None
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_moment(text) / 1000
    except ValueError as error:
        raise ConfigError([f"{option}: {error}, or how long ago, as in '2h'"]) from None


def select(
    findings: Iterator[Finding], wanted: Wanted, span: tuple[float | None, float | None]
) -> FoundIncidents:
    """The findings asked for, with their incidents. `findings` are all there are, in order of detection.

    An incident is described whole, also where only some of its findings are asked for. Raises ConfigError
    where there is no incident of the id that is asked for.
    """
    incidents, count = Incidents(), 0
    newest: deque[tuple[Finding, str]] = deque(maxlen=wanted.limit or None)
    since, until = span
    for finding in filter(wanted.takes, findings):
        incident = incidents.add(finding)
        is_in_span = (since or 0) <= finding.detected_at and (until is None or finding.detected_at < until)
        if is_in_span and wanted.incident in {None, incident}:
            newest.append((finding, incident))
            count += 1
    shown = {incident for _, incident in newest}
    if wanted.incident not in {None, *(incident.id for incident in incidents.all())}:
        raise ConfigError([f"--incident: there is no incident '{wanted.incident}'"])
    return FoundIncidents(
        tuple(incident for incident in incidents.all() if incident.id in shown), tuple(newest), count, span
    )


def _check_names(wanted: Wanted, config: Config | None, stored: Collection[str]) -> None:
    """Raise ConfigError for a pipeline or stage that does not exist: nothing found would be no answer."""
    known = {*stored, *(config.pipelines if config else ())}
    if wanted.pipeline is not None and wanted.pipeline not in known:
        what = nearest_of_all(wanted.pipeline, sorted(known))
        raise ConfigError([f"--pipeline: there is no pipeline '{wanted.pipeline}'; {what}"])
    if config is None or wanted.stage is None:
        return
    stages = {stage for each in config.pipelines.values() for stage in _stages(each)}
    if wanted.stage not in stages:
        what = nearest_of_all(wanted.stage, sorted(stages))
        raise ConfigError([f"--stage: there is no stage '{wanted.stage}'; {what}"])


def _stages(settings: PipelineSettings) -> list[str]:
    return [*settings.topology.stages, *(sink.name for sink in settings.topology.sinks)]
