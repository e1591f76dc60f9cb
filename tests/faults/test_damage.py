"""A store that is not what was written: it goes on as it was, or is set aside; nothing else, and no crash."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from dupscope.config.settings import Config
from dupscope.model.errors import StoreError
from dupscope.model.finding import Finding
from dupscope.model.plain import equal
from dupscope.store.database import PAGE_BYTES
from support import damage
from support.fault_case import often
from support.restarts import Copies, Start, started
from unit.app.conftest import Online

LIVES = 7
ORDERLY = 3
"""The life that ends in order, so that a checkpoint comes; each of the others is killed after two commits."""

FORMAT_NUMBER = range(60, 64)
"""Bytes of the header that hold the number of the format: a higher one is refused, not damage."""


class Kill(BaseException):
    """Ends a life where it stands."""


@dataclass
class Content:
    """What a start takes from a folder. `reset` means that it was set aside, `counted` what was kept then."""

    reset: bool
    counted: dict[tuple[str, tuple[str, ...]], float]
    findings: list[Finding]
    ledgers: list[object]
    number: int
    published: int

    @classmethod
    def of(cls, start: Start) -> Content:
        salvage = start.restored.salvage
        findings = start.findings if salvage is None else [new.finding for new in salvage.findings]
        ledgers = start.ledgers if salvage is None else []
        return cls(
            salvage is not None,
            start.counted,
            findings,
            ledgers,
            start.restored.number,
            start.restored.published,
        )

    def is_same(self, other: Content) -> bool:
        mine = (self.reset, self.counted, self.findings, self.number, self.published)
        its = (other.reset, other.counted, other.findings, other.number, other.published)
        return mine == its and equal(self.ledgers, other.ledgers)


@dataclass
class History:
    """A folder as it was after every commit of several lives, and what was in it. `spare` is for damage."""

    config: Config
    copies: list[Path]
    spare: Path
    truth: list[Content]

    def spoiled(self, number: int) -> Path:
        """A copy of the folder after a commit."""
        shutil.rmtree(self.spare, ignore_errors=True)
        shutil.copytree(self.copies[number], self.spare)
        return self.spare

    def content(self, folder: Path) -> Content:
        with started(self.config, folder) as start:
            return Content.of(start)

    def start(self, folder: Path) -> Start | None:
        """None where the number of the format was hit, so that it is refused; it has to be closed."""
        try:
            return Start(self.config, folder)
        except StoreError as error:
            if "newer dupscope" not in str(error):
                raise
        return None


class Lives:
    """Lives of the program one after the other, each with more to read."""

    def __init__(self, online: Online) -> None:
        self.online = online
        self.copies = Copies(online.folder / "state", online.folder / "copies")
        self._left = 0

    def live(self, number: int) -> None:
        first = 100 * number
        records = (*range(first, first + 60), first + 4, first + 7, 2)
        self.online.produce(*records)
        self.online.mirror(*records, first + 9)
        with self.online.audit.open("a") as file:
            file.writelines(self.online.effect(n, 0) for n in range(3))
        self._left = -1 if number == ORDERLY else 2
        with started(self.online.config(), self.online.folder / "state", self._step) as start:
            try:
                start.to_the_end()
            except Kill:
                return

    def _step(self, name: str) -> None:
        self.copies(name)
        self._left -= name == "commit.done"
        if name == "commit.done" and not self._left:
            raise Kill


@pytest.fixture(scope="module")
def online(tmp_path_factory):
    pipeline = Online(tmp_path_factory.mktemp("damage"))
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def history(online) -> History:
    (online.folder / "copies").mkdir()
    lives = Lives(online)
    for number in range(LIVES):
        lives.live(number)
    history = History(online.config(), lives.copies.all, online.folder / "spare", [])
    history.truth += [history.content(history.spoiled(number)) for number in range(len(history.copies))]
    return history


@pytest.fixture(scope="module")
def whole(history, online) -> Content:
    """What there is to find, by one life without a fault."""
    with started(history.config, online.folder / "whole") as start:
        start.to_the_end()
        return Content.of(start)


def assert_salvage(history: History, content: Content, what: str) -> None:
    """What was kept of a store that was set aside is part of what was there at some commit."""
    all_findings = history.truth[-1].findings
    assert [each for each in content.findings if each not in all_findings] == [], what
    assert len({each.id for each in content.findings}) == len(content.findings), what
    counted = sum(value for (name, _), value in content.counted.items() if name == "duplicates_total")
    assert counted == len(content.findings), what
    assert not [name for name, _ in content.counted if name in COUNTERS and name != "duplicates_total"], what


class TestNeverAnythingElse:
    def test_the_database(self, history, seed):
        """After any damage the content is that of a commit, or the store is set aside."""
        draw, seen = random.Random(seed), Counter()
        for turn in range(often(200)):
            number = draw.randrange(1, len(history.copies))
            way = damage.flip if turn % 2 else draw.choice(damage.EVERY)
            folder = history.spoiled(number)
            what = f"after commit {number}: {way(folder, draw)}"
            start = history.start(folder)
            if start is None:
                continue
            content = Content.of(start)
            start.close()
            if content.reset:
                assert_salvage(history, content, what)
                seen["reset"] += 1
            else:
                same = [at for at, truth in enumerate(history.truth) if truth.is_same(content)]
                assert same, what
                assert min(same) <= number, what
                assert max(same) >= number or way in damage.OF_LOG, what
                seen["same"] += max(same) >= number
        assert seen["reset"] > 20, seen
        assert seen["same"] > 10, seen

    def test_the_bits_of_the_header(self, history, seed):
        """It goes on and can be written, or is set aside; only a number of a later format is refused."""
        folder = history.spoiled(len(history.copies) - 1)
        history.content(folder)
        stopped = damage.database(folder).read_bytes()
        for bit in range(seed % 3, 8 * damage.HEADER_BYTES, 3):
            content = bytearray(stopped)
            content[bit // 8] ^= 1 << bit % 8
            damage.database(folder).write_bytes(content)
            start = history.start(folder)
            assert start or bit // 8 in FORMAT_NUMBER, bit
            if start is not None:
                taken = Content.of(start)
                assert taken.reset or taken.is_same(history.truth[-1]), bit
                assert taken.reset or is_writable(damage.database(folder)), bit
                start.close()

    def test_pages_of_another_time(self, history, seed):
        """Writes that never reached the disk, although it said so: some pages are older, or newer."""
        draw, seen = random.Random(seed), Counter()
        images = []
        for number in range(1, len(history.copies)):
            folder = history.spoiled(number)
            history.content(folder)
            images.append(damage.database(folder).read_bytes())
        for _ in range(often(100)):
            one, other = draw.sample(range(len(images)), 2)
            mixed, pages = mix(images[one], images[other], draw)
            damage.database(history.spoiled(1)).write_bytes(mixed)
            damage.remove_log(history.spare, draw)
            content = history.content(history.spare)
            what = f"pages {pages} of commit {other + 1} in commit {one + 1}"
            assert content.reset or any(truth.is_same(content) for truth in history.truth), what
            seen["reset" if content.reset else "same"] += 1
        assert seen["reset"] > 10, seen


def is_writable(path: Path) -> bool:
    """Whether something can be changed; nothing is."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM journal")
        connection.execute("ROLLBACK")
    return True


