"""The ledger, read in any order and killed at any commit, says what complete lists say."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from dupscope.model.layer import Layer
from property.reader import Reader
from property.settings import settings_profile
from property.shapes import SHAPES
from property.world import WINDOW_MS, Scenario, Tape, World
from support.brute import Found, Oracle, Truth, Where

settings_profile()

RANDOM = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 2**32 - 1), st.integers(50, 600)
)
CHOICES = RANDOM | st.binary(min_size=20, max_size=700)
"""Long tapes find rare histories, drawn bytes shrink better."""

SCENARIOS = {
    "plain": Scenario(),
    "same_low": Scenario(same_low=True),
    "crossing": Scenario(crossing=True, partitions=3),
    "garbling": Scenario(garbling=True),
    "transactions": Scenario(transactions=True),
    "positionless": Scenario(positionless=True, disorder_ms=1),
}
DOUBTFUL = {
    "old_barriers": Scenario(real_clock=True, transactions=True, garbling=True),
    "expiring": Scenario(real_clock=True, margin_ms=100),
    "late_start": Scenario(late_start=True, real_clock=True, margin_ms=100, leaps=False),
    "late_start_leaps": Scenario(late_start=True, real_clock=True, margin_ms=100),
    "squeezed": Scenario(keys=8, memory_bytes=12_000, margin_ms=100, real_clock=True, leaps=False),
    "turning": Scenario(keys=12, memory_bytes=4_000, margin_ms=100, real_clock=True),
    "evicting": Scenario(keys=30, memory_bytes=1_500, margin_ms=100, real_clock=True, leaps=False),
    "resized": Scenario(keys=8, memory_bytes=6_000, margin_ms=100, real_clock=True, resized=True),
    "late_crossing": Scenario(late_start=True, real_clock=True, margin_ms=100, crossing=True, garbling=True),
}


class Snapshots:
    """What was true of the logs at each moment of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._oracle = Oracle(world.topology, WINDOW_MS)
        self._at: dict[int, Truth] = {}
        self.keys = {copy.key for copy in world.copies()}
        self.final = self.at(world.sequence)

    def at(self, sequence: int) -> Truth:
        if sequence not in self._at:
            copies, effects = self._world.copies(sequence), self._world.effects(sequence)
            self._at[sequence] = self._oracle.truth(copies, effects)
        return self._at[sequence]

    def once(self, key: int) -> set[Found]:
        """What was a duplicate of a key at some moment."""
        return {found for s in range(self._world.sequence + 1) for found in self.at(s).found.get(key, ())}

    def once_unverified(self) -> set[tuple[str, object]]:
        return {doubt for s in range(self._world.sequence + 1) for doubt in self.at(s).unverified}

    def repeats_by_number(self, sink: int, key: int) -> tuple[int, int]:
        """The number at the end, and what the running maxima of all cases add up to."""
        most: Counter[Where] = Counter()
        for moment in range(self._world.sequence + 1):
            for (at, one, where), count in self.at(moment).floating.items():
                if (at, one) == (sink, key):
                    most[where] = max(most[where], count)
        final = self.final.floating.items()
        return sum(n for (at, one, _), n in final if (at, one) == (sink, key)), most.total()

    def lacking(self, reader: Reader, sink: int, moment: int, *, surely: bool) -> set[tuple[int, Where]]:
        """Cases that a sink had gone past without an effect, of those that it began with while watched.

        `surely`: without those of which something could not be verified.
        """
        truth, topology = self.at(moment), self._world.topology
        since, passed = reader.state.groups[sink].since, self._world.passed(sink, moment)
        doubtful = {what[0] for stage, what in truth.unverified if stage == topology.sinks[sink].name}
        found = set()
        for case in truth.cases:
            terms = case.sinks.get(sink)
            if terms is None or terms.effects or (surely and (case.key in doubtful or case.orphans)):
                continue
            for copy in (c for line in case.lineages for log, c in line.copies.items()):
                slot = copy.where.log * self._world.scenario.partitions + copy.where.partition
                read = copy.where.log in topology.sinks[sink].reads
                if read and since[slot] <= copy.where.offset < passed[slot]:
                    found.add((case.key, case.sources[0].where))
        return found

    def ever_lacking(self, reader: Reader, sink: int) -> set[tuple[int, Where]]:
        """As `lacking`, at any moment."""
        moments = range(self._world.sequence + 1)
        return set().union(*(self.lacking(reader, sink, one, surely=False) for one in moments))

    def pairs_moved(self, key: int) -> bool:
        """Whether a finding can rest on a pair of copies that complete lists part.

        A sink that reads several logs acts on a copy and on its faithful copy: a finding that names the
        pair. A copy appended later can take the place of one of the two (by partition, or by tag where
        one was matched by number); the finding and its pair stay.
        """
        topology = self._world.topology
        if not any(len(sink.reads) > 1 for sink in topology.sinks):
            return False
        final = self.at(self._world.sequence).twins(key)
        pairs = [self.at(s).twins(key).items() for s in range(self._world.sequence)]
        return any(final.get(down) != up for some in pairs for down, up in some)

    def ever(self, found: Found, until: int, known: list[Found]) -> bool:
        """Whether a duplicate was one at some moment up to `until`.

        `known`: as what else it can be known where logs were read in part, and with them a lineage.
        """
        moments = (self.at(sequence) for sequence in range(until, -1, -1))
        return any(found in truth.all_found() or truth.known_as.keys() & known for truth in moments)


