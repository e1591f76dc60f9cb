from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dupscope.app.cli import invoke
from dupscope.app.findings import Wanted, moment, select
from dupscope.causes.incidents import incidents_of
from dupscope.model.errors import ConfigError
from dupscope.model.finding import Finding, Kind, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import Position
from dupscope.store.store import Store
from support.stored import pipeline, store

NOON = 1_700_000_000.0
HOUR = 3600


def finding(offset: int, at: float = 0.0, **changes: object) -> Finding:
    where = Position("primary-id", "topic-id", "payments", 1, offset)
    made = Finding(
        id=finding_id("payments", "source", where),
        pipeline="payments",
        layer=Layer.PRODUCE,
        stage="source",
        topic="payments",
        kind=Kind.IDENTICAL,
        position=where,
        first=None,
        fingerprint="ab" * 16,
        detected_at=NOON + at,
        timestamp=NOON + at - 60,
    )
    return replace(made, **changes)


MORNING = [finding(1), finding(2, 1)]
NOW = [finding(3, HOUR), finding(4, HOUR, stage="to-dr", layer=Layer.MIRROR)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    watch = {"memory_bytes": 0, "tails": [], "audits": {}}
    store(tmp_path / "state", [*MORNING, *NOW], {"payments": pipeline("id", watch, [])})
    return tmp_path / "state"


def shown(folder: Path, capsys, *options: str) -> dict:
    assert invoke(["findings", "--state", str(folder), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def offsets(answer: dict) -> list[int]:
    return [found["offset"] for found in answer["findings"]]


class TestFindings:
    def test_without_options_it_is_everything(self, folder, capsys):
        answer = shown(folder, capsys)

        assert offsets(answer) == [1, 2, 3, 4]
        assert [incident["count"] for incident in answer["incidents"]] == [2, 1, 1]

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            (["--since", "2023-11-14T23:13:20Z"], [3, 4]),
            (["--until", "2023-11-14T23:13:20Z"], [1, 2]),
            (["--since", "2023-11-14T22:13:21Z", "--until", "2023-11-14T23:13:21Z"], [2, 3, 4]),
            (["--since", "1h"], []),
            (["--layer", "mirror"], [4]),
            (["--stage", "source"], [1, 2, 3]),
            (["--pipeline", "payments"], [1, 2, 3, 4]),
            (["--limit", "3"], [2, 3, 4]),
            (["--incident", incidents_of(MORNING)[0].id], [1, 2]),
        ],
    )
    def test_options_pick(self, options, found, folder, capsys):
        assert offsets(shown(folder, capsys, *options)) == found

    def test_an_incident_is_the_same_and_whole_whatever_is_picked(self, folder, capsys):
        (incident,) = incidents_of(MORNING)

        answer = shown(folder, capsys, "--since", "2023-11-14T22:13:21Z", "--stage", "source")

        assert (answer["incidents"][0]["id"], answer["incidents"][0]["count"]) == (incident.id, 2)

    def test_it_works_beside_the_writer(self, folder, capsys):
        writer = Store(folder)
        writer.load()

        assert offsets(shown(folder, capsys)) == [1, 2, 3, 4]
        writer.close()

    def test_the_configuration_tells_where_the_state_is(self, folder, capsys, tmp_path):
        file = tmp_path / "dupscope.yaml"
        file.write_text(
            "clusters: {primary: {bootstrap.servers: x}}\n"
            "pipelines: {payments: {key: kafka_key, source: {cluster: primary, topics: [payments]}}}\n"
            "state: {path: state}\n"
        )

        assert invoke(["findings", "-c", str(file)]) == 0
        assert "3 incidents, 4 duplicates" in capsys.readouterr().out
        assert invoke(["findings", "-c", str(file), "--stage", "sorce"]) == 2
        assert "--stage: there is no stage 'sorce'; did you mean 'source'?" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--since", "yesterday"], "--since: 'yesterday' is not a time"),
            (["--until", "2023-11-14T22:13:21"], "--until: '2023-11-14T22:13:21' has no offset"),
            (
                ["--pipeline", "payment"],
                "--pipeline: there is no pipeline 'payment'; did you mean 'payments'?",
            ),
            (["--incident", "inc-1"], "--incident: there is no incident 'inc-1'"),
            (["--layer", "sink"], "'sink' is not one of 'produce', 'mirror', 'consume'"),
        ],
    )
    def test_what_cannot_be_meant_is_told(self, options, said, folder, capsys):
        assert invoke(["findings", "--state", str(folder), *options]) == 2
        assert said in capsys.readouterr().err

    def test_without_a_store_it_says_so(self, tmp_path, capsys):
        assert invoke(["findings", "--state", str(tmp_path)]) == 2
        assert f"{tmp_path}: no state is stored there yet" in capsys.readouterr().err

    @pytest.mark.parametrize("options", [[], ["-c", "x", "--state", "y"]])
    def test_the_state_is_named_once(self, options, capsys):
        assert invoke(["findings", *options]) == 2
        assert "name the state by either -c or --state" in capsys.readouterr().err


class TestMoment:
    def test_a_duration_is_before_now(self):
        assert moment("1h30m", NOON, "--since") == NOON - 5400

    def test_a_time_has_an_offset(self):
        assert moment("2023-11-14T23:13:20+01:00", NOON, "--since") == NOON

    def test_nothing_is_open(self):
        assert moment(None, NOON, "--since") is None

    def test_a_bare_number_is_refused(self):
        with pytest.raises(ConfigError, match=r"--since: '5' is not a time.* or how long ago, as in '2h'"):
            moment("5", NOON, "--since")


class TestSelect:
    def test_the_newest_are_kept_and_all_are_counted(self):
        found = select(map(finding, range(100)), Wanted(limit=7), (None, None))

        assert [one.position.offset for one, _ in found.findings] == list(range(93, 100))
        assert found.count == 100
