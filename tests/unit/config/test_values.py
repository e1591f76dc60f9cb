from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dupscope.config.values import (
    Duration,
    ListenAddress,
    Moment,
    PropertySpec,
    Size,
    StartAt,
    parse_duration,
    parse_listen,
    parse_moment,
    parse_property,
    parse_size,
    parse_start,
)


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("24h", 86400),
            ("90s", 90),
            ("1h30m", 5400),
            ("250ms", 0.25),
            ("1.5h", 5400),
            ("2w", 1209600),
            ("0s", 0),
        ],
    )
    def test_is_a_number_with_a_unit(self, text, seconds):
        assert seconds == parse_duration(text)

    @pytest.mark.parametrize("raw", [24, "24", 1.5, True, None, "", "h", "1 h", "-1h", "24H", [], {}])
    def test_anything_else_is_refused(self, raw):
        with pytest.raises(ValueError, match=r"unit|duration"):
            parse_duration(raw)

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(86400, "24h"), (172800, "2d"), (600, "10m"), (5400, "90m"), (90, "90s"), (0.5, "0.5s"), (0, "0s")],
    )
    def test_is_shown_in_the_largest_unit_that_fits(self, seconds, text):
        assert text == str(Duration(seconds))


class TestSize:
    @pytest.mark.parametrize(
        ("text", "count"),
        [("1GiB", 1 << 30), ("512 MiB", 512 << 20), ("1.5KiB", 1536), ("2GB", 2 * 10**9), ("7B", 7)],
    )
    def test_is_a_number_with_a_unit(self, text, count):
        assert count == parse_size(text)

    @pytest.mark.parametrize("raw", [1024, "1024", "1G", "GiB", None])
    def test_anything_else_is_refused(self, raw):
        with pytest.raises(ValueError, match="is not a size"):
            parse_size(raw)

    @pytest.mark.parametrize(("count", "text"), [(1 << 30, "1GiB"), (1536, "1536B"), (0, "0B")])
    def test_is_shown_in_the_largest_unit_that_fits(self, count, text):
        assert text == str(Size(count))


class TestStartAt:
    def test_is_an_end_of_the_log_or_a_duration(self):
        assert StartAt("latest") == parse_start("latest")
        assert StartAt("earliest") == parse_start("earliest")
        assert StartAt("ago", 3600.0) == parse_start("1h")

    def test_shows_as_it_is_written(self):
        assert [str(StartAt("earliest")), str(StartAt("ago", 5400.0))] == ["earliest", "90m"]


NO_OFFSET = (
    "'2026-11-23 10:00:00' has no offset; "
    "write for example '2026-11-23T10:00:00Z' or '2026-11-23T10:00:00+01:00'"
)


class TestMoment:
    @pytest.mark.parametrize(
        ("raw", "milliseconds"),
        [
            ("1970-01-01T00:00:01Z", 1000),
            ("1970-01-01t02:00:00.1239+02:00", 123),
            ("1970-01-01 00:00:00-00:30", 1_800_000),
            (datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 2000),
            (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        ],
    )
    def test_is_a_time_with_an_offset_as_text_or_as_yaml_reads_it(self, raw, milliseconds):
        assert milliseconds == parse_moment(raw)

    @pytest.mark.parametrize(
        ("raw", "what"),
        [
            (datetime(2026, 11, 23, 10), NO_OFFSET),  # noqa: DTZ001 - as YAML reads a time without an offset
            ("2026-11-23T10:00:00", NO_OFFSET.replace(" 10:00:00'", "T10:00:00'")),
            (date(2026, 11, 23), "'2026-11-23' is not a time; write for example '2026-11-23T10:00:00Z'"),
            (1795428000, "'1795428000' is not a time; write for example '2026-11-23T10:00:00Z'"),
            (
                "20261123T100000Z",
                "'20261123T100000Z' is not a time; write for example '2026-11-23T10:00:00Z'",
            ),
            ("2026-11-23T10:60:00Z", "'2026-11-23T10:60:00Z' is not a time: minute must be in 0..59"),
            (
                "9999-12-31T23:59:59-01:00",
                "'9999-12-31T23:59:59-01:00' is not a time: date value out of range",
            ),
        ],
    )
    def test_anything_else_is_refused(self, raw, what):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
            parse_moment(raw)

        assert what == str(caught.value)

    def test_is_shown_in_utc(self):
        assert [str(Moment(0)), str(Moment(1500))] == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.500Z"]


class TestListenAddress:
    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [(":9464", "", 9464), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:80", "::1", 80), ("web:1", "web", 1)],
    )
    def test_reads_and_shows_the_same(self, text, host, port):
        assert ListenAddress(host, port) == parse_listen(text)
        assert text == str(parse_listen(text))

    @pytest.mark.parametrize("raw", [9464, "9464", "localhost", ":70000", "::1:80", None])
    def test_anything_else_is_refused(self, raw):
        with pytest.raises(ValueError, match="is not an address"):
            parse_listen(raw)


class TestPropertySpec:
    def test_values_are_what_librdkafka_takes(self):
        assert [parse_property(raw).value for raw in (True, 5, "x")] == ["true", "5", "x"]

    def test_says_where_a_value_is_kept(self):
        assert [parse_property(raw).kept_in for raw in ({"file": "f"}, {"env": "E"})] == ["file", "env"]

    def test_never_shows_the_value(self):
        assert "hush" not in repr(PropertySpec("hush"))
