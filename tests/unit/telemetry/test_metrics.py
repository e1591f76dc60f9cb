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


class TestAmended:
    """While nothing can be committed, only that shows."""

    def test_nothing_else(self, shape):
        """A state and some gauges are published; what waits for a commit is not."""
        metrics = Metrics([shape], version="1")
        metrics.add("missing_total", LOST)
        metrics.publish(READY)
        metrics.add("missing_total", LOST)
        metrics.amend(replace(READY, reason="disk full"), {"store_writable": 0.0})
        shown = metrics.published
        assert (shown.snapshot.sum("missing_total"), shown.snapshot.sum("store_writable")) == (1, 0)
        assert shown.state.reason == "disk full"
        metrics.set("store_writable", (), 1.0)
        metrics.publish(READY)
        shown = metrics.published
        assert (shown.snapshot.sum("missing_total"), shown.snapshot.sum("store_writable")) == (2, 1)

    def test_shows_no_counter_too_early(self, shape):
        """An amendment while counters are not known leaves them withheld."""
        metrics = Metrics([shape], version="1")
        metrics.are_withheld = True
        metrics.amend(READY, {"store_writable": 0.0})
        assert metrics.are_withheld
        metrics.publish(READY)
        assert not metrics.are_withheld


class TestStored:
    def test_of_the_pipelines_that_there_are(self, shape):
        """A removed pipeline leaves no series; what belongs to none goes on."""
        metrics = Metrics([shape], version="1")
        metrics.restore([
            ["missing_total", list(LOST), 4.0],
            ["missing_total", ["gone", *LOST[1:]], 5.0],
            ["store_resets_total", [], 6.0],
            ["gone_total", ["payments"], 7.0],
        ])  # fmt: skip
        metrics.publish(READY)
        assert metrics.published.snapshot.sum("missing_total") == 4
        assert metrics.published.snapshot.sum("store_resets_total") == 6

    def test_changed(self, shape):
        """What changed until it is settled, or everything."""
        metrics = Metrics([shape], version="1")
        metrics.add("missing_total", LOST, 2)
        assert metrics.has_changed
        assert metrics.changed() == [["missing_total", list(LOST), 2.0]]
        metrics.settle()
        assert (metrics.has_changed, metrics.changed()) == (False, [])
        assert ["missing_total", list(LOST), 2.0] in metrics.changed(everything=True)

    def test_raised(self, shape):
        """A counter that is kept elsewhere never falls, whatever that place says."""
        metrics = Metrics([shape], version="1")
        for value in (3.0, 1.0, 4.0, 4.0):
            metrics.raise_to("store_resets_total", (), value)
        metrics.publish(READY)
        assert metrics.published.snapshot.sum("store_resets_total") == 4
