from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace

import pytest

from dupscope.app.findings_report import CSV_COLUMNS, FoundIncidents, write_csv, write_json, write_text
from dupscope.causes.incidents import Incidents
from dupscope.model.finding import Finding, Kind, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import Position
from dupscope.telemetry.findings import finding_fields

NOON = 1_700_000_000.0


def finding(offset: int, **changes: object) -> Finding:
    where = Position("dr-id", "topic-id", "primary.payments", 1, offset)
    made = Finding(
        id=finding_id("payments", "to-dr", where),
        pipeline="payments",
        layer=Layer.MIRROR,
        stage="to-dr",
        topic="payments",
        kind=Kind.IDENTICAL,
        position=where,
        first=replace(where, offset=0),
        fingerprint="ab" * 16,
        detected_at=NOON + offset,
        timestamp=NOON - 60,
        gap_seconds=-1.5,
        missing_evidence=("mirror_offset_syncs", "batch_header"),
        idempotence_would_prevent=False,
    )
    return replace(made, **changes)


def found(*findings: Finding, count: int | None = None, span=(None, None)) -> FoundIncidents:
    incidents = Incidents()
    named = tuple((one, incidents.add(one)) for one in findings)
    return FoundIncidents(tuple(incidents.all()), named, len(named) if count is None else count, span)


def written(write, answer: FoundIncidents) -> str:
    out = io.StringIO(newline="")
    write(answer, out)
    return out.getvalue()


class TestText:
    def test_shows_incidents_then_totals(self):
        conflicting = finding(2, kind=Kind.CONFLICTING)
        produced = finding(9, stage="source", layer=Layer.PRODUCE)
        answer = found(finding(1), conflicting, produced)

        assert written(write_text, answer).splitlines() == [
            f"{answer.incidents[0].id}  payments  mirror (to-dr)  2 duplicates, 1 conflicting",
            "  cause     unknown",
            "  detected  2023-11-14T22:13:21.000Z to 2023-11-14T22:13:22.000Z",
            "  occurred  2023-11-14T22:12:20.000Z",
            "  at        primary.payments[1]@1, primary.payments[1]@2",
            "",
            f"{answer.incidents[1].id}  payments  produce (source)  1 duplicate",
            "  cause     unknown",
            "  detected  2023-11-14T22:13:29.000Z",
            "  occurred  2023-11-14T22:12:20.000Z",
            "  at        primary.payments[1]@9",
            "",
            "2 incidents, 3 duplicates: 1 produce, 2 mirror; 1 conflicting",
        ]

    def test_examples_are_few(self):
        assert "@3, …\n" in written(write_text, found(*map(finding, range(1, 6))))

    def test_says_what_was_left_away(self):
        text = written(write_text, found(finding(1), count=1234, span=(NOON, NOON + 60)))

        assert text.splitlines()[-1] == (
            "1 incident, 1 duplicate (the newest of 1,234) detected since 2023-11-14T22:13:20.000Z "
            "and before 2023-11-14T22:14:20.000Z: 1 mirror"
        )

    def test_says_of_which_time_there_is_nothing(self):
        assert written(write_text, found(span=(NOON, None))) == (
            "no duplicates detected since 2023-11-14T22:13:20.000Z\n"
        )

    def test_shows_no_date_where_a_clock_gave_none(self):
        assert "occurred  no date\n" in written(write_text, found(finding(1, timestamp=1e18)))


class TestJson:
    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_is_one_object(self, count):
        answer = found(*map(finding, range(count)))

        shown = json.loads(written(write_json, answer))

        assert [each["id"] for each in shown["incidents"]] == [each.id for each in answer.incidents]
        assert len(shown["findings"]) == count

    def test_a_finding_has_the_fields_of_its_log_line(self):
        answer = found(finding(1))

        (shown,) = json.loads(written(write_json, answer))["findings"]

        assert shown == {**finding_fields(finding(1)), "incident": answer.incidents[0].id}

    def test_an_incident_has_times_in_utc_and_positions(self):
        (shown,) = json.loads(written(write_json, found(finding(1), finding(2))))["incidents"]

        assert shown["first_detected_at"] == "2023-11-14T22:13:21.000Z"
        assert shown["last_detected_at"] == "2023-11-14T22:13:22.000Z"
        assert shown["first_occurred_at"] == shown["last_occurred_at"] == "2023-11-14T22:12:20.000Z"
        assert (shown["count"], shown["conflicting"], shown["cause"]) == (2, 0, "unknown")
        assert [each["offset"] for each in shown["examples"]] == [1, 2]


class TestCsv:
    def test_columns_are_the_fields(self):
        assert sorted(CSV_COLUMNS) == sorted([*finding_fields(finding(1)), "incident"])

    def test_a_finding_is_a_line(self):
        text = written(write_csv, found(finding(1)))
        header, line = csv.reader(io.StringIO(text, newline=""))
        shown = dict(zip(header, line, strict=True))

        assert text.count("\r\n") == 2
        assert shown["detected_at"] == "2023-11-14T22:13:21.000Z"
        assert (shown["offset"], shown["ordinal"], shown["gap_seconds"]) == ("1", "", "-1.5")
        assert shown["missing_evidence"] == "mirror_offset_syncs batch_header"
        assert shown["idempotence_would_prevent"] == "false"

    def test_nothing_found_is_a_header(self):
        assert written(write_csv, found()).count("\r\n") == 1

    @pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_text_is_no_formula(self, sign):
        name = f'{sign}HYPERLINK("http://example.org","x")'
        where = replace(finding(1).position, topic=name)
        hostile = finding(1, topic=name, position=where, pipeline=name, stage=name)

        _, line = csv.reader(io.StringIO(written(write_csv, found(hostile)), newline=""))

        assert line.count(f"'{name}") == 4
        assert not [cell for cell in line if cell.startswith(sign) and cell != "-1.5"]

    def test_every_text_of_a_finding_is_protected(self):
        """A field of text that is added later is protected as well, whatever it holds."""
        texts = {
            field.name: "=1"
            for field in fields(Finding)
            if isinstance(getattr(finding(1), field.name), str) and field.name not in {"layer", "kind"}
        }

        assert ",=" not in written(write_csv, found(finding(1, **texts)))
