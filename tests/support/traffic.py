"""Traffic through source, mirror and sink with duplicates of every layer, planted at random.

A plain producer stands in for the mirror and a list of audit lines for the sink, so that whoever plants knows
at every moment how many duplicates there are, of which layer, and where.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from support.acting import ActingSink
from support.dump import Dumped
from support.payments import now_ms
from support.tally import Tally
from support.truth import SOURCE
from support.waiting import wait_until
from support.writing import Draft, Writer

PIPELINE, MIRROR, SINK = "payments", "to-dr", "charger"
PHASE_SECONDS = 60
RECENT = 40
"""Half of what is repeated is among the latest so many; the other half may be as old as it likes."""

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Route:
    """Where traffic flows: both clusters as the traffic reaches them, and the topic. `pause` in seconds."""

    primary: str
    dr: str
    topic: str = "payments"
    partitions: int = 4
    pause: float = 0.1

    @property
    def mirrored(self) -> str:
        return f"primary.{self.topic}"


class Plan(NamedTuple):
    """How many records of a kind one round has. `rewound` is how far the mirror goes back."""

    new: int
    again: int
    other_amount: int
    at_once: int
    unkeyed: int
    rewound: int
    repeated: int

    @classmethod
    def clean(cls, draw: random.Random) -> Plan:
        return cls(draw.randint(1, 5), 0, 0, 0, draw.random() < 0.2, 0, 0)

    @classmethod
    def phase(cls, draw: random.Random) -> Plan:
        """At least one duplicate of each layer."""
        again = draw.randint(1, 3)
        others = [draw.random() < 0.3 for _ in range(3)]
        return cls(draw.randint(1, 5), again, *others, draw.randint(1, 4), draw.randint(1, 3))


class Traffic:
    """One thread writes: the caller's, by `phase`, or from `start` to `stop` a thread of its own."""

    def __init__(self, route: Route, audit: Path, seed: int) -> None:
        self.route = route
        self.tally = Tally(PIPELINE)
        self.phases = 0
        self.source = Writer(route.primary, route.topic)
        self.mirror = Writer(route.dr, route.mirrored)
        self._draw = random.Random(seed)
        self.sink = ActingSink(audit, route.dr, route.mirrored, self.tally, self._draw)
        self._known: list[Dumped] = []
        self._again: set[tuple[int, int]] = set()
        self._mirrored = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    # ------------------------------------------------------------------ who plants

    def phase(self) -> None:
        """Plant at least one duplicate of each layer; in the caller's thread if no other plants."""
        if self._thread is None:
            self._round(Plan.phase(self._draw))
            return
        self.wait_phases(self.phases + 2)

    def wait_phases(self, count: int) -> None:
        """Wait until `count` rounds in all were whole phases. The one under way may have begun before."""
        wait_until(lambda: self.check() and self.phases >= count, PHASE_SECONDS, "a phase is planted", 0.01)

    def start(self) -> None:
        """Plant from now on, about half of the rounds clean."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._thread.start()

    def stop(self) -> None:
        """Finish the round under way; the sink commits all. Raises what the thread has died of."""
        self._halt()
        self.check()
        self.sink.commit()

    def close(self) -> None:
        """End the thread, whatever became of it."""
        self._halt()
        self.sink.close()

    def _halt(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> bool:
        """True; raises what the thread has died of."""
        if self._failed is not None:
            raise RuntimeError("the traffic broke down") from self._failed
        return True

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                clean = self._draw.random() < 0.5
                self._round(Plan.clean(self._draw) if clean else Plan.phase(self._draw))
                self._stop.wait(self._draw.uniform(0, self.route.pause))
        except BaseException as error:
            self._failed = error
            raise

    # ------------------------------------------------------------------ one round

    def _round(self, plan: Plan) -> None:
        """Produce, mirror, act; whatever is repeated was there before."""
        self._produce(plan)
        self._copy(plan.rewound)
        self.sink.repeat(plan.repeated)
        self.phases += plan.repeated > 0

    def _produce(self, plan: Plan) -> None:
        fresh = [self._new() for _ in range(plan.new)]
        earlier = [self._pick(self._known) for _ in range(plan.again)] if self._known else fresh[:1]
        changed = [self._pick(self._known or fresh)] if plan.other_amount else []
        again = [self._later(one) for one in earlier] + [self._other_amount(one) for one in changed]
        again += [self._beside(one) for one in fresh[: plan.at_once]]
        self._note_produce(len(again) - len(changed), len(changed), plan.new + len(again) + plan.unkeyed)
        unkeyed = [self._without_key() for _ in range(plan.unkeyed)]
        written = self.source.append([*fresh, *again, *unkeyed])
        self._known += written[: len(fresh)]
        repeats = written[len(fresh) : len(fresh) + len(again)]
        self._again |= {(one.partition, one.offset) for one in repeats}

    def _note_produce(self, identical: int, conflicting: int, records: int) -> None:
        labels = {"layer": "produce", "stage": SOURCE, "topic": self.route.topic}
        self.tally.note("duplicates_total", identical, kind="identical", **labels)
        self.tally.note("duplicates_total", conflicting, kind="conflicting", **labels)
        self.tally.note("records_total", records, stage=SOURCE, topic=self.route.topic)
        self.tally.note("sink_extra_copies_total", identical + conflicting, stage=SINK)

    def _copy(self, rewound: int) -> None:
        """Mirror what is new; then, if asked, go back and mirror a stretch once more."""
        fresh = self.source.log[self._mirrored :]
        self._mirrored = len(self.source.log)
        self._append_copies(fresh, ["produce" if self._is_again(one) else "original" for one in fresh])
        if rewound:
            stretch = self._stretch(rewound)
            extra = sum(is_keyed(one) for one in stretch)
            labels = {"layer": "mirror", "stage": MIRROR, "topic": self.route.topic, "kind": "identical"}
            self.tally.note("duplicates_total", extra, **labels)
            self.tally.note("sink_extra_copies_total", extra, stage=SINK)
            self._append_copies(stretch, ["mirror"] * len(stretch))

    def _append_copies(self, records: Sequence[Dumped], makers: Sequence[str]) -> None:
        self.tally.note("records_total", len(records), stage=MIRROR, topic=self.route.topic)
        drafts = [Draft(one.partition, one.timestamp, one.key, one.value) for one in records]
        written = self.mirror.append(drafts)
        pairs = zip(written, makers, strict=True)
        self.sink.act([(one, maker) for one, maker in pairs if is_keyed(one)], written)

    def _stretch(self, count: int) -> list[Dumped]:
        """Records of the source one after the other, at least one of them with a key."""
        whole = self.source.log
        recent = self._draw.random() < 0.5
        end = len(whole) if recent else self._draw.randint(1, len(whole))
        begin = max(end - count, 0)
        while not any(is_keyed(one) for one in whole[begin:end]):
            begin, end = (begin - 1, end) if begin else (begin, end + 1)
        return whole[begin:end]

    # ------------------------------------------------------------------ records

    def _new(self) -> Draft:
        number = self._draw.getrandbits(60)
        return Draft(self._partition(), now_ms(), b"%d" % number, value_of(number, self._draw.randrange(999)))

    def _later(self, one: Dumped | Draft) -> Draft:
        """The same payment once more, later, half of the time in another partition."""
        partition = one.partition if self._draw.random() < 0.5 else self._partition()
        return Draft(partition, max(now_ms(), one.timestamp + 1), one.key, one.value)

    def _other_amount(self, one: Dumped | Draft) -> Draft:
        """In the original's partition, which is read in order: a kind goes by what is known by then."""
        value = json.loads(one.value or b"")
        later = self._later(one)._replace(partition=one.partition)
        return later._replace(value=value_of(value["payment_id"], value["amount"] + 1000))

    def _beside(self, one: Draft) -> Draft:
        """The same record once more, timestamp included, in the same partition or the next."""
        return one._replace(partition=(one.partition + self._draw.randrange(2)) % self.route.partitions)

    def _without_key(self) -> Draft:
        value = self._draw.choice((None, b"not json", b'{"amount": 5}', b'{"payment_id": null}'))
        return Draft(self._partition(), now_ms(), b"k", value)

    def _partition(self) -> int:
        return self._draw.randrange(self.route.partitions)

    def _pick(self, things: Sequence[Thing]) -> Thing:
        return self._draw.choice(things[-RECENT:] if self._draw.random() < 0.5 else things)

    def _is_again(self, one: Dumped) -> bool:
        return (one.partition, one.offset) in self._again

    def planted(self) -> Counter[str]:
        """Duplicates by layer."""
        return self.tally.layers()


def value_of(number: int, amount: int) -> bytes:
    return json.dumps({"payment_id": number, "amount": amount}).encode()


def is_keyed(one: Dumped) -> bool:
    """Whether the record has a payment's number; `_without_key` makes those that have none."""
    return one.key != b"k"
