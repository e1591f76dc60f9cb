from __future__ import annotations

import os

import pytest

from dupscope.app.check_audit import LAST_BYTES, last_lines, look_at_audit
from dupscope.app.check_report import Level, Section
from dupscope.config.load import load

POSITION = '"topic": "primary.payments", "partition": 0, "offset": 5'


@pytest.fixture
def told(tmp_path):
    def told(
        content=None,
        topics="[payments]",
        mirrored="[primary.payments]",
        audit="{file: audit.jsonl}",
        group="g",
    ):
        if content is not None:
            (tmp_path / "audit.jsonl").write_bytes(content.encode() if isinstance(content, str) else content)
        file = tmp_path / "f.yaml"
        file.write_text(f"""
clusters: {{a: {{bootstrap.servers: x}}, b: {{bootstrap.servers: y}}}}
pipelines:
  p:
    key: {{json: [id]}}
    source: {{cluster: a, topics: {topics}}}
    mirrors: {{to-dr: {{cluster: b, topics: {mirrored}}}}}
    sinks: {{s: {{reads: [to-dr], group: {group}, audit: {audit}}}}}
""")
        section = Section("p")
        look_at_audit(load(file, {}).pipelines["p"], 0, section)
        return [(line.level, line.text.replace(str(tmp_path), "")) for line in section.lines]

    return told


class TestLookAtAudit:
    def test_lines_with_positions_are_well(self, told):
        assert told(f'{{"key": "p-1", {POSITION}}}\n' * 3) == [
            (Level.OK, "/audit.jsonl: 3 of the last 3 lines can be used")
        ]

    def test_of_several_files_the_newest_is_looked_at(self, told, tmp_path):
        (tmp_path / "old.jsonl").write_text("x\n")
        os.utime(tmp_path / "old.jsonl", (1, 1))
        assert told(f'{{"key": "p-1", {POSITION}}}\n', audit="{file: '*.jsonl'}") == [
            (Level.OK, "/*.jsonl: 1 of the last 1 line can be used")
        ]

    def test_a_pattern_that_finds_nothing(self, told):
        ((level, text),) = told(audit="{file: '*.jsonl'}")
        assert level is Level.WARNING
        assert text.startswith("/*.jsonl is not there yet")

    def test_a_torn_last_line_is_left_alone(self, told):
        assert told(f'{{"key": "p-1", {POSITION}}}\n{{"key": ') == [
            (Level.OK, "/audit.jsonl: 1 of the last 1 line can be used")
        ]

    @pytest.mark.parametrize(
        ("group", "text"),
        [
            ("g", "of its effects nothing is seen, only its group's rewinds: redelivered_records_total"),
            ("null", "nothing is seen of its effects; name its 'group', and its rewinds are counted"),
        ],
    )
    def test_a_sink_without_an_audit_log_is_told_what_can_be_seen(self, told, group, text):
        assert told(audit="null", group=group) == [(Level.NOTE, f"no audit log: {text}")]

    def test_lines_without_a_position_are_the_weaker_mode(self, told):
        (_, (level, text)) = told('{"key": "p-1", "at": "2026-11-23T10:00:00Z"}\n')

        assert level is Level.NOTE
        assert text.startswith("100% of the effects name no position, the weaker mode")

    def test_a_topic_that_a_pattern_of_the_mirror_matches_is_one_that_the_sink_reads(self, told):
        mirrored = "['^primary[.]pay.*']"

        assert told(f'{{"key": "p-1", {POSITION}}}\n', mirrored=mirrored)[0][0] is Level.OK
        assert told('{"key": "p-1", "topic": "x", "at": 1}\n', mirrored=mirrored)[0][0] is Level.PROBLEM

    def test_several_topics_need_a_topic_in_the_line(self, told):
        lines = told(
            '{"key": "p-1", "at": "2026-11-23T10:00:00Z"}\n',
            topics="[payments, refunds]",
            mirrored="[primary.payments, primary.refunds]",
        )

        assert lines[1] == (Level.PROBLEM, "100% of them name no topic that the sink reads")

    @pytest.mark.parametrize(
        ("line", "meaning"),
        [
            ("nothing", "are no JSON object"),
            (f'{{"id": "p-1", {POSITION}}}', "have no business key: map it, audit: {fields: {key: …}}"),
            (f'{{"key": ["a", "b"], {POSITION}}}', "have a key of another shape than the pipeline's"),
            ('{"key": "p-1"}', "have neither position nor time: map one, audit: {fields: {at: …}}"),
            (
                '{"key": "p-1", "partition": 0, "offset": 1}',
                "have a position that is not whole: it takes topic, partition and offset",
            ),
            (
                '{"key": "p-1", "topic": "other", "partition": 0, "offset": 1}',
                "name no topic that the sink reads",
            ),
            (f'{{"key": "p-1", "cluster": "a", {POSITION}}}', "name no topic that the sink reads"),
            (f'{{"key": "p-1", "group": "other", {POSITION}}}', "are of another consumer group"),
        ],
    )
    def test_what_is_wrong_with_lines_is_said_in_words(self, told, line, meaning):
        lines = told(f'{line}\n{{"key": "p-1", {POSITION}}}\n')

        assert lines[1] == (Level.WARNING, f"50% of them {meaning}")

    def test_names_can_be_mapped(self, told):
        line = '{"payment": {"id": 7}, "src": "primary.payments", "partition": 0, "offset": 5}\n'

        lines = told(line, audit="{file: audit.jsonl, fields: {key: payment.id, topic: src}}")

        assert lines == [(Level.OK, "/audit.jsonl: 1 of the last 1 line can be used")]

    def test_a_file_that_is_not_there_yet_is_a_warning(self, told):
        ((level, text),) = told()

        assert level is Level.WARNING
        assert text.startswith("/audit.jsonl is not there yet")

    def test_a_folder_that_is_not_there_is_a_problem(self, told):
        ((level, text),) = told(audit="{file: nowhere/audit.jsonl}")

        assert (level, text) == (Level.PROBLEM, "there is no folder /nowhere: fix the path, or mount it")

    def test_what_cannot_be_read_is_a_problem(self, told, tmp_path):
        (tmp_path / "folder").mkdir()

        ((level, text),) = told(audit="{file: folder}")

        assert (level, text) == (Level.PROBLEM, "/folder: cannot be read: Is a directory; fix its access")

    def test_an_empty_file_is_no_problem(self, told):
        assert told("") == [(Level.NOTE, "/audit.jsonl: no line yet")]

    def test_without_a_group_what_was_absorbed_cannot_be_told(self, told):
        assert told(f'{{"key": "p-1", {POSITION}}}\n', group="null")[1][0] is Level.NOTE


