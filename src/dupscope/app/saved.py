"""What a store says of each pipeline, for commands that look at it while `run` goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dupscope.kafka.state import TailState
from dupscope.model.position import Partition
from dupscope.store.reader import StoreReader


@dataclass(frozen=True, slots=True)
class SavedPipeline:
    """Where a pipeline stood at the last commit.

    identity    the digest of its configuration, see `app.identity`
    partitions  by slot
    tails       by log
    audits      what each audit log saved, by sink
    """

    identity: str
    partitions: list[Partition]
    tails: dict[int, TailState]
    audits: dict[int, Any]


def saved_pipelines(reader: StoreReader) -> dict[str, SavedPipeline]:
    """By name. Raises StoreDamagedError where what is stored is not what was written."""
    return {name: _saved(reader, name) for name in reader.contents.pipelines}


def _saved(reader: StoreReader, name: str) -> SavedPipeline:
    contents = reader.contents
    where = contents.watch(name)
    return SavedPipeline(
        identity=contents.configuration(name) or "",
        partitions=contents.partitions(name),
        tails={log: TailState.from_tree(tree) for log, tree in enumerate(where["tails"])},
        audits=where["audits"],
    )