def mix(one: bytes, other: bytes, draw: random.Random) -> tuple[bytes, list[int]]:
    """The one file with some pages of the other where they differ."""
    mixed = bytearray(one)
    places = range(0, min(len(one), len(other)), PAGE_BYTES)
    differing = [at for at in places if one[at : at + PAGE_BYTES] != other[at : at + PAGE_BYTES]]
    chosen = draw.sample(differing, draw.randint(min(1, len(differing)), len(differing)))
    for at in chosen:
        mixed[at : at + PAGE_BYTES] = other[at : at + PAGE_BYTES]
    return bytes(mixed), [at // PAGE_BYTES for at in sorted(chosen)]


class TestGoesOn:
    @pytest.mark.parametrize("way", damage.EVERY, ids=lambda way: way.__name__)
    def test_to_the_end(self, history, whole, way, seed):
        """After any damage all is found in the end, nothing else, and what was known is not told twice.

        Counters never fall below what was kept of them, and end where they end without damage.
        """
        draw = random.Random(seed)
        number = draw.randrange(3, len(history.copies))
        folder = history.spoiled(number)
        if way in damage.OF_DATABASE:
            damage.remove_log(folder, draw)
        what = f"after commit {number}: {way(folder, draw)}"
        start = history.start(folder)
        if start is None:
            return
        try:
            before = Content.of(start)
            resets = start.store.resets
            start.to_the_end()
            after = Content(False, start.counted, start.findings, [], 0, 0)
            logged = Counter(start.log.ids)
        finally:
            start.close()
        assert sorted(each.id for each in after.findings) == sorted(each.id for each in whole.findings), what
        assert max(logged.values(), default=0) <= 1, what
        assert resets == before.reset, what
        holes = {labels[1:] for (name, labels) in after.counted if name == "coverage_holes_total"}
        assert holes == ({("source", "state_lost"), ("to-dr", "state_lost")} if before.reset else set()), what
        assert all(after.counted.get(name, 0) >= value for name, value in counters(before).items()), what
        assert {name: after.counted.get(name) for name in exact(whole)} == exact(whole), what
        assert history.content(folder).reset is False, what

    def test_side_effects_are_counted_once(self, history, whole):
        """Where counters and findings are intact."""
        folder = history.spoiled(len(history.copies) - 1)
        with closing(sqlite3.connect(damage.database(folder), isolation_level=None)) as connection:
            connection.execute("DELETE FROM blocks")
        with started(history.config, folder) as start:
            assert Content.of(start).reset
            start.to_the_end()
            counted = Content.of(start).counted
        effects = {
            name: value for name, value in whole.counted.items() if name[0] == "duplicate_effects_total"
        }
        assert {name: counted[name] for name in effects} == effects

    def test_killed_before_anything_was_written_anew(self, history, whole):
        """Damage, a kill at the worst moment, a start: as if it had not been killed."""
        folder = history.spoiled(len(history.copies) - 1)
        damage.remove_log(folder, random.Random())
        content = bytearray(damage.database(folder).read_bytes())
        content[PAGE_BYTES * 2 :] = content[PAGE_BYTES * 2 : -PAGE_BYTES]
        damage.database(folder).write_bytes(content)
        kept = [history.content(folder) for _ in range(3)]
        assert [each.reset for each in kept] == [True] * 3
        assert all(each.findings == kept[0].findings for each in kept)
        with started(history.config, folder) as start:
            assert start.store.resets == 1
            start.to_the_end()
            assert {each.id for each in start.findings} == {each.id for each in whole.findings}

    def test_an_earlier_commit_after_a_lost_log(self, history, whole, seed):
        """What came since is read and counted again: the same numbers in the end."""
        number = random.Random(seed).randrange(len(history.copies) - 4, len(history.copies))
        folder = history.spoiled(number)
        damage.remove_log(folder, random.Random())
        with started(history.config, folder) as start:
            assert not Content.of(start).reset
            assert start.store.lost_commits > 0
            start.to_the_end()
            assert exact(Content.of(start)) == exact(whole)


COUNTERS = ("records_total", "duplicates_total", "duplicate_effects_total", "sink_extra_copies_total")


def counters(content: Content) -> dict[tuple[str, tuple[str, ...]], float]:
    """Counters of a content, by name and labels."""
    return {name: value for name, value in content.counted.items() if name[0].endswith("_total")}


def exact(content: Content) -> dict[tuple[str, tuple[str, ...]], float]:
    """Counters that go by what lies in the logs, whenever it was read."""
    return {name: value for name, value in content.counted.items() if name[0] in COUNTERS}
