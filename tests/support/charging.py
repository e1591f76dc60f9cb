"""Starting, killing and reading the sink that charges into Postgres."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from support import charging_program
from support.oracle import Effect, Where
from support.postgres import Server
from support.process import LoggedProcess
from support.sink import SinkSettings

TABLE = """
CREATE TABLE charges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    payment_id text NOT NULL,
    cluster text, topic text, partition int, "offset" bigint, "group" text, effect_id text,
    charged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON charges (written_by, id);
"""
SELECT = 'SELECT cluster, topic, partition, "offset", effect_id FROM charges ORDER BY id'


class ChargingSink:
    """The program and its table. May be started again after it has died."""

    def __init__(self, settings: SinkSettings, server: Server, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._server = server
        tests = str(Path(charging_program.__file__).parents[1])
        self._process = LoggedProcess([], folder / "sink.log", env={**os.environ, "PYTHONPATH": tests})
        with server.connect() as database:
            database.execute(TABLE)

    def start(self, die_after: int = 0) -> None:
        """Start; with `die_after` it kills itself in the transaction of that record."""
        settings = self._settings
        self._process.command = [
            *(sys.executable, charging_program.__file__, "--conninfo", self._server.dsn),
            *("--bootstrap", settings.bootstrap, "--cluster", settings.cluster, "--topic", settings.topic),
            *("--group", settings.group, "--key", settings.key),
            *("--commit-every", str(settings.commit_every), "--die-after", str(die_after)),
        ]
        self._process.start()

    def wait_death(self) -> int:
        """The exit code of a sink that was started to die: -9."""
        return self._process.wait_exit(60)

    def stop(self) -> int:
        """SIGTERM: it commits and leaves the group. 0 when all went well."""
        return self._process.stop()

    def close(self) -> None:
        self._process.close()

    def audit_section(self) -> dict[str, object]:
        """`audit` in the configuration."""
        table = {"connection": dict(self._server.connection), "table": "charges", "transaction": "written_by"}
        return {"postgres": table, "fields": {"key": "payment_id", "at": "charged_at"}}

    def audit_lines(self) -> int:
        """The number of rows."""
        return len(self._rows())

    def effects_by(self, stages: Mapping[tuple[str, str], str]) -> list[Effect]:
        """The rows; `stages` has the stage by (cluster, physical topic)."""
        return [
            Effect(Where(stages[cluster, topic], topic, partition, offset), effect_id)
            for cluster, topic, partition, offset, effect_id in self._rows()
        ]

    def has_acted_on(self, offsets: dict[int, int]) -> bool:
        """Whether there is a row for the record at each of these offsets, by partition."""
        return set(offsets.items()) <= {(partition, offset) for _, _, partition, offset, _ in self._rows()}

    def _rows(self) -> list[tuple[str, str, int, int, str]]:
        with self._server.connect() as database:
            return database.execute(SELECT).fetchall()