def run(shape: str, scenario: Scenario, choices: bytes) -> Reader:
    """A world that grows while it is read."""
    tape = Tape(choices)
    if shape == "append_time":
        scenario = replace(scenario, leaps=False)
    world = World(SHAPES[shape], scenario)
    if scenario.late_start:
        for _ in range(20 + tape.below(40)):
            world.step(tape)
    reader = Reader(world)
    while not tape.over:
        for _ in range(1 + tape.below(12)):
            world.step(tape)
        reader.cycle(tape)
        check_cycle(reader)
        what = tape.below(8)
        if what == 6:
            reader.keep()
        elif what == 7:
            reader.kill()
            if scenario.resized and tape.one_in(2):
                reader.resize(scenario.memory_bytes * (1 + tape.below(4)) // 2)
    world.settle()
    return reader


def check_cycle(reader: Reader) -> None:
    """What holds at any moment: the identity, and the bound on memory."""
    held = reader.ledger.held
    assert not reader.ledger.unbalanced
    assert held.book.nbytes == sum(case.nbytes for case in held.book.cases.values())
    assert held.book.nbytes <= held.retention.share.case_bytes(len(held.rows))
    assert len(held.rows) <= held.rows.capacity
    assert all(count >= 0 for count in reader.ledger.suspects().values())
    for line in reader.ledger.lines():
        assert all(sums["absorbed"] >= 0 for sums in line["sinks"].values())


def finish(reader: Reader, *, partly: bool) -> tuple[Snapshots, set[int]]:
    """Read a history to its end; whatever could be verified, this holds. Also: keys whose pairs moved."""
    snapshots = Snapshots(reader.world)
    assert reader.finish(), reader.ledger.suspects()
    assert not reader.ledger.unbalanced
    reader.found()
    moved = {key for key in snapshots.keys if snapshots.pairs_moved(key)}
    for sequence, finding in reader.notes.findings:
        one, key = reader.as_found(finding), int(finding.fingerprint[:16], 16) - 1
        countable = reader.world.scenario.positionless and finding.layer is Layer.CONSUME
        if key not in moved and not countable:
            known = [reader.as_acted(finding)] if partly and finding.ordinal else []
            assert snapshots.ever(one, sequence, known), f"false: {finding}"
    for sink, stage in enumerate(reader.world.topology.sinks):
        lacking = reader.notes.missing[stage.name] - reader.notes.recovered[stage.name]
        assert 0 <= lacking <= len(snapshots.ever_lacking(reader, sink)), stage.name
    return snapshots, moved


def check(reader: Reader) -> None:
    """What holds of a history that could be verified from its beginning to its end."""
    snapshots, moved = finish(reader, partly=False)
    sticky = {key for key in snapshots.keys if snapshots.once(key) - set(snapshots.final.found[key])}
    if sticky | moved:
        event("an upstream copy was appended after a downstream copy that it would explain")
    found = reader.found()
    for key in snapshots.keys - moved - sticky:
        for one in snapshots.final.found[key]:
            assert one in found, f"not found: {one}"
    check_lines(reader, snapshots, sticky | moved)
    if not sticky | moved:
        check_losses(reader, snapshots)
    check_repeats_by_number(reader, snapshots)


def check_lines(reader: Reader, snapshots: Snapshots, but: set[int]) -> None:
    """The terms of each case, as the ledger file has them."""
    cases, logs = {}, reader.world.topology.logs
    for case in snapshots.final.cases:
        where = case.sources[0].where
        cases[case.key, logs[where.log].cluster, where.partition, where.offset] = case
    for line in reader.ledger.lines():
        key = int(line["fingerprint"][:16], 16) - 1
        first = line["source"][0]
        case = cases[key, first["cluster_id"], first["partition"], first["offset"]]
        for index, sink in enumerate(reader.world.topology.sinks):
            sums, truth = line["sinks"][sink.name], case.sinks.get(index)
            if key in but or truth is None or not truth.effects or sums["balanced"] is None:
                continue
            assert sums["balanced"]
            terms = ("produce", "mirror", "missing", "absorbed", "consume")
            if not reader.world.scenario.positionless:
                assert {term: sums[term] for term in terms} == {term: getattr(truth, term) for term in terms}
            assert sums["extra_effects"] == truth.effects - 1 == sum(sums["origins"].values())


def check_losses(reader: Reader, snapshots: Snapshots) -> None:
    """What is missing, and how much is unverified."""
    notes, topology = reader.notes, reader.world.topology
    for mirror in topology.mirrors:
        name = topology.logs[mirror].name
        lost = sum(1 for one, _ in snapshots.final.missing if one == mirror)
        exact = not reader.world.scenario.crossing and len(topology.logs[mirror].upstream) == 1
        if exact:
            assert notes.missing[name] - notes.recovered[name] == lost, name
    for sink, stage in enumerate(topology.sinks):
        least, most = (
            len(snapshots.lacking(reader, sink, reader.world.sequence, surely=surely))
            for surely in (True, False)
        )
        lacking = notes.missing[stage.name] - notes.recovered[stage.name]
        event("an effect is missing" if least else "no effect is missing")
        assert least <= lacking <= most, stage.name
    doubts = Counter(stage for stage, _ in snapshots.final.unverified)
    once = Counter(stage for stage, _ in snapshots.once_unverified())
    for stage in {one.name for one in (*topology.logs, *topology.sinks)}:
        counted = sum(n for (name, _), n in notes.unverified.items() if name == stage)
        assert doubts[stage] <= counted <= once[stage], stage


def check_repeats_by_number(reader: Reader, snapshots: Snapshots) -> None:
    """Sinks without positions: repeats are at least those at the end, at most those at any moment."""
    if not reader.world.scenario.positionless:
        return
    names = [sink.name for sink in reader.world.topology.sinks]
    counted: Counter[tuple[int, int]] = Counter()
    for _, finding in reader.notes.findings:
        if finding.layer is Layer.CONSUME:
            counted[names.index(finding.stage), int(finding.fingerprint[:16], 16) - 1] += 1
    for sink in range(len(names)):
        for key in snapshots.keys:
            least, most = snapshots.repeats_by_number(sink, key)
            assert least <= counted[sink, key] <= most


class TestFindings:
    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(SCENARIOS)), CHOICES)
    def test_they_are_what_complete_lists_say(self, shape: str, scenario: str, choices: bytes) -> None:
        """Whatever the order of reading and the kills: none false at any cycle, none missing at the end."""
        check(run(shape, SCENARIOS[scenario], choices))

    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(DOUBTFUL)), CHOICES)
    def test_none_is_false_where_not_all_can_be_verified(
        self, shape: str, scenario: str, choices: bytes
    ) -> None:
        """Late starts, expiry, eviction, barriers that cannot be passed: less is found, nothing false."""
        finish(run(shape, DOUBTFUL[scenario], choices), partly=True)

    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(SCENARIOS)), CHOICES, CHOICES)
    def test_the_order_of_reading_changes_nothing(
        self, shape: str, scenario: str, choices: bytes, order: bytes
    ) -> None:
        """Two readers of one finished world, in other portions and orders, find the same ids."""
        world = run(shape, SCENARIOS[scenario], choices).world
        at_once, in_portions = Reader(world), Reader(world)
        tape = Tape(order)
        while not tape.over:
            in_portions.cycle(tape, grow=False)
        assert at_once.finish()
        assert in_portions.finish()
        assert ids(at_once) == ids(in_portions)

    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(SCENARIOS)), CHOICES, CHOICES)
    def test_leaving_the_norm_changes_nothing(
        self, shape: str, scenario: str, choices: bytes, order: bytes
    ) -> None:
        """Every row becomes a case in each cycle, and goes back where it can: same ids, same numbers."""
        world = run(shape, SCENARIOS[scenario], choices).world
        usual, restless = Reader(world), Reader(world)
        for reader in (usual, restless):
            tape = Tape(order)
            while not tape.over:
                reader.cycle(tape, grow=False)
                if reader is restless:
                    reader.take_up()
            assert reader.finish()
        assert ids(usual) == ids(restless)
        one, other = usual.notes, restless.notes
        assert one.unverified == other.unverified
        if not world.scenario.crossing and shape != "fan_in":  # such a pair is a witness in the norm alone
            assert one.missing - one.recovered == other.missing - other.recovered
        assert (one.extra_effects, one.extra_copies) == (other.extra_effects, other.extra_copies)


def ids(reader: Reader) -> set[str]:
    """What was found; repeats at sinks without positions and pairs by whose order was read are numbers."""
    return {finding.id for _, finding in reader.notes.findings}
