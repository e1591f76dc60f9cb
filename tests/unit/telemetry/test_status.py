from __future__ import annotations

from dupscope.model.finding import Origin
from dupscope.model.layer import Layer
from dupscope.telemetry.metrics import Metrics
from dupscope.telemetry.status import TailStatus, summarise


class TestSummarise:
    """The status says what the published metrics say."""

    def test_a_run(self, scripted):
        """Duplicates by layer, effects by origin, and what could not be verified."""
        status = summarise(scripted.shapes, scripted.version, scripted.published)
        (pipeline,) = status.pipelines
        assert tuple(pipeline.duplicates(layer) for layer in Layer) == (3, 43, 5)
        assert pipeline.extra_effects == {Origin.PRODUCE: 3, Origin.MIRROR: 6, Origin.CONSUME: 5}
        assert pipeline.unverified == 7
        assert (status.version, status.ready) == ("1.2.3", True)
        assert len(status.findings) == 1

    def test_stages(self, scripted):
        """A log shows records and coverage, a sink its audit lines and what it absorbed."""
        (pipeline,) = summarise(scripted.shapes, scripted.version, scripted.published).pipelines
        source, mirror, sink = pipeline.stages
        assert (source.records, source.conflicting) == (20_003, 3)
        assert mirror.unverified == {"before_coverage": 7}
        assert (mirror.suspects, mirror.missing) == (2, 3)
        assert mirror.coverage_start == 1_799_996_400.0
        assert (TailStatus("dr", "primary.payments", up=True, lag_records=12),) == mirror.tails
        assert (sink.records, sink.extra_copies, sink.absorbed) == (20_011, 46, 46 - 3 - 6)
        assert sink.coverage_start is None

    def test_before_the_first_cycle(self, shape):
        """A process that has read nothing has a status too."""
        metrics = Metrics([shape], version="1")
        status = summarise(metrics.shapes, metrics.version, metrics.published)
        assert (status.ready, status.ready_reason) == (False, "starting")
        assert status.pipelines[0].stages[0].coverage_start is None
