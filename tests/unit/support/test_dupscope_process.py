"""Reading an exposition and log lines."""

from __future__ import annotations

from support.dupscope_process import named, parse, parse_metrics, series, total

TEXT = """# HELP dupscope_duplicates Duplicates.
# TYPE dupscope_duplicates counter
dupscope_duplicates_total{layer="mirror",stage="to-dr"} 3.0
dupscope_duplicates_total{layer="produce",stage="a\\"b"} 0.0
dupscope_build_info 1.0
# EOF
"""


class TestParseMetrics:
    def test_it_has_every_series_by_name_and_labels(self):
        sample = parse_metrics(TEXT)
        assert sample[series("duplicates_total", layer="mirror", stage="to-dr")] == 3
        assert len(sample) == 3

    def test_named_leaves_out_what_is_zero(self):
        assert named(parse_metrics(TEXT), "duplicates_total") == {
            series("duplicates_total", layer="mirror", stage="to-dr"): 3
        }

    def test_total_sums_over_the_labels_that_are_not_given(self):
        assert total(parse_metrics(TEXT), "duplicates_total") == 3
        assert total(parse_metrics(TEXT), "duplicates_total", layer="produce") == 0


class TestParse:
    def test_what_is_no_json_is_kept_as_text(self):
        assert parse("Traceback (most recent call last):") == {"text": "Traceback (most recent call last):"}
