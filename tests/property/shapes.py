"""Pipelines that random histories run on."""

from __future__ import annotations

from dataclasses import replace

from dupscope.model.topology import Log, Sink, TagParts, Topology

SOURCE_LOG = Log("source", "a")
OTHER_SOURCE = Log("source", "b")
DR = Log("dr", "b", upstream=(0,))

SHAPES: dict[str, Topology] = {
    "one_mirror": Topology("p", (SOURCE_LOG, DR), (Sink("charger", (1,)),)),
    "source_only": Topology("p", (SOURCE_LOG,), (Sink("charger", (0,)),)),
    "chain": Topology(
        "p", (SOURCE_LOG, DR, Log("far", "c", upstream=(1,))), (Sink("near", (1,)), Sink("end", (2,)))
    ),
    "fan_out": Topology(
        "p", (SOURCE_LOG, DR, Log("dr2", "c", upstream=(0,))), (Sink("one", (1,)), Sink("two", (2,)))
    ),
    "failover": Topology("p", (SOURCE_LOG, DR), (Sink("charger", (0, 1)),)),
    "failover_back": Topology("p", (SOURCE_LOG, DR), (Sink("charger", (1, 0)),)),
    "two_mirrors": Topology("p", (SOURCE_LOG, DR, Log("dr2", "c", upstream=(0,))), (Sink("both", (1, 2)),)),
    "append_time": Topology(
        "p",
        (SOURCE_LOG, Log("dr", "b", upstream=(0,), tag=TagParts(timestamp=False))),
        (Sink("charger", (1,)),),
    ),
    "active_active": Topology(
        "p",
        (SOURCE_LOG, OTHER_SOURCE, Log("to-b", "b", upstream=(0,)), Log("to-a", "a", upstream=(1,))),
        (Sink("at-a", (0, 3)), Sink("at-b", (1, 2)), Sink("mirror-only", (2,))),
    ),
    "fan_in": Topology(
        "p", (SOURCE_LOG, OTHER_SOURCE, Log("all", "c", upstream=(0, 1))), (Sink("charger", (2,)),)
    ),
    "strict": Topology("p", (SOURCE_LOG, DR), (Sink("charger", (1,), ordered=True),)),
}
SHAPES = {
    name: replace(shape, sinks=tuple(replace(sink, expects=True) for sink in shape.sinks))
    for name, shape in SHAPES.items()
}
