from __future__ import annotations

from dupscope.ledger.gaps import MOST_SPANS, Gaps
from dupscope.model.batch import Gap
from dupscope.model.finding import Reason
from dupscope.model.position import Partition, PartitionTable
from unit.ledger.world import MARGIN, NOW, Story

TABLE = PartitionTable()
SLOT = TABLE.slot(Partition(0, "a", "id", "payments", "payments", 0))
OTHER = TABLE.slot(Partition(0, "a", "id-2", "refunds", "refunds", 0))


def gap(since: int, until: int, slot: int = SLOT) -> Gap:
    return Gap(slot, 3, 7, since, until)


def held(gaps: Gaps, *moments: int | None, topic: str = "payments", log: int = 0) -> list[bool]:
    return [gaps.may_have_held(log, topic, moment) for moment in moments]


class TestGaps:
    def test_a_record_may_be_gone_between_the_neighbours_give_or_take_the_margin(self):
        gaps = Gaps(margin_ms=5)
        gaps.add([gap(100, 200)], TABLE)
        assert held(gaps, 94, 95, 150, 205, 206) == [False, True, True, True, False]

    def test_neighbours_may_be_out_of_order(self):
        gaps = Gaps()
        gaps.add([gap(200, 100)], TABLE)
        assert held(gaps, 99, 150, 201) == [False, True, False]

    def test_another_topic_and_another_log_are_not_concerned(self):
        gaps = Gaps()
        gaps.add([gap(100, 200)], TABLE)
        assert held(gaps, 150, topic="refunds") == held(gaps, 150, log=1) == [False]

    def test_without_a_timestamp_any_gap_will_do(self):
        gaps = Gaps()
        assert held(gaps, None) == [False]
        gaps.add([gap(100, 200)], TABLE)
        assert held(gaps, None) == [True]

    def test_overlapping_spans_are_one(self):
        gaps = Gaps()
        gaps.add([gap(100, 200), gap(300, 400)], TABLE)
        gaps.add([gap(150, 320)], TABLE)
        assert held(gaps, 99, 250, 401) == [False, True, False]

    def test_spans_below_the_edge_are_forgotten(self):
        gaps = Gaps()
        gaps.add([gap(100, 200), gap(300, 400)], TABLE)
        gaps.forget(201)
        assert held(gaps, 150, 350) == [False, True]

    def test_their_number_is_bounded_and_no_span_is_lost(self):
        gaps = Gaps()
        spans = [gap(10 * number, 10 * number + 1) for number in range(2 * MOST_SPANS + 1)]
        gaps.add(spans, TABLE)
        assert all(held(gaps, *(span.since_ms for span in spans)))
        assert not all(held(gaps, *(span.since_ms + 5 for span in spans)))


class TestCompactedSource:
    """Trap 3: the source lost a copy before it was read."""

    def doubled(self, at: int) -> Story:
        story = Story()
        original = story.source(at=at)
        story.copied(original)
        story.copied(original)
        return story

    def test_an_extra_copy_from_within_a_gap_is_unverified(self):
        story = self.doubled(at=500)
        story.gaps = [Gap(0, 7, 9, NOW + 400, NOW + 600)]
        story.settle()
        assert story.found == []
        assert story.unverified == {f"dr {Reason.COMPACTED}": 1}

    def test_one_from_elsewhere_is_a_duplicate(self):
        story = self.doubled(at=500 + MARGIN)
        story.gaps = [Gap(0, 7, 9, NOW + 100, NOW + 400)]
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.unverified == {}

    def test_a_case_without_an_extra_copy_is_not_concerned(self):
        story = Story()
        story.copied(story.source(at=500))
        story.gaps = [Gap(0, 7, 9, NOW + 400, NOW + 600)]
        assert story.settle().unverified == {}
