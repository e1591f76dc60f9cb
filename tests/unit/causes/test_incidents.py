from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dupscope.causes.incidents import EXAMPLES, QUIET_SECONDS, Incidents, incidents_of
from dupscope.model.finding import Finding, Kind, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import Position

NOON = 1_700_000_000.0


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
        fingerprint="0" * 32,
        detected_at=NOON + at,
        timestamp=NOON + at - 60,
    )
    return replace(made, **changes)


class TestIncidentsOf:
    def test_nothing_is_no_incident(self):
        assert incidents_of([]) == []

    def test_what_is_close_is_one(self):
        (incident,) = incidents_of([finding(1), finding(2, 10), finding(3, 10 + QUIET_SECONDS)])

        assert (incident.count, incident.layer, incident.stage) == (3, Layer.PRODUCE, "source")
        assert incident.detected == (NOON, NOON + 10 + QUIET_SECONDS)

    def test_a_longer_silence_ends_it(self):
        one, other = incidents_of([finding(1), finding(2, QUIET_SECONDS + 0.1)])

        assert (one.count, other.count) == (1, 1)
        assert one.id != other.id

    def test_another_pipeline_stage_or_cause_is_another(self):
        others = [
            finding(2, pipeline="orders"),
            finding(3, stage="to-dr", layer=Layer.MIRROR),
            finding(4, cause="client_retry"),
        ]

        assert [incident.count for incident in incidents_of([finding(1), *others, finding(5)])] == [
            2,
            1,
            1,
            1,
        ]

    def test_own_times_are_a_range_whatever_their_order(self):
        late = finding(1, timestamp=NOON + 5)
        early = finding(2, timestamp=NOON - 7200)

        (incident,) = incidents_of([late, early])

        assert incident.occurred == (NOON - 7200, NOON + 5)

    def test_conflicting_ones_are_counted(self):
        (incident,) = incidents_of([finding(1), finding(2, kind=Kind.CONFLICTING)])

        assert (incident.count, incident.conflicting) == (2, 1)

    def test_a_few_positions_are_examples(self):
        (incident,) = incidents_of([finding(9, position=None), *map(finding, range(EXAMPLES + 2))])

        assert [position.offset for position in incident.examples] == list(range(EXAMPLES))

    def test_a_clock_that_went_back_ends_nothing(self):
        (incident,) = incidents_of([finding(1, 60), finding(2, 0), finding(3, 70)])

        assert incident.detected == (NOON + 60, NOON + 70)


class TestIncidents:
    @given(st.lists(st.tuples(st.floats(0, 2 * QUIET_SECONDS), st.sampled_from("ab"))))
    def test_what_was_named_keeps_its_name_while_more_is_found(self, steps):
        """Whatever follows, the findings so far stay in incidents of the same ids."""
        at, found = 0.0, []
        for number, (wait, stage) in enumerate(steps):
            at += wait
            found.append(finding(number, at, stage=stage))
        growing = Incidents()

        named = [growing.add(one) for one in found]

        for length in range(len(found) + 1):
            prefix = Incidents()
            assert [prefix.add(one) for one in found[:length]] == named[:length]
        assert sum(incident.count for incident in growing.all()) == len(found)
        assert [incident.id for incident in growing.all()] == list(dict.fromkeys(named))
