"""The demo's words: what it is about, and the last screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dupscope.app.demo.planted import Counts, Planted
from dupscope.app.demo.reported import Reported
from dupscope.model.layer import Layer

OPENING = """\
A payment pipeline in miniature. Each part is a process; the two clusters are
mocks on this machine that speak Kafka's protocol. Three things will go wrong.

  producer -> payments -> stand-in mirror -> primary.payments -> consumer
              (primary)                      (dr)                   |
                                                              charge server

"""

BLAME = {
    Layer.PRODUCE: "the application sent payments again",
    Layer.MIRROR: "the stand-in mirror, killed, copied again",
    Layer.CONSUME: "the consumer, killed, charged again",
}

SOURCES = """\
  planted:  by the producer's, the mirror's and the charge server's own lists
  dupscope: by its metrics; it read both clusters and the consumer's audit file
"""

DIFFERENCE = """\
dupscope does not report what was planted. That is a defect of dupscope: please
report it, with the output of "dupscope demo --json".
"""

BELIEF = """\
enable.idempotence=true was on all the time and could not help: it drops a
client's own network retries, and none of these was one.
"""

NEXT = """\
Next, with a topic of yours (dupscope only reads, and joins no group):

{path}  dupscope keys YOUR_TOPIC --bootstrap-server HOST:9092 --write dupscope.yaml
  dupscope check -c dupscope.yaml
  dupscope run -c dupscope.yaml
"""


def agree(truth: Planted, said: Reported) -> bool:
    """Whether dupscope reports exactly what was planted."""
    return truth.duplicates == said.duplicates and truth.effects == said.effects


def last_screen(truth: Planted, said: Reported, folder: str | None = None) -> str:
    """Table, cost, belief corrected, next steps; within 80 columns and 24 lines.

    `folder` is where the command is, if a shell would not find it by itself.
    """
    path = f"  export PATH={folder}:$PATH\n" if folder else ""
    parts = [_table(truth, said), _cost(truth), BELIEF, NEXT.format(path=path)]
    return "\n".join(parts if agree(truth, said) else [*parts, DIFFERENCE])


def _table(truth: Planted, said: Reported) -> str:
    head = f"{'Which layer made the duplicates':53}{'planted':>8}{'dupscope':>10}"
    rows = [_row(f"{layer:10}{BLAME[layer]}", truth.duplicates, said.duplicates, layer) for layer in Layer]
    extra = _row("charges too many because of them", truth.effects, said.effects)
    return "\n".join([head, *rows, extra, "", SOURCES])


def _row(label: str, truth: Counts, said: Counts, *layers: Layer) -> str:
    """A row for some layers, or for the sum of all; equal only if each layer's number is."""
    chosen = layers or tuple(Layer)
    mark = "equal" if all(truth[layer] == said[layer] for layer in chosen) else "DIFFERS"
    planted, reported = (sum(counts[layer] for layer in chosen) for counts in (truth, said))
    return f"  {label:51}{planted:8,}{reported:10,} {mark}"


def _cost(truth: Planted) -> str:
    by = ", ".join(f"{layer} {count:,}" for layer, count in truth.effects.items())
    return (
        f"Blast radius: {truth.payments:,} payments, {truth.charged:,} charges. Customers were charged\n"
        f"{len(truth.extra):,} times too often, {euros(truth.cents)} ({by}).\n"
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
