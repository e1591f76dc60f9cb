from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.model.topology import Sink
from unit.ledger.world import FAILOVER, NOW, PAIR, WINDOW, Story

TWO_SINKS = replace(PAIR, sinks=(Sink("charger", (1,)), Sink("mailer", (0,))))


def acted(times: int, **effect) -> Story:
    """A clean copy that a sink acted on so many times."""
    story = Story()
    copy = story.copied(story.source())
    for _ in range(times):
        story.effect(copy, **effect)
    return story


class TestWithPositions:
    def test_every_effect_after_the_first_of_a_lineage_is_a_duplicate(self):
        story = acted(3).settle()
        assert story.found == ["charger dr[0]@0 #2", "charger dr[0]@0 #3"]
        assert story.extra_effects == {"charger consume": 2}

    def test_an_effect_on_an_extra_copy_is_its_makers(self):
        story = Story()
        original = story.source()
        story.effect(story.copied(original))
        story.effect(story.copied(original))
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.extra_effects == {"charger mirror": 1}

    def test_acting_on_a_copy_and_on_its_faithful_copy_is_acting_twice(self):
        """Failover: the sink moved from the source to the mirror."""
        story = Story(FAILOVER)
        original = story.source()
        story.effect(original)
        story.effect(story.copied(original))
        story.settle()
        assert story.found == ["charger source[0]@0 #2"]
        assert story.extra_effects == {"charger consume": 1}
        assert story.balanced

    def test_a_sink_that_reads_the_source_too_needs_no_mirrored_copy(self):
        story = Story(FAILOVER)
        story.effect(story.source())
        story.settle()
        assert (story.found, story.unverified) == ([], {})

    def test_an_effect_is_judged_by_a_barrier_of_its_own(self):
        story = acted(1).settle()
        story.hold_back(log=0)
        story.source("other")
        story.effect(story.copied(story.source("third")), key="p")
        story.cycle()
        assert story.open("charger") == 1

    def test_two_sinks_are_judged_by_themselves(self):
        story = Story(TWO_SINKS)
        original = story.source()
        copy = story.copied(original)
        story.effect(copy)
        story.effect(original, sink=1)
        story.effect(original, sink=1)
        story.settle()
        assert story.found == ["mailer source[0]@0 #2"]
        assert story.extra_effects == {"mailer consume": 1}


class TestEffectId:
    def test_the_same_effect_logged_twice_counts_once(self):
        story = acted(2, effect_id=7).settle()
        assert (story.found, story.extra_effects, story.unverified) == ([], {}, {})

    def test_the_first_line_gives_the_position(self):
        story = Story()
        original = story.source()
        one, two = story.copied(original), story.copied(original)
        story.effect(one, effect_id=7)
        story.effect(two, effect_id=7)
        story.settle()
        assert story.extra_effects == {}
        assert story.lines[0]["sinks"]["charger"]["absorbed"] == 1

    def test_other_ids_are_other_effects(self):
        story = Story()
        copy = story.copied(story.source())
        story.effect(copy, effect_id=7)
        story.effect(copy, effect_id=8)
        story.settle()
        assert story.found == ["charger dr[0]@0 #2"]

    def test_it_speaks_within_one_sink_only(self):
        story = Story(TWO_SINKS)
        original = story.source()
        story.effect(story.copied(original), effect_id=7)
        for _ in range(2):
            story.effect(original, sink=1, effect_id=0)
        story.settle()
        assert story.found == ["mailer source[0]@0 #2"]


class TestWithoutPositions:
    def test_effects_beyond_the_readable_lineages_are_repeats(self):
        story = Story()
        story.copied(story.source())
        story.effect(None)
        story.effect(None)
        story.settle()
        assert story.found == ["charger dr[0]@0 #2"]
        assert story.extra_effects == {"charger consume": 1}

    def test_as_many_effects_as_lineages_are_none(self):
        story = Story()
        original = story.source()
        for _ in range(2):
            story.copied(original)
            story.effect(None)
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.extra_effects == {"charger mirror": 1}

    def test_the_maximum_stays_when_further_copies_turn_up(self):
        story = Story()
        story.copied(story.source())
        story.effect(None)
        story.effect(None)
        story.settle()
        story.copied(story.source(at=1))
        story.settle()
        assert "charger dr[0]@0 #2" in story.found
        story.effect(None)
        story.settle()
        assert story.extra_effects.total() == 2
        assert sum(text.startswith("charger") for text in story.found) == 1

    def test_nothing_that_the_sink_could_read_means_no_repeat(self):
        story = Story()
        story.source()
        story.effect(None)
        story.effect(None)
        story.settle()
        assert story.found == []

    @pytest.mark.parametrize(("at", "count"), [(WINDOW, 0), (WINDOW + 1, 1)])
    def test_the_case_must_start_more_than_a_window_after_the_coverage(self, at, count):
        story = Story()
        story.covered_since = [NOW, NOW]
        story.copied(story.source(at=at))
        story.effect(None, at=at + 5)
        story.effect(None, at=at + 6)
        story.settle()
        assert len(story.found) == count
        assert story.unverified["charger before_coverage"] == 1 - count

    def test_an_effect_before_every_case_is_not_in_source(self):
        story = Story()
        story.copied(story.source(at=0))
        story.effect(None, at=-WINDOW)
        story.settle()
        assert story.unverified == {"charger not_in_source": 1}


class TestUnverified:
    def test_a_position_without_a_record(self):
        story = Story()
        copy = story.copied(story.source())
        story.marker(log=1)
        story.effect(copy._replace(offset=1))
        story.settle()
        assert story.unverified == {"charger no_copy": 1}
        assert story.found == []

    def test_a_position_that_holds_another_key(self):
        """Trap 6: the audit line names another key than the record has."""
        story = Story()
        copy = story.copied(story.source())
        story.copied(story.source("other"))
        story.effect(copy, key="other")
        story.settle()
        assert story.unverified == {"charger position_mismatch": 1}
        assert (story.found, story.extra_effects) == ([], {})

    def test_a_position_from_before_reading_began(self):
        story = Story()
        story.begun[3] = 5
        copy = story.copied(story.source())
        story.effect(copy._replace(offset=4))
        story.settle()
        assert story.unverified == {"charger before_coverage": 1}

    def test_a_key_that_nobody_has(self):
        story = Story()
        story.effect(None, key="nobody")
        story.settle()
        assert story.unverified == {"charger not_in_source": 1}

    def test_effects_of_an_untrusted_extra_copy_are_no_extra_effects(self):
        story = Story()
        story.covered_since[0] = NOW
        original = story.source(at=1)
        story.effect(story.copied(original))
        story.effect(story.copied(original))
        story.settle()
        assert story.unverified["dr before_coverage"] == 1
        assert story.extra_effects == {}
