from __future__ import annotations

import pytest

from dupscope.kafka.redrive import RedriveMarks

MARKS = RedriveMarks(frozenset({"x-redrive"}), "producer", frozenset({"replayer", "fixer"}))


class TestRedriveMarks:
    @pytest.mark.parametrize(
        ("expected", "headers"),
        [
            (False, None),
            (False, []),
            (False, [("other", b"x")]),
            (True, [("x-redrive", None)]),
            (True, [("other", b""), ("x-redrive", b"no")]),
            (True, [("producer", b"replayer")]),
            (True, [("producer", "fixer")]),
            (False, [("producer", b"app")]),
            (False, [("producer", None)]),
            (False, [("producer", b"\xff")]),
            (True, [("producer", b"app"), ("producer", b"fixer")]),
        ],
    )
    def test_a_header_or_a_producer_marks_a_record(self, expected, headers):
        assert MARKS.marks(headers) is expected

    @pytest.mark.parametrize(
        ("expected", "marks"),
        [
            (False, RedriveMarks()),
            (False, RedriveMarks(producer_header="producer")),
            (False, RedriveMarks(producers=frozenset({"replayer"}))),
            (True, RedriveMarks(frozenset({"h"}))),
            (True, RedriveMarks(frozenset(), "producer", frozenset({"replayer"}))),
        ],
    )
    def test_it_is_true_where_something_can_be_marked(self, expected, marks):
        assert bool(marks) is expected
