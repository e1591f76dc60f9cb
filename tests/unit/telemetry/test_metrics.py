from __future__ import annotations

from dataclasses import replace

from prometheus_client import REGISTRY

from dupscope.telemetry.metrics import Metrics, RunState

LOST = ("payments", "mirror", "to-dr")
READY = RunState(ready=True, reason="", started_at=1.0, now=2.0)


class TestMetrics:
    """What the loop changes becomes visible at once, when it is published."""

    def test_nothing_shows_before_publish(self, shape):
        """A scrape in the middle of a cycle sees the cycle before."""
        metrics = Metrics([shape], version="1")
        before = metrics.render()
        metrics.add("missing_total", LOST)
        metrics.set("index_keys", ("payments",), 5)
        assert before == metrics.render()
        metrics.publish(READY)
        text = metrics.render()[0].decode()
        assert 'dupscope_missing_total{layer="mirror",pipeline="payments",stage="to-dr"} 1.0' in text
        assert 'dupscope_index_keys{pipeline="payments"} 5.0' in text

    def test_not_ready_at_first(self, shape):
        """A process that has not finished a cycle is not ready and says so."""
        state = Metrics([shape], version="1").published.state
        assert (state.ready, state.reason) == (False, "starting")

    def test_state_and_values_are_published_together(self, shape):
        """A reader takes one reference, so page, probe and numbers are of one cycle."""
        metrics = Metrics([shape], version="1")
        metrics.add("missing_total", LOST, 3)
        metrics.publish(READY)
        published = metrics.published
        metrics.add("missing_total", LOST, 3)
        metrics.publish(replace(READY, ready=False))
        assert published.state.ready
        assert published.snapshot.sum("missing_total") == 3

    def test_grown_pipeline(self, shape):
        """Topics found while running get their series, and the page knows of them."""
        metrics = Metrics([shape], version="1")
        grown = replace(shape, topics=("payments", "refunds"))
        metrics.declare(grown)
        metrics.publish(READY)
        assert (grown,) == metrics.shapes
        assert 'stage="source",topic="refunds"} 0.0' in metrics.render()[0].decode()

    def test_nothing_is_global(self, shape):
        """Two instances in one process share nothing, nor do they use the client's registry."""
        first, second = Metrics([shape], version="1"), Metrics([shape], version="1")
        first.add("missing_total", LOST)
        first.publish(READY)
        assert second.published.snapshot.sum("missing_total") == 0
        assert not [family for family in REGISTRY.collect() if family.name.startswith("dupscope_")]
