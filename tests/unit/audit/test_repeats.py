from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dupscope.audit import repeats
from dupscope.audit.repeats import FORGET_MS, FileEnds, RecentLines
from dupscope.model.plain import equal

DAY = 24 * 3600 * 1000


class Agent:
    """Ships the lines of files in order, from a place that it knows again after a kill: any earlier one."""

    def __init__(self, files: dict[str, list[int]]) -> None:
        self.files = files
        self.at = dict.fromkeys(files, 0)

    def ship(self, draw: random.Random, most: int) -> list[tuple[str, int]]:
        """Some lines more, the files interleaved."""
        sent = []
        for _ in range(draw.randrange(most + 1)):
            file = draw.choice(list(self.files))
            if self.at[file] < len(self.files[file]):
                sent.append((file, self.files[file][self.at[file]]))
                self.at[file] += 1
        return sent

    def die(self, draw: random.Random) -> None:
        """What it had noted lies anywhere behind."""
        for file, at in self.at.items():
            self.at[file] = draw.randint(max(0, at - 5), at)


def ends_of(draw: random.Random, lines: int) -> list[int]:
    ends, end = [], 0
    for _ in range(lines):
        end += draw.randint(1, 50)
        ends.append(end)
    return ends


def resumed(known: FileEnds) -> FileEnds:
    again = FileEnds()
    again.resume(known.tree())
    assert equal(again.tree(), known.tree())
    return again


class TestFileEnds:
    @given(st.integers(0, 1 << 32), st.integers(1, 4), st.booleans())
    def test_an_agent_that_is_killed_anywhere_is_heard_once(self, seed, partitions, grows):
        """Each line is new once, in the order of its file, over kills of the agent and of the reader."""
        draw = random.Random(seed)
        files = {f"f{number}": ends_of(draw, draw.randint(1, 20)) for number in range(draw.randint(1, 4))}
        agent, known = Agent(files), FileEnds()
        new: list[tuple[str, int]] = []
        slot_of = {file: draw.randrange(partitions) for file in files}
        while any(agent.at[file] < len(ends) for file, ends in files.items()):
            for file, end in agent.ship(draw, 30):
                if not known.is_known(file, slot_of[file], end, 1):
                    new.append((file, end))
            if draw.random() < 0.3:
                agent.die(draw)
                known = resumed(known)
            if grows and draw.random() < 0.2:
                slot_of = {file: draw.randrange(partitions + 2) for file in files}
        assert sorted(new) == sorted((file, end) for file, ends in files.items() for end in ends)

    def test_partitions_that_were_added_may_be_read_in_any_order(self):
        """The agent shipped up to 30 to one partition, died, and went on from 20 in another one."""
        old, added = [10, 20, 30], [20, 30, 40, 50]
        for first, second in (((0, old), (1, added)), ((1, added), (0, old))):
            known, new = FileEnds(), []
            for slot, ends in (first, second):
                new += [end for end in ends if not known.is_known("f", slot, end, 1)]
            assert sorted(new) == [10, 20, 30, 40, 50]

    def test_lines_of_one_file_say_nothing_about_another(self):
        known = FileEnds()
        assert not known.is_known("a", 0, 100, 1)
        assert not known.is_known("b", 0, 50, 1)

    def test_a_file_is_forgotten_by_the_time_of_its_records(self):
        known = FileEnds()
        known.is_known("old", 0, 10, DAY)
        known.is_known("new", 0, 10, DAY + FORGET_MS)
        known.forget(DAY + FORGET_MS)
        assert list(known.tree()) == ["old", "new"]
        known.forget(DAY + FORGET_MS + 1)
        assert list(known.tree()) == ["new"]
        assert not known.is_known("old", 0, 10, 1), "it is a new file then"

    def test_of_too_many_files_those_seen_last_are_kept(self):
        most = repeats.MOST_FILES
        known = FileEnds()
        for number in range(most + 10):
            known.is_known(f"f{number}", 0, 10, DAY)
        known.is_known("f0", 0, 10, DAY)
        known.forget(DAY)
        assert len(known.tree()) == most
        assert "f0" in known.tree()
        assert "f1" not in known.tree()


class TestRecentLines:
    @pytest.mark.parametrize(
        ("file", "offset", "line"), [(b"g", 5, b"x"), (b"f", 6, b"x"), (b"f", 5, b"y"), (b"f\x005", 5, b"x")]
    )
    def test_lines_that_differ_in_anything_are_different(self, file, offset, line):
        known = RecentLines()
        assert not known.is_known(b"f", 5, b"x")
        assert not known.is_known(file, offset, line)
        assert known.is_known(b"f", 5, b"x")

    def test_a_new_file_of_the_same_name_is_read_while_the_old_one_is_read_to_its_end(self):
        known = RecentLines()
        old = [(n * 10, b"old %d" % n) for n in range(10)]
        new = [(n * 10, b"new %d" % n) for n in range(10)]
        shipped = [*old[:8], new[0], old[8], new[1], old[9], *new[2:]]
        assert not any(known.is_known(b"f", *line) for line in shipped)
        assert all(known.is_known(b"f", *line) for line in shipped[5:])

    def test_the_last_ones_are_remembered_over_a_restart(self):
        known = RecentLines()
        for number in range(repeats.MOST_RECENT + 5):
            known.is_known(b"f", number, b"x")
        again = RecentLines()
        again.resume(known.tree())
        assert len(again.tree()) == repeats.MOST_RECENT
        assert again.is_known(b"f", repeats.MOST_RECENT + 4, b"x")
        assert again.is_known(b"f", 5, b"x")
        assert not again.is_known(b"f", 4, b"x")
