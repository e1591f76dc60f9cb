"""Two real clusters, `primary` and `dr`, and the mirrors between them."""

from __future__ import annotations

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
        settings = MirrorSettings(topics, flush_seconds)
        folder = self.folder / f"mirror-{len(self._mirrors)}"
        mirror = MirrorMaker(self.primary, self.dr, settings, folder)
        self._mirrors.append(mirror)
        mirror.start()
        return mirror

    def close(self) -> None:
        for part in (*self._mirrors, self.dr, self.primary):
            part.close()


def wait_mirrored(rig: Rig, topic: str, timeout: float = 60) -> None:
    """Wait until the last record of every partition of `topic` is the last of its mirror's partition."""

    def caught_up() -> bool:
        upstream = last_records(rig.primary.bootstrap, topic)
        downstream = last_records(rig.dr.bootstrap, f"primary.{topic}")
        return all(downstream.get(partition) == last for partition, last in upstream.items())

    wait_until(caught_up, timeout, f"the mirror of {topic} has caught up", poll=0.3)
