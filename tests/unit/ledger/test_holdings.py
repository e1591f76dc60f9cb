from __future__ import annotations

from dupscope.ledger.holdings import Holdings
from dupscope.ledger.rows import bytes_per_key
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.finding import Reason
from unit.ledger.world import NOW, PAIR, Place, Story, partition_table


class TestCapacity:
    def test_rows_take_three_quarters_of_the_memory(self):
        held = Holdings(PAIR, LedgerSettings(memory_bytes=1 << 24), partition_table(PAIR))
        assert held.rows.capacity == int(0.75 * (1 << 24) / bytes_per_key(PAIR))

    def test_there_is_a_least_number_of_rows(self):
        held = Holdings(PAIR, LedgerSettings(memory_bytes=1, freed_rows=100), partition_table(PAIR))
        assert held.rows.capacity == 400


class TestWhyNoCopy:
    def test_it_tells_another_key_from_nothing_and_from_before(self):
        story = Story()
        story.begun[3] = 1
        story.copied(story.source("before"))
        copy = story.copied(story.source())
        story.settle()
        held = story.ledger.held
        reasons = [held.why_no_copy(copy._replace(offset=offset).packed) for offset in (0, 1, 2)]
        assert reasons == [Reason.BEFORE_COVERAGE, Reason.POSITION_MISMATCH, Reason.NO_COPY]

    def test_a_copy_in_a_case_is_found_as_well(self):
        story = Story()
        story.source()
        last = story.source()
        story.settle()
        assert story.ledger.held.why_no_copy(last.packed) is Reason.POSITION_MISMATCH


class TestFind:
    def test_what_lies_below_the_edge_is_forgotten_first(self):
        story = Story()
        place: Place = story.source()
        story.settle()
        held = story.ledger.held
        fp = int(held.rows.fp_hi[0]), int(held.rows.fingerprints_low(held.rows.live())[0])
        assert held.find(fp) == 0
        held.edge.evict(place.at)
        assert held.find(fp) == -1

    def test_a_case_below_the_edge_is_closed(self):
        story = Story()
        story.source()
        story.source()
        story.settle()
        held = story.ledger.held
        case = next(iter(held.book.cases.values()))
        held.edge.evict(NOW)
        assert held.find((case.fp_hi, case.fp_lo)) == -1
        assert held.book.cases == {}
