from __future__ import annotations

import numpy as np
import pytest

from dupscope.ledger.view import content_mask
from dupscope.model.topology import TagParts
from unit.ledger.cases import Desk
from unit.ledger.world import CHAIN, NOW, NUMBERS, TIMELESS


class TestTag:
    def test_equal_content_at_another_time_is_another_tag(self):
        desk = Desk().source(at=0).mirror(at=1)
        assert desk.view.tag(desk.copies[0], 1) != desk.view.tag(desk.copies[1], 1)

    def test_unless_the_mirror_does_not_preserve_the_time(self):
        desk = Desk(TIMELESS).source(at=0).mirror(at=1)
        assert desk.view.tag(desk.copies[0], 1) == desk.view.tag(desk.copies[1], 1)

    @pytest.mark.parametrize(
        ("parts", "mask"),
        [
            (TagParts(), 0xFFFFFFFFFFFFFFFF),
            (TagParts(key=False), 0x00000000FFFFFFFF),
            (TagParts(value=False), 0xFFFFFFFF00000000),
        ],
    )
    def test_the_mask_keeps_what_is_preserved(self, parts, mask):
        assert content_mask(parts) == mask


class TestOrder:
    def test_time_then_partition_then_offset(self):
        desk = Desk().source(at=1).source(partition=2).source(partition=1).source(partition=1)
        names = [desk.name(copy) for copy in sorted(desk.copies, key=desk.view.order)]
        assert names == ["source[1]@0", "source[1]@1", "source[2]@0", "source[0]@0"]


class TestAdmitted:
    def test_below_the_ends_of_a_barrier_that_passed(self):
        desk = Desk().mirror().mirror()
        ends = np.zeros(2 * NUMBERS, np.int64)
        ends[NUMBERS] = 1
        desk.seen(judged_until=(ends, ends))
        assert [desk.view.admitted(copy) for copy in desk.copies] == [True, False]


class TestCoveredAbove:
    @pytest.mark.parametrize(
        ("starts", "answer"),
        [((None, None, None), None), ((NOW, None, None), NOW), ((NOW, NOW + 5, NOW + 9), NOW + 5)],
    )
    def test_it_is_the_latest_start_of_all_logs_above(self, starts, answer):
        desk = Desk(CHAIN).source()
        assert desk.seen(covered_since=starts).view.covered_above(2, desk.copies[0]) == answer

    def test_what_holds_for_its_topic_goes_before_what_holds_for_the_whole_log(self):
        desk = Desk(CHAIN).source().seen(covered_since=(NOW, NOW, NOW))
        desk.seen(covered_topics={(0, "payments"): None, (1, "payments"): NOW - 5, (0, "refunds"): NOW + 9})
        assert desk.view.covered_above(2, desk.copies[0]) == NOW - 5