class TestLastLines:
    def test_only_the_end_of_a_large_file_is_read_from_the_first_whole_line_on(self, tmp_path):
        file = tmp_path / "large"
        file.write_bytes(b"x" * 99 + b"\n")
        file.write_bytes(file.read_bytes() * (LAST_BYTES // 50))

        lines = last_lines(file)

        assert set(lines) == {b"x" * 99}
        assert len(lines) == LAST_BYTES // 100


class TestTable:
    """A table is looked at as `run` reads it."""

    @pytest.fixture
    def told_of(self, told, server):
        with server.connect() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS checked (id int PRIMARY KEY, x xid8, key text, at timestamptz)"
            )
            database.execute("TRUNCATE checked")
            database.execute("INSERT INTO checked VALUES (1, pg_current_xact_id(), 'p-1', now())")

        def told_of(**more):
            connection = ", ".join(f"{name}: '{value}'" for name, value in server.connection.items())
            rest = "".join(f", {name}: {value}" for name, value in {"table": "checked", **more}.items())
            return told(audit=f"{{postgres: {{connection: {{{connection}}}{rest}}}}}")

        return told_of

    def test_rows(self, told_of):
        levels, texts = zip(*told_of(), strict=True)
        assert levels == (Level.OK, Level.NOTE, Level.NOTE)
        assert texts[0] == "table checked: 1 of the last 1 line can be used"
        assert "the weaker mode" in texts[1]
        assert "more than 10,000 ids below" in texts[2]

    def test_a_column_without_an_index(self, told_of):
        *_, (level, text) = told_of(transaction="x")
        assert (level, text) == (
            Level.WARNING,
            "table checked: no index begins with 'x': each look reads the whole table",
        )

    def test_a_column_of_another_type(self, told_of):
        assert (
            Level.PROBLEM,
            "table checked: column 'key' is of type text: it must be xid8",
        ) in told_of(transaction="key")

    def test_no_such_table(self, told_of):
        ((level, text),) = told_of(table="nowhere")
        assert level is Level.PROBLEM
        assert text.startswith('table nowhere: relation "nowhere" does not exist; correct ')
