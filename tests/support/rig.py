"""Real clusters, `primary` and `dr` and more where a test needs them, and the mirrors between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from support.broker import Broker
from support.dump import last_records
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.waiting import wait_until


class Rig:
    """A context manager: inside, both clusters answer; after it, none of its processes is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.primary = Broker("primary", folder / "primary")
        self.dr = Broker("dr", folder / "dr")
        self._further: dict[str, Broker] = {}
        self._mirrors: list[MirrorMaker] = []

    def __enter__(self) -> Self:
        try:
            for broker in (self.primary, self.dr):
                broker.start()
            for broker in (self.primary, self.dr):
                broker.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def mirror(self, topics: str, flush_seconds: float = 60) -> MirrorMaker:
        """A mirror from `primary` to `dr`, started. It is ended with the rig at the latest."""
        return self.connect(self.primary, self.dr, MirrorSettings(topics, flush_seconds))

    def connect(self, source: Broker, destination: Broker, settings: MirrorSettings) -> MirrorMaker:
        """A mirror from any cluster to any other, started. It is ended with the rig at the latest."""
        mirror = MirrorMaker(source, destination, settings, self.folder / f"mirror-{len(self._mirrors)}")
        self._mirrors.append(mirror)
        mirror.start()
        return mirror

    @property
    def far(self) -> Broker:
        """A third cluster, for chains; started by the first test that asks for it."""
        return self.cluster("far")

    def cluster(self, name: str, extra: Mapping[str, object] | None = None) -> Broker:
        """A further cluster, started when it is first asked for, with `extra` properties of the server."""
        if name not in self._further:
            broker = self._further[name] = Broker(name, self.folder / name, extra)
            broker.start()
            broker.wait_ready()
        return self._further[name]

    def close(self) -> None:
        for part in (*self._mirrors, *self._further.values(), self.dr, self.primary):
            part.close()


def wait_mirrored(rig: Rig, topic: str, timeout: float = 60) -> None:
    """Wait until the last record of every partition of `topic` is the last of its mirror's partition."""
    wait_copied((rig.primary, topic), (rig.dr, f"primary.{topic}"), timeout)


def wait_copied(
    above: tuple[Broker, str], below: tuple[Broker, str], timeout: float = 90, *, timed: bool = True
) -> None:
    """The same for a topic of any cluster and its copy on another. Not for topics with transactions.

    Not `timed`: timestamps may differ.
    """

    def caught_up() -> bool:
        upstream = last_records(above[0].bootstrap, above[1])
        downstream = last_records(below[0].bootstrap, below[1])
        begin = 0 if timed else 1
        return all(downstream.get(number, ())[begin:] == last[begin:] for number, last in upstream.items())

    wait_until(caught_up, timeout, f"{below[1]} has caught up with {above[1]}", poll=0.3)
