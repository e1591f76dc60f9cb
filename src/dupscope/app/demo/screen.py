"""The demo's words: what it is about, and the last screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dupscope.app.demo.planted import Counts, Planted
from dupscope.app.demo.reported import Reported
from dupscope.model.finding import Layer

OPENING = """\
A payment pipeline in miniature: each part is a process, and the two clusters are
mocks on this machine that speak Kafka's protocol. Three things will go wrong.

  producer -> payments -> stand-in mirror -> primary.payments -> consumer
              (primary)                      (dr)                   |
                                                              charge server

"""

BLAME = {
    Layer.PRODUCE: "the application sent a payment again",
    Layer.MIRROR: "the mirror was killed and copied again",
    Layer.CONSUME: "the consumer was killed and charged again",
}

SOURCES = """\
planted: from the producer's, the mirror's and the charge server's own lists
dupscope: from its metrics; it read both clusters and the consumer's audit file
"""

NEXT = """\
Next, with a topic of yours (dupscope only reads, and joins no group):

  dupscope keys YOUR_TOPIC --bootstrap-server HOST:9092 --write dupscope.yaml
  dupscope check -c dupscope.yaml
  dupscope run -c dupscope.yaml
"""


def agree(truth: Planted, said: Reported) -> bool:
    """Whether dupscope reports exactly what was planted."""
    return truth.duplicates == said.duplicates and truth.effects == said.effects


def last_screen(truth: Planted, said: Reported) -> str:
    """Table, cost, belief corrected, next steps; within 80 columns."""
    return "\n".join([_table(truth, said), _cost(truth), _belief(truth), NEXT])


def _table(truth: Planted, said: Reported) -> str:
    head = f"{'':51}{'planted':>10}{'dupscope':>10}"
    rows = [
        _row(f"{layer:9}{BLAME[layer]}", truth.duplicates[layer], said.duplicates[layer]) for layer in Layer
    ]
    extra = _row("charges too many, in sum", _sum(truth.effects), _sum(said.effects))
    return "\n".join([head, *rows, extra, "", SOURCES])


def _row(label: str, planted: int, reported: int) -> str:
    mark = "equal" if planted == reported else "DIFFERS"
    return f"  {label:49}{planted:10,}{reported:10,}  {mark}"


def _cost(truth: Planted) -> str:
    by = ", ".join(f"{count:,} by {layer}" for layer, count in truth.effects.items())
    return (
        f"{truth.payments:,} payments, {truth.charged:,} charges: customers were charged "
        f"{len(truth.extra):,} times\ntoo often, {euros(truth.cents)} ({by}).\n"
    )


def _belief(truth: Planted) -> str:
    return (
        "enable.idempotence=true was on all the time, in the producer and in the mirror.\n"
        f"It drops a client's own network retries; none of these {len(truth.extra):,} was one.\n"
    )


def euros(cents: int) -> str:
    """An amount for people."""
    return f"{cents // 100:,}.{cents % 100:02} EUR"


def plain(truth: Planted, said: Reported, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "planted": _plain(truth.duplicates),
        "reported": _plain(said.duplicates),
        "effects": {
            "planted": _plain(truth.effects),
            "reported": _plain(said.effects),
            "cents": truth.cents,
        },
        "payments": truth.payments,
        "charges": truth.charged,
        "unverified": said.unverified,
        "equal": agree(truth, said),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def _plain(counts: Counts) -> dict[str, int]:
    return {str(layer): counts[layer] for layer in Layer}


def _sum(counts: Counts) -> int:
    return sum(counts.values())
