"""Removes one guard at a time from a copy of the source; each must be caught by a test.

A mutation names the file below src/dupscope, the text to replace (exactly once), and the tests that must
fail. Without mutation the same tests must pass. The work tree is never changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
LEDGER = "tests/unit/ledger/"
RECREATED = "tests/contract/test_recreation.py"

RUN = """
import sys
import pytest
import dupscope
assert dupscope.__file__.startswith(sys.argv[1]), dupscope.__file__
sys.exit(pytest.main(sys.argv[2:]))
"""
"""Runs tests against the package in the folder of its first argument."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One guard less. `tests` are modules, or `module::Class` to narrow them down."""

    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def ledger(guard: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """A mutation of the ledger, caught by its own tests."""
    return Mutation(guard, f"ledger/{file}.py", old, new, tuple(f"{LEDGER}test_{name}.py" for name in tests))


MUTATIONS = (
    ledger(
        "trap 1: a mirror waits for the logs above it",
        "barrier",
        "return self.topology.above(stage) if stage >= 0",
        "return () if stage >= 0",
        "barrier",
    ),
    ledger(
        "trap 1: a copy waits for a barrier taken after it was read",
        "view",
        "return offset_of(copy.position) < int(self.judged_until[copy.log][slot_of(copy.position)])",
        "return True",
        "barrier",
    ),
    ledger(
        "trap 1: every partition must have passed",
        "barrier",
        "return bool(np.all(positions[slots] >= barrier.ends[slots]))",
        "return bool(np.any(positions[slots] >= barrier.ends[slots]))",
        "barrier",
    ),
    ledger(
        "trap 1: a barrier is never renewed",
        "barrier",
        "        self.pending.append(barrier)",
        "        self.pending.clear()\n        self.pending.append(barrier)",
        "barrier",
    ),
    Mutation(
        "trap 2: the end of a partition moves the position past markers",
        "kafka/progress.py",
        "        self.client_position(slot, offset)",
        "        pass",
        ("tests/unit/kafka/test_progress.py",),
    ),
    Mutation(
        "trap 2: so does the client's own position",
        "kafka/progress.py",
        "self._passed[slot] = max(self._passed[slot], offset)",
        "pass",
        ("tests/unit/kafka/test_progress.py",),
    ),
    ledger(
        "trap 3: an excess from within a gap of a compacted log is no verdict",
        "lineage",
        "compacted = any(view.may_be_compacted(copy, mirror) for copy in pairing.excess)",
        "compacted = False",
        "gaps",
    ),
    ledger(
        "trap 3: and only such a one",
        "gaps",
        "return index >= 0 and timestamp_ms <= spans[index][1]",
        "return True",
        "gaps",
    ),
    Mutation(
        "trap 3: what lies between two records of a compacted topic is noticed",
        "kafka/gaps.py",
        "at = np.flatnonzero(offsets > expected)",
        "at = np.flatnonzero(offsets > expected + 1_000_000)",
        ("tests/unit/kafka/test_gaps.py",),
    ),
    ledger(
        "trap 4: copies of one tag pair one to one",
        "pairing",
        "_pair_one_tag([copy for copy in ups if copy not in gone], downs",
        "_pair_one_tag([copy for copy in ups if copy not in gone][:1], downs",
        "pairing",
    ),
    ledger(
        "trap 5: an excess needs coverage",
        "lineage",
        "    if not _covered(window, mirror, pairing, view):",
        "    if False:",
        "lineage",
    ),
    ledger(
        "trap 5: coverage starts a margin late",
        "lineage",
        "    earliest = start + view.settings.margin_ms",
        "    earliest = start",
        "lineage",
    ),
    ledger(
        "trap 5: matched by count needs a whole window more",
        "lineage",
        "        earliest += view.settings.window_ms",
        "        pass",
        "lineage",
    ),
    ledger(
        "trap 5: each copy of the case must be covered",
        "lineage",
        "    return all(copy.timestamp >= earliest for copies in window.copies for copy in copies)",
        "    return any(copy.timestamp >= earliest for copies in window.copies for copy in copies)",
        "lineage",
    ),
    ledger(
        "trap 5: eviction moves the coverage start",
        "holdings",
        "return start if evicted is None else evicted",
        "return start",
        "retention",
    ),
    ledger(
        "trap 5: what would begin a case too late is expired",
        "intake",
        "        if begins and copy.timestamp < held.edge.floor:",
        "        if False:",
        "intake",
    ),
    ledger(
        "trap 5: copies below the edge are expired",
        "screen",
        "        order = order[batch.timestamp[order] >= edge.edge]",
        "        order = order[:]",
        "intake",
        "screen",
    ),
    ledger(
        "trap 6: a position that holds another key",
        "holdings",
        "return Reason.POSITION_MISMATCH if self._holds(position) else Reason.NO_COPY",
        "return Reason.NO_COPY",
        "consume",
    ),
    Mutation(
        "trap 6: a null in JSON is no key",
        "fingerprint/scalar.py",
        'case b"n":',
        'case b"\\0":',
        ("tests/unit/fingerprint/test_scalar.py", "tests/unit/fingerprint/test_extract.py"),
    ),
    Mutation(
        "trap 6: an absent key is no key",
        "fingerprint/extract.py",
        "keyed = np.fromiter((isinstance(source, bytes) for source in column), np.bool_, len(column))",
        "keyed = np.ones(len(column), np.bool_)",
        ("tests/unit/fingerprint/test_extract.py", "tests/unit/fingerprint/test_columns.py"),
    ),
    Mutation(
        "trap 7: after a fetch the topic ids are asked again",
        "kafka/tail.py",
        "if fetched and not self._confirm(fetched.topics):",
        "if False:",
        (RECREATED,),
    ),
    Mutation(
        "trap 7: what was fetched under an incarnation that is over is dropped",
        "kafka/tail.py",
        "read = self._passed(self._kept(fetched))",
        "read = self._passed(fetched)",
        (RECREATED,),
    ),
    Mutation(
        "trap 7: what cannot be confirmed is withheld",
        "kafka/tail.py",
        "            self._withheld = fetched",
        "            read = self._passed(fetched)",
        (RECREATED,),
    ),
    Mutation(
        "trap 7: a barrier is for the topic that is read, not for its namesake",
        "app/tails.py",
        "self._table[slot].topic_id != topic_id",
        "False",
        ("tests/kafka/test_deleted_topics.py::TestCreatedAgain",),
    ),
    Mutation(
        "trap 7: no barrier waits for what nobody can read any more",
        "app/tails.py",
        "        column[[slot for state in self._states() for slot in state.retired]] = PASSED",
        "        pass",
        ("tests/unit/app/test_tails.py",),
    ),
    ledger(
        "trap 7: an effect on the deleted namesake of a topic finds its record",
        "ledger",
        "if self.held.partitions.recreated:",
        "if False:",
        "ledger",
    ),
    Mutation(
        "trap 8: what was added while running is read from its start",
        "kafka/tail.py",
        "start = Start() if self._was_opened else self._settings.start",
        "start = self._settings.start",
        ("tests/contract/test_moving.py::TestGrowth",),
    ),
    Mutation(
        "trap 8: downstream waits until upstream has discovered it",
        "app/tails.py",
        "        if self._grown:\n            return None",
        "        pass",
        ("tests/unit/app/test_tails.py",),
    ),
    ledger(
        "trap 8: what a partition holds that was added just now is not too late",
        "edge",
        "passed = int(newest.min()) if enumerated_ms is None else min(int(newest.min()), enumerated_ms)",
        "passed = int(newest.min())",
        "intake",
    ),
    ledger(
        "trap 5: nothing is said of a key of which a copy came too late",
        "screen",
        "            self.rows.state[self._append(batch, picked)] = CASE",
        "            pass",
        "intake",
    ),
    ledger(
        "trap 9: in the norm a mirror's copy descends from the source that it copies",
        "screen",
        "            fits &= rows.position[source][slots] == 0",
        "            pass",
        "lineage",
        "screen",
    ),
    ledger(
        "trap 9: a mirror is explained by its own sources only",
        "windows",
        "for log in view.topology.logs[mirror].upstream for copy in self.copies[log]",
        "for log in view.topology.sources for copy in self.copies[log]",
        "lineage",
    ),
    ledger(
        "trap 9: a source copy in another source is a produce duplicate",
        "windows",
        "sorted((c for c in case.copies if view.topology.is_source(c.log)), key=view.order)",
        "sorted((c for c in case.copies if c.log == 0), key=view.order)",
        "lineage",
    ),
    ledger(
        "trap 10: a case holds so many copies",
        "intake",
        "if len(case.copies) >= held.settings.case_limit and not held.prune(case, concluder.view):",
        "if False:",
        "intake",
    ),
    ledger(
        "trap 10: of a hot key nothing downstream is judged",
        "conclude",
        "            doubt = Reason.HOT_KEY if case.hot else judged.doubt",
        "            doubt = judged.doubt",
        "intake",
    ),
    ledger(
        "trap 10: nor is anything missing",
        "conclude",
        "        if not case.hot:\n            self._missing",
        "        if True:\n            self._missing",
        "conclude",
    ),
    ledger(
        "sticky excess",
        "lineage",
        "free = [copy for copy in known if not copy.excess and copy.unverified not in CLOSED]",
        "free = [copy for copy in known if copy.unverified not in CLOSED]",
        "conclude",
        "lineage",
    ),
    ledger(
        "pairing by partition",
        "pairing",
        "        _zip(group, below.get(number, []), result)",
        "        pass",
        "pairing",
    ),
    ledger(
        "windows are made by source copies only",
        "windows",
        "sorted((c for c in case.copies if view.topology.is_source(c.log)), key=view.order)",
        "sorted(case.copies, key=view.order)",
        "windows",
    ),
    ledger(
        "a downstream copy takes the window of its tag",
        "windows",
        "        if known is not None:",
        "        if False:",
        "windows",
    ),
    ledger(
        "the original is the first of the log, not of the reading",
        "windows",
        "key=view.order)\n    result = Cut",
        "key=lambda copy: 0)\n    result = Cut",
        "windows",
        "lineage",
    ),
    ledger(
        "origins only grow",
        "conclude",
        "        left = judged.origins.total() - given.total()",
        "        left = judged.origins.total()",
        "conclude",
    ),
    ledger(
        "equal effect_id is one effect",
        "consume",
        "(effect.effect_id and effect.effect_id in seen)",
        "False",
        "consume",
    ),
    ledger(
        "a sink's effects wait for a barrier of their own",
        "consume",
        "        if effect.cycle <= view.effects_through[sink]:",
        "        if True:",
        "consume",
        "judge",
    ),
    ledger(
        "kind of a mirror's copy is against every upstream copy",
        "conclude",
        "payloads = {copy.content & VALUE_MASK for copy in part.window.above(mirror, self.view)}",
        "payloads = {copy.content & VALUE_MASK for copy in part.window.above(mirror, self.view)[:1]}",
        "conclude",
    ),
    ledger(
        "kind compares payloads",
        "conclude",
        "return Kind.IDENTICAL if copy.content & VALUE_MASK in payloads else Kind.CONFLICTING",
        "return Kind.IDENTICAL",
        "conclude",
    ),
    ledger(
        "an expected effect: nor where one may have been given up",
        "expected",
        "gone_past & ~doubtful & self._is_covered",
        "gone_past & self._is_covered",
        "expected",
    ),
    ledger(
        "an expected effect: only what the group went past is missing",
        "expected",
        "(offset < passed.high[partition])",
        "(offset >= 0)",
        "expected",
    ),
    ledger(
        "an expected effect: nor what it went past before it was watched",
        "expected",
        "traced & (offset >= passed.low[partition])",
        "traced",
        "expected",
    ),
    ledger(
        "an expected effect: nor near the coverage start",
        "expected",
        "max(start + window, earliest)",
        "earliest",
        "expected",
    ),
    ledger(
        "an expected effect: nor what is about to be forgotten",
        "expected",
        "earliest = max(view.edge - 1, view.expected_after(sink))",
        "earliest = view.expected_after(sink)",
        "expected",
    ),
    ledger(
        "an expected effect: nor while one waits for its record",
        "expected",
        "& ~np.isin(slots, awaited)",
        "",
        "expected",
    ),
    ledger(
        "an expected effect: nor where one could not be verified",
        "judge",
        "judged.effects or judged.unplaced or original.redriven",
        "judged.effects or original.redriven",
        "expected",
    ),
    ledger(
        "an expected effect: what came after all is recovered",
        "conclude",
        "for copy in counted if judged.effects else counted[1:]:",
        "for copy in counted[1:]:",
        "expected",
    ),
    Mutation(
        "an expected effect: commits count once the audit log was read to a later moment",
        "app/groups.py",
        "complete_ms is not None and complete_ms >= self._pending[0]",
        "complete_ms is not None",
        ("tests/unit/app/test_groups.py",),
    ),
    Mutation(
        "a commit that moved back is known across restarts",
        "app/groups.py",
        'self._gone_past, self._last = tree["gone_past"], tree["last"]',
        "pass",
        ("tests/unit/app/test_groups.py",),
    ),
    Mutation(
        "a commit in a topic that was created again may be one of its namesake",
        "app/groups.py",
        "return bool(self._table.earlier(slot)) and offset > int(passed[slot])",
        "return False",
        ("tests/unit/app/test_groups.py",),
    ),
    ledger(
        "missing (a): a witness lies in the same partition number",
        "frontier",
        "        same = numbers[split(above)[0]] == numbers[split(below)[0]]",
        "        same = np.ones(len(above), np.bool_)",
        "frontier",
    ),
    ledger(
        "missing (a): also among several copies",
        "frontier",
        "and view.number(one) == view.number(other)",
        "",
        "frontier",
    ),
    ledger(
        "missing (b): the destination was read to its end since",
        "barrier",
        "                if not self._read_to(barrier, mirror, positions):\n                    break",
        "                pass",
        "frontier",
    ),
    ledger(
        "missing (c): the witness is covered",
        "frontier",
        "            slots = slots[self._rows.timestamp(slots) >= covered_from]",
        "            pass",
        "frontier",
    ),
    ledger(
        "missing (c): a case matched by count is covered as a whole",
        "judge",
        "concerned = part.window.sources if part.mirrors[mirror].by_count else [copy]",
        "concerned = [copy]",
        "frontier",
    ),
    ledger(
        "missing (d): not in a log that loses records itself",
        "judge",
        "    if view.is_truncated(copy, mirror) or not passed:",
        "    if not passed:",
        "judge",
    ),
    ledger(
        "a copy closed unjudged still stands for its upstream copy",
        "lineage",
        "    if any(copy.unverified in CLOSED for copy in known):",
        "    if False:",
        "barrier",
    ),
    ledger(
        "not in the source is counted once",
        "casebook",
        "            if alone and rows.state[slot] & unexplained(copy.log):",
        "            if False:",
        "orphans",
    ),
    ledger(
        "trap 11: a position that is read again never counts",
        "intake",
        "if any(known.position == copy.position and known.content == copy.content for known in case.copies):",
        "if False:",
        "intake",
    ),
    ledger(
        "intent: a record that says it is a replay is no duplicate",
        "conclude",
        "reason = REDRIVE if copy.redriven else self.view.declared(stage, copy.timestamp)",
        "reason = self.view.declared(stage, copy.timestamp)",
        "conclude",
    ),
    ledger(
        "intent: the mark is kept in the norm",
        "casebook",
        "copy.redriven = bool(rows.state[slot] & REDRIVEN)",
        "copy.redriven = False",
        "conclude",
    ),
    ledger(
        "intent: a mirror cannot excuse its own copies by the record's mark",
        "intake",
        "redriven=origin and batch",
        "redriven=batch",
        "conclude",
    ),
    ledger(
        "intent: a declared repeat of an effect is no duplicate",
        "conclude",
        "        if repeat.effect.intended is not None:",
        "        if False:",
        "conclude",
    ),
    Mutation(
        "intent: a declared replay covers its own time only",
        "model/replay.py",
        "self.from_ms <= timestamp_ms < self.to_ms",
        "True",
        ("tests/unit/model/test_replay.py",),
    ),
    ledger(
        "effects on a copy without source are lost with it",
        "orphans",
        "            self._close_effects(mirror, slots, reason, outcome)",
        "            pass",
        "orphans",
    ),
    ledger(
        "extra copies count once the sink has gone past them",
        "conclude",
        "if lineage.trusted and self._passed(sink, lineage))",
        "if lineage.trusted)",
        "conclude",
    ),
    ledger(
        "a sane timestamp is at most five minutes ahead",
        "edge",
        "        sane = batch.timestamp <= now_ms + FUTURE_MS",
        "        sane = batch.timestamp <= now_ms + (1 << 60)",
        "edge",
    ),
    ledger(
        "a barrier that cannot pass is given up",
        "ledger",
        "cycle.now_ms - barrier.taken_ms <= self.held.settings.window_ms",
        "True",
        "barrier",
    ),
    Mutation(
        "store: a value is what was written at its place",
        "store/frame.py",
        "if blob[len(_MAGIC) + 1 : _HEADER_BYTES] != _checksum(payload, place):",
        "if False:",
        ("tests/unit/store/test_frame.py",),
    ),
    Mutation(
        "store: the journal has no gap",
        "store/contents.py",
        "if seq != expected:",
        "if False:",
        ("tests/unit/store/test_store.py",),
    ),
    Mutation(
        "store: a block is the one of the last checkpoint",
        "store/contents.py",
        "if checksum_of(body) != checksum:",
        "if False:",
        ("tests/unit/store/test_store.py",),
    ),
    Mutation(
        "store: commits that are gone are noticed",
        "store/store.py",
        "        self._witness.note(self._seq)",
        "        pass",
        ("tests/faults/test_damage.py::TestGoesOn",),
    ),
    Mutation(
        "start: a replayed cycle concludes what it concluded then",
        "app/watch.py",
        "if outcome_digest(outcome) != entry.outcome:",
        "if False:",
        ("tests/unit/app/test_watch.py",),
    ),
    Mutation(
        "start: a finding that is known does not count again",
        "app/commits.py",
        "if finding.id not in known)",
        "if True)",
        ("tests/faults/test_damage.py::TestGoesOn",),
    ),
    Mutation(
        "start: what is read again begins at 0",
        "app/restore.py",
        "self._metrics.restart(watch.settings.name, findings=True)",
        "pass",
        ("tests/faults/test_damage.py::TestGoesOn",),
    ),
    Mutation(
        "clock: a jump counts only once it has lasted",
        "app/clock.py",
        "return now - self._jumped_at >= min(width, LASTING_SECONDS)",
        "return True",
        ("tests/unit/app/test_clock.py",),
    ),
)


def mutated(mutation: Mutation, into: Path) -> str | None:
    """Copy the source with one guard less; what is wrong with the mutation, if anything."""
    shutil.copytree(ROOT / "src", into / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = into / "src/dupscope" / mutation.file
    text = path.read_text()
    found = text.count(mutation.old)
    if found != 1:
        return f"text found {found} times in {mutation.file}"
    path.write_text(text.replace(mutation.old, mutation.new))
    return None


def tests_pass(tests: tuple[str, ...], source: Path) -> tuple[bool, str]:
    """Run tests against a source folder; whether they pass, and what pytest said."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(source), *options, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest could not run {' '.join(tests)}:\n{said}")
    return done.returncode == 0, said


def verdict(mutation: Mutation) -> str:
    """`killed`, `survived`, or what is wrong with the mutation."""
    with tempfile.TemporaryDirectory(prefix="dupscope-mutant-") as folder:
        wrong = mutated(mutation, Path(folder))
        if wrong is not None:
            return wrong
        passed, _ = tests_pass(mutation.tests, Path(folder) / "src")
        return "survived" if passed else "killed"


def main() -> int:
    """Judge the mutations whose guard contains the argument; all without one."""
    started = time.monotonic()
    wanted = " ".join(sys.argv[1:])
    chosen = [mutation for mutation in MUTATIONS if wanted in mutation.guard]
    tests = tuple(sorted({test for mutation in chosen for test in mutation.tests}))
    passed, said = tests_pass(tests, ROOT / "src")
    if not passed:
        print(said, "\nThe tests must pass before a guard is removed.", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(WORKERS) as pool:
        verdicts = list(pool.map(verdict, chosen))
    for mutation, said in zip(chosen, verdicts, strict=True):
        print(f"{said:9} {mutation.guard}")
    killed = verdicts.count("killed")
    print(f"{killed} of {len(chosen)} killed in {time.monotonic() - started:.0f} s")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
