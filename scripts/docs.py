"""Writes docs/metrics.md from the catalogue; with --check it only compares, and fails on a difference."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from dupscope.telemetry.catalogue import CATALOGUE, LABELS, PREFIX
from dupscope.telemetry.totals import OVERFLOW, TOPIC_BUDGET

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"

INTRODUCTION = f"""# Metrics

Served at `/metrics`, by default on port 9464, as Prometheus text or, where the scraper asks for it, as
OpenMetrics. All names begin with `{PREFIX}`; the tables leave it out. This page is generated from the
catalogue in `src/dupscope/telemetry/catalogue.py` by `make docs`.

What can be relied on:

- **Names and labels** marked stable do not change within a major version.
- **Every series exists from the start**, counters at 0: a counter that is born at 5 is invisible to
  `increase()`. Two exceptions: `coverage_start_timestamp_seconds` is absent until it is known, since 0 means
  that the log is covered from its beginning; and `tail_errors_total` starts with the common reasons only.
- **A scrape shows whole cycles.** Whatever one cycle of the detector found becomes visible at once, so
  `duplicates_total` and `duplicate_effects_total` always belong together.
- **Any sum of `duplicates_total` counts findings.** No series is the total of others.
- **Topics are bounded.** A pipeline shows its first {TOPIC_BUDGET} topics; the others share
  `topic="{OVERFLOW}"`, in which counters and lags are summed, `tail_up` is the lowest and
  `tail_last_record_timestamp_seconds` the latest.
"""

ABSORBED = f"""## Does the sink's own deduplication work?

Of the extra copies that reached a sink, the share that caused no effect, over a day:

    1 -   sum by (pipeline, stage) (increase({PREFIX}duplicate_effects_total{{origin=~"produce|mirror"}}[1d]))
        / sum by (pipeline, stage) (increase({PREFIX}sink_extra_copies_total[1d]))

With 46 extra copies, of which 3 from producers and 6 from mirrors became effects, that is 1 - 9 / 46 = 0.80:
the sink's deduplication absorbed 37 of 46. 1 means that it works, 0 that there is none; without extra copies
there is no value, since nothing tested it. Effects of origin *consume* are left out: those are repeats of one
copy, which came in once. An effect can be seen a moment before its group commits, and only then has the copy
been gone past: over short times the share can be below 0.
"""


def render() -> str:
    """The whole page."""
    sections = (INTRODUCTION, _metrics(), ABSORBED, _labels(), _buckets())
    return "\n".join(sections)


def _metrics() -> str:
    rows = [(f"`{m.name}`", str(m.type), _code(m.labels), m.help, m.since, m.stability) for m in CATALOGUE]
    return "## Metrics\n\n" + _table(("metric", "type", "labels", "meaning", "since", "stability"), rows)


def _labels() -> str:
    return "## Labels\n\n" + _table(("label", "meaning"), [(f"`{k}`", v) for k, v in LABELS.items()])


def _buckets() -> str:
    rows = [(f"`{m.name}`", ", ".join(f"{edge:g}" for edge in m.buckets)) for m in CATALOGUE if m.buckets]
    return "## Buckets\n\nUpper edges in seconds, besides `+Inf`.\n\n" + _table(("histogram", "edges"), rows)


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def differences(expected: str, found: str) -> str:
    """A unified diff from what is in the file to what belongs there; empty when they agree."""
    lines = difflib.unified_diff(
        found.splitlines(True), expected.splitlines(True), str(PAGE.name), "generated"
    )
    return "".join(lines)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    text = render()
    if arguments != ["--check"]:
        PAGE.write_text(text)
        return 0
    diff = differences(text, PAGE.read_text() if PAGE.exists() else "")
    if diff:
        print(diff + "docs/metrics.md is out of date: run `make docs`", file=sys.stderr)
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
