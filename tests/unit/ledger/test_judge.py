from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from dupscope.ledger.judge import overtaken, sink_stage
from dupscope.model.finding import Reason
from dupscope.model.topology import Topology
from unit.ledger.cases import Desk
from unit.ledger.world import CHAIN, FAILOVER, NOW, NUMBERS, PAIR, WINDOW


@dataclass(frozen=True)
class Row:
    """What is observed and what every layer says.

    Copies are written `value@time/partition`, log by log; effects name a copy by log and index, or `-`
    for none. `produce`, `resent` and `consume` are numbers of duplicates, `missing` the deficit.
    """

    why: str
    source: str = ""
    mirror: str = ""
    effects: str = ""
    produce: int = 0
    resent: int = 0
    missing: int = 0
    consume: int = 0
    absorbed: int = 0
    origins: str = ""
    lost: int = 0
    topology: Topology = PAIR
    far: str = ""


TABLE = [
    Row("one of each is the norm", "a@0", "a@0", "1.0"),
    Row("a further source copy was produced", "a@0 a@9", "a@0 a@9", "1.0", produce=1, absorbed=1),
    Row("equal tags twice on both sides: produced, not mirrored", "a@0 a@0", "a@0 a@0",
        produce=1, absorbed=2),
    Row("a mirror re-sent, and the sink acted on both", "a@0", "a@0 a@0", "1.0 1.1",
        resent=1, origins="mirror"),
    Row("a mirror re-sent, and the sink absorbed it", "a@0", "a@0 a@0", "1.0", resent=1, absorbed=1),
    Row("the sink acted twice on one copy", "a@0", "a@0", "1.0 1.0", consume=1, origins="consume"),
    Row("a further source copy was acted on", "a@0 a@9", "a@0 a@9", "1.0 1.1", produce=1, origins="produce"),
    Row(
        "all three layers at once",
        "a@0 a@9",
        "a@0 a@9 a@9",
        "1.0 1.1 1.2 1.2",
        produce=1,
        resent=1,
        consume=1,
        origins="consume mirror produce",
    ),
    Row("a copy of unknown tag stands for the one in deficit", "a@0", "b@0", "1.0"),
    Row("of two of unknown tag one is too many", "a@0", "b@1 c@2", "1.0", resent=1, absorbed=1),
    Row("a copy was lost, the other came twice: totals agree, tags do not", "a@0 b@9", "b@9 b@9", "",
        produce=1, resent=1, missing=1, absorbed=2),
    Row("nothing came down", "a@0", "", "", missing=1),
    Row("nothing is upstream: never a duplicate", "", "a@0 a@0", "", lost=2),
    Row("an effect of a copy that is not in the source is not judged", "", "a@0", "1.0 1.0", lost=3),
    Row("two facts more than a window apart", f"a@0 a@{WINDOW + 1}", f"a@0 a@{WINDOW + 1}", "1.0 1.1"),
    Row("two facts, one of which the mirror re-sent", f"a@0 a@{WINDOW + 1}",
        f"a@0 a@{WINDOW + 1} a@{WINDOW + 1}", "1.0 1.1", resent=1, absorbed=1),
    Row("the same record in two partitions was produced twice", "a@0/0 a@0/1", "a@0/1 a@0/0", "1.0 1.1",
        produce=1, origins="produce"),
    Row("the lowest lineage with an effect is the one that counts", "a@0", "a@0 a@0", "1.1 1.1",
        resent=1, consume=1, absorbed=1, origins="consume"),
    Row("without positions: more effects than copies", "a@0", "a@0", "- -", consume=1, origins="consume"),
    Row("without positions: a skipped copy hides a repeat", "a@0", "a@0 a@0", "- -", resent=1,
        origins="mirror"),
    Row("without positions: nothing could be read", "a@0", "", "- -", missing=1),
    Row("failover: a copy and its faithful copy are one lineage", "a@0", "a@0", "0.0 1.0", consume=1,
        origins="consume", topology=FAILOVER),
    Row("failover: the lost copy was read in the source", "a@0", "", "0.0", missing=1, topology=FAILOVER),
    Row("chain: the extra copy of the first mirror, faithfully copied", "a@0", "a@0 a@0", "2.0 2.1",
        resent=1, origins="mirror", topology=CHAIN, far="a@0 a@0"),
    Row("chain: the second mirror re-sent", "a@0", "a@0", "2.0", resent=1, absorbed=1, topology=CHAIN,
        far="a@0 a@0"),
    Row("chain: the first mirror re-sent and the second lost one", "a@0", "a@0 a@0", "2.0", resent=1,
        missing=1, topology=CHAIN, far="a@0"),
]  # fmt: skip


