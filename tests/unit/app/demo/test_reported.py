from __future__ import annotations

from dupscope.app.demo.reported import SETTLED_SECONDS, Read, Sample, Settling, parse, read, reported, total
from dupscope.model.layer import Layer
from support.clock import ManualClock

EXPOSITION = """\
# HELP dupscope_duplicates_total Unintended duplicates
# TYPE dupscope_duplicates_total counter
dupscope_duplicates_total{pipeline="p",layer="produce",stage="source",topic="t",kind="identical"} 3.0
dupscope_duplicates_total{pipeline="p",layer="produce",stage="source",topic="t",kind="conflicting"} 1.0
dupscope_duplicates_total{pipeline="p",layer="mirror",stage="to-dr",topic="t",kind="identical"} 5.0
dupscope_duplicate_effects_total{pipeline="p",stage="charger",origin="mirror"} 2.0
dupscope_unverified_total{pipeline="p",layer="mirror",stage="to-dr",reason="expired"} 1.0
python_info{version="3"} 1.0
"""


def sample(suspects: int = 0, copies: int = 5, duplicates: int = 1) -> Sample:
    return parse(
        f'dupscope_records_total{{stage="source"}} 4.0\n'
        f'dupscope_records_total{{stage="to-dr"}} {copies}.0\n'
        f'dupscope_audit_lines_total{{stage="charger"}} 6.0\n'
        f'dupscope_suspects{{stage="to-dr"}} {suspects}.0\n'
        f'dupscope_duplicates_total{{layer="mirror"}} {duplicates}.0\n'
    )


class TestReported:
    def test_sums(self) -> None:
        """Kinds, topics and stages are summed; a layer without a series has none."""
        said = reported(parse(EXPOSITION))
        assert said.duplicates == {Layer.PRODUCE: 4, Layer.MIRROR: 5, Layer.CONSUME: 0}
        assert said.effects == {Layer.PRODUCE: 0, Layer.MIRROR: 2, Layer.CONSUME: 0}
        assert said.unverified == 1

    def test_only_dupscope(self) -> None:
        """Series of others are left out."""
        assert {name for name, _ in parse(EXPOSITION)} == {
            "duplicates_total",
            "duplicate_effects_total",
            "unverified_total",
        }

    def test_total_by_labels(self) -> None:
        """Labels choose the series."""
        assert total(parse(EXPOSITION), "duplicates_total", layer="produce", kind="conflicting") == 1


class TestRead:
    def test_read(self) -> None:
        """What was read: the source, everything that is not the source, the audit file."""
        assert read(sample()) == Read(source=4, mirror=5, audit=6)


class TestSettling:
    there = Read(source=4, mirror=5, audit=6)

    def test_needs_time(self, manual_clock: ManualClock) -> None:
        """A number counts only after it has not changed for a while."""
        settling = Settling(self.there, sample(), manual_clock)
        assert not settling.is_settled(sample())
        manual_clock.now += SETTLED_SECONDS
        assert settling.is_settled(sample())

    def test_change_begins_anew(self, manual_clock: ManualClock) -> None:
        """A number that changes begins the time anew."""
        settling = Settling(self.there, sample(), manual_clock)
        manual_clock.now += 20
        assert not settling.is_settled(sample(duplicates=2))
        manual_clock.now += SETTLED_SECONDS
        assert settling.is_settled(sample(duplicates=2))
        assert settling.said.duplicates[Layer.MIRROR] == 2

    def test_suspects_and_unread_records(self, manual_clock: ManualClock) -> None:
        """While it suspects something, or has not read everything, nothing is settled."""
        settling = Settling(self.there, sample(), manual_clock)
        for other in (sample(suspects=1), sample(copies=4)):
            manual_clock.now += 20
            assert not settling.is_settled(other)
        assert not settling.is_settled(sample())
