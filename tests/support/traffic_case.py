"""A case with traffic of the test's own, which knows at every moment what may be shown."""

from __future__ import annotations

from pathlib import Path

from support.agreement import differences
from support.fault_case import FaultCase, Terms, expected_of
from support.fault_table import LAYERS
from support.scenario import Lists, Log, Pipeline
from support.traffic import MIRROR, PIPELINE, SINK, Route, Traffic
from support.truth import SOURCE, Flow


class TrafficCase(FaultCase):
    """The traffic is the test's to start; `settle` stops it."""

    def __init__(self, folder: Path, route: Route, seed: int, terms: Terms) -> None:
        self.traffic = Traffic(route, folder / "audit.jsonl", seed)
        super().__init__(folder, self._pipeline(route), terms, self.traffic.tally.now)
        self._running.callback(self.traffic.close)

    def begin(self) -> None:
        """Start everything; returns when something has been planted and the program has been seen."""
        self.runs.start()
        self.watch.start()
        self.traffic.start()
        self.traffic.phase()
        self.look(5)

    def settle(self) -> Lists:
        self.traffic.stop()
        return super().settle()

    def finish_degraded(self) -> Lists:
        self.traffic.stop()
        return super().finish_degraded()

    def _check_lists(self, lists: Lists) -> None:
        """The traffic's lists, the logs themselves and the oracle agree: none of them is wrong alone."""
        super()._check_lists(lists)
        for stage, writer in ((SOURCE, self.traffic.source), (MIRROR, self.traffic.mirror)):
            assert sorted(lists.logs[stage], key=str) == sorted(writer.log, key=str), (
                f"{stage}: not as written"
            )
        planted, told = self.traffic.tally.now(), expected_of(lists)
        assert differences({name: told[name] for name in planted}, planted) == {}, "(true, planted)"
        assert {layer: lists.truth.layer(layer) for layer in LAYERS} == self.traffic.planted()

    def _pipeline(self, route: Route) -> Pipeline:
        logical = {route.mirrored: route.topic}
        flow = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, logical)
        logs = {
            SOURCE: Log("primary", route.primary, (route.topic,)),
            MIRROR: Log("dr", route.dr, (route.mirrored,)),
        }
        stages = {SINK: {"group": self.traffic.sink.group}}
        return Pipeline(PIPELINE, flow, logs, {SINK: self.traffic.sink}, stages=stages)