def desk_of(row: Row) -> Desk:
    desk = Desk(row.topology)
    for log, text in enumerate((row.source, row.mirror, row.far)):
        for word in text.split():
            value, _, place = word.partition("@")
            at, _, partition = place.partition("/")
            desk.record(log, int(at), value, int(partition or 0))
    for index, word in enumerate(row.effects.split()):
        log, _, nth = word.partition(".")
        desk.effect(desk.of(int(log))[int(nth)] if nth else None, at=100 + index)
    return desk


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.why)
def test_every_layer_answers(row: Row):
    verdict = desk_of(row).judge()
    parts, origins = verdict.windows, []
    sinks = [part.sinks[0] for part in parts]
    for sink in sinks:
        origins += [str(origin) for origin in sink.origins.elements()]
    answers = Row(
        row.why,
        *(row.source, row.mirror, row.effects),
        produce=sum(len(part.window.sources) - 1 for part in parts),
        resent=sum(len(judged.excess) for part in parts for judged in part.mirrors.values()),
        missing=sum(len(judged.deficit) for part in parts for judged in part.mirrors.values()),
        consume=sum(len(sink.repeats) for sink in sinks),
        absorbed=sum(sink.absorbed for sink in sinks),
        origins=" ".join(sorted(origins)),
        lost=len(verdict.lost_copies) + len(verdict.lost_effects),
        topology=row.topology,
        far=row.far,
    )
    assert answers == row
    assert verdict.suspects == frozenset()


@pytest.mark.parametrize(
    "row",
    [row for row in TABLE if row.effects and row.source and "-" not in row.effects],
    ids=lambda r: r.why,
)
def test_the_identity_holds_in_every_row(row: Row):
    """C - 1 = produce + mirror - missing - absorbed + consume, where the sink reads one mirror."""
    desk = desk_of(row)
    cases = len(desk.judge().windows)
    missing = 0 if row.topology is FAILOVER else row.missing
    extra = len(row.effects.split()) - cases
    assert extra == row.produce + row.resent - missing - row.absorbed + row.consume
    assert extra == len(row.origins.split())


class TestSuspects:
    def test_nothing_waits_while_known_upstream_copies_explain_it(self):
        desk = Desk().source().mirror()
        desk.seen(judged_until=(np.zeros(6, np.int64),) * 2)
        assert desk.judge().suspects == frozenset()

    def test_a_tag_with_more_copies_downstream_waits(self):
        desk = Desk().source().source(value="other").mirror().mirror()
        desk.seen(judged_until=(np.zeros(6, np.int64),) * 2)
        assert desk.judge().suspects == {1}

    def test_a_copy_of_unknown_tag_waits(self):
        desk = Desk().source().mirror(value="rewritten")
        desk.seen(judged_until=(np.zeros(6, np.int64),) * 2)
        assert desk.judge().suspects == {1}

    def test_an_effect_waits_for_its_cycle(self):
        desk = Desk().source().mirror()
        desk.effect(desk.of(1)[0], cycle=4).effect(desk.of(1)[0], cycle=5).seen(effects_through=(4,))
        verdict = desk.judge()
        assert verdict.suspects == {sink_stage(0)}
        assert verdict.windows[0].sinks[0].repeats == []

    def test_an_effect_waits_for_the_copy_that_it_names(self):
        desk = Desk().mirror()
        desk.effect(desk.of(1)[0]).seen(judged_until=(np.zeros(6, np.int64),) * 2)
        assert desk.judge().suspects == {1, sink_stage(0)}


class TestWhyLost:
    def test_an_effect_takes_the_reason_of_its_copy(self):
        desk = Desk().source().mirror()
        desk.of(1)[0].unverified = Reason.OPEN_TRANSACTION
        desk.effect(desk.of(1)[0])
        assert [reason for _, reason in desk.judge().lost_effects] == [Reason.OPEN_TRANSACTION]


class TestOvertaken:
    @pytest.mark.parametrize(("reached", "answer"), [(0, False), (1, True)])
    def test_only_what_lies_below_the_frontier_is(self, reached, answer):
        desk = Desk().source()
        frontier = np.full(2 * NUMBERS, reached, np.int64)
        part = desk.seen(frontier=(frontier, frontier)).judge().windows[0]
        assert overtaken(desk.of(0)[0], 1, part, desk.view) is answer

    def test_not_before_the_destination_was_covered(self):
        desk = Desk().source()
        frontier = np.full(2 * NUMBERS, 9, np.int64)
        part = desk.seen(frontier=(frontier, frontier), covered_since=(None, NOW)).judge().windows[0]
        assert not overtaken(desk.of(0)[0], 1, part, desk.view)

    def test_not_in_a_log_that_loses_records_itself(self):
        desk = Desk().source()
        frontier = np.full(2 * NUMBERS, 9, np.int64)
        desk.seen(frontier=(frontier, frontier), truncated=frozenset({(1, "payments")}))
        assert not overtaken(desk.of(0)[0], 1, desk.judge().windows[0], desk.view)
