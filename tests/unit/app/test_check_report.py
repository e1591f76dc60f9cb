from __future__ import annotations

import pytest

from dupscope.app.check_report import Level, Report, plural, show_bytes, show_limit, show_seconds


class TestReport:
    def test_lines_of_one_place_name_it_once(self):
        report = Report("f.yaml")
        section = report.section("pipeline p")
        section.add(Level.OK, "source", "is there")
        section.add(Level.WARNING, "source", "is odd")
        section.add(Level.PROBLEM, "to-dr", "is away")

        assert report.text() == (
            "pipeline p\n"
            "  source  ok       is there\n"
            "          warning  is odd\n"
            "  to-dr   problem  is away\n"
            "\n"
            "f.yaml: 1 problem, 1 warning"
        )

    def test_notes_alone_are_well(self):
        report = Report("f.yaml")
        report.section("s").add(Level.NOTE, "a", "b")

        assert report.text().endswith("f.yaml: all is well")


class TestShow:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (86400, "24 h"),
            (15000, "4 h 10 min"),
            (259200, "3 d"),
            (200000, "2 d 7 h"),
            (90, "1 min 30 s"),
            (59.7, "60 s"),
            (0.2, "under 1 s"),
        ],
    )
    def test_a_length_of_time_has_at_most_two_units(self, seconds, text):
        assert show_seconds(seconds) == text

    def test_sizes(self):
        assert [show_bytes(6.2e9), show_bytes(4.1e8), show_bytes(5000)] == ["6.2 GB", "410 MB", "5 kB"]
        assert [show_limit(1 << 30), show_limit(5 << 20), show_limit(1500)] == [
            "1 GiB",
            "5 MiB",
            "1,500 bytes",
        ]

    def test_numbers_of_things(self):
        assert [plural(1, "topic"), plural(1240, "record")] == ["1 topic", "1,240 records"]
