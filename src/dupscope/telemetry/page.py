"""The status page: one HTML document without external assets, made from a status."""

from __future__ import annotations

from html import escape

from dupscope.model.finding import Finding, Kind, Origin
from dupscope.model.layer import Layer
from dupscope.telemetry.instants import duration, readable
from dupscope.telemetry.status import PipelineStatus, StageStatus, Status, TailStatus
from dupscope.telemetry.style import CSS

_MAKERS = {Layer.PRODUCE: "producers", Layer.MIRROR: "mirrors", Layer.CONSUME: "consumers"}
_CAPTIONS = {
    Layer.PRODUCE: "duplicates written to the source",
    Layer.MIRROR: "duplicates added while mirroring",
    Layer.CONSUME: "repeated side effects of one copy",
}
_ORIGINS = {
    Origin.PRODUCE: "from duplicates made by producers",
    Origin.MIRROR: "from duplicates made by mirrors",
    Origin.CONSUME: "from consumers acting twice on one copy",
}
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect x='3' y='9' width='18' height='18' rx='5' fill='%231f6feb'/%3E"
    "%3Crect x='11' y='4' width='18' height='18' rx='5' fill='%238250df' fill-opacity='.85'/%3E%3C/svg%3E"
)


def render_page(status: Status) -> str:
    """The whole document. Every text that comes from outside is escaped."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(_title(status))}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="{_ICON}"><style>{CSS}</style></head>
<body>{_header(status)}
<main>{"".join(_pipeline(pipeline, ready=status.ready) for pipeline in status.pipelines)}
{_findings(status)}</main>
<footer><a href="/metrics">Metrics</a><a href="/-/ready">Ready</a><a href="/-/healthy">Healthy</a>
Counts are since this process started. All times are UTC.</footer></body></html>
"""


def headline(pipeline: PipelineStatus, *, ready: bool) -> str:
    """One sentence that says who made duplicates and what they cost."""
    made = [(n, _MAKERS[layer]) for layer in Layer if (n := pipeline.duplicates(layer))]
    if not made:
        records = sum(stage.records for stage in pipeline.stages if stage.layer is Layer.PRODUCE)
        text = f"No duplicates found in {_count(records, 'record')}"
        if pipeline.unverified:
            text += f", {pipeline.unverified:,} could not be verified"
    else:
        (first, maker), *more = made
        others = [f"{n:,} by {by}" for n, by in more]
        text = _listed([f"{_count(first, 'duplicate')} made by {maker}", *others])
    extra = sum(pipeline.extra_effects.values())
    if extra:
        text += f", {_count(extra, 'side effect')} too many"
    elif made and any(stage.layer is Layer.CONSUME for stage in pipeline.stages):
        text += ", no side effect too many"
    if not all(tail.up for stage in pipeline.stages for tail in stage.tails):
        return f"{text}, but not every topic is being read"
    return text if ready else f"{text} so far, still catching up"


def _title(status: Status) -> str:
    duplicates = sum(pipeline.duplicates(layer) for pipeline in status.pipelines for layer in Layer)
    return f"{_count(duplicates, 'duplicate')} \N{MIDDLE DOT} dupscope"


def _header(status: Status) -> str:
    state = '<span class="pill good">Up to date</span>'
    if not status.ready:
        state = f'<span class="pill warn">Not ready: {escape(status.ready_reason)}</span>'
    up = f"up {duration(status.now - status.started_at)}, as of {readable(status.now)} UTC"
    return (
        f"<header><strong>dupscope</strong>{state}"
        f'<span class="soft">{escape(status.version)}, {up}</span></header>'
    )


def _pipeline(pipeline: PipelineStatus, *, ready: bool) -> str:
    layers = [layer for layer in Layer if any(stage.layer is layer for stage in pipeline.stages)]
    team = f", team {pipeline.team}" if pipeline.team else ""
    return f"""<section><div class="eyebrow">Pipeline {escape(pipeline.name)}{escape(team)}</div>
<h1>{escape(headline(pipeline, ready=ready))}</h1>
<div class="flow" style="--layers:{len(layers)}">{"".join(_layer(pipeline, layer) for layer in layers)}</div>
{_cost(pipeline)}</section>"""


def _layer(pipeline: PipelineStatus, layer: Layer) -> str:
    made = pipeline.duplicates(layer)
    tone = layer if made else ""
    zero = "" if made else " zero"
    stages = "".join(_stage(stage) for stage in pipeline.stages if stage.layer is layer)
    return f"""<div class="layer {tone}"><div class="name">{layer.capitalize()}</div>
<div class="count{zero}">{made:,}</div><div class="caption">{_CAPTIONS[layer]}</div>{stages}</div>"""


def _stage(stage: StageStatus) -> str:
    what = "audit line" if stage.layer is Layer.CONSUME else "record"
    title = f"<span>{escape(stage.name)}</span><span>{_count(stage.records, what)}</span>"
    return f"""<div class="stage"><div class="title">{title}</div>{"".join(_stage_lines(stage))}</div>"""


def _stage_lines(stage: StageStatus) -> list[str]:
    """What a person should know of a stage, alarming things marked."""
    lines = []
    if stage.reads:
        lines.append(_line(f"{'reads' if stage.layer is Layer.CONSUME else 'copies'} {_listed(stage.reads)}"))
    if stage.conflicting:
        lines.append(_line(f"{stage.conflicting:,} with another payload", "alarm"))
    if stage.missing > 0:
        what = "effect" if stage.layer is Layer.CONSUME else "record"
        lines.append(_line(f"{_count(stage.missing, what)} missing", "alarm"))
    if stage.extra_copies:
        lines.append(
            _line(
                f"{_count(stage.extra_copies, 'extra copy', 'extra copies')} came in, "
                f"{stage.absorbed:,} absorbed"
            )
        )
    if stage.suspects:
        lines.append(_line(f"{stage.suspects:,} being checked"))
    if stage.unverified:
        reasons = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in stage.unverified.items())
        lines.append(_line(f"{sum(stage.unverified.values()):,} could not be verified: {reasons}", "note"))
    if stage.layer is not Layer.CONSUME:
        lines.append(_line(_coverage(stage.coverage_start)))
    return lines + [_tail(tail) for tail in stage.tails]


def _coverage(start: float | None) -> str:
    if start is None:
        return "coverage not known yet"
    return f"covered since {readable(start)}" if start else "covered from its beginning"


def _tail(tail: TailStatus) -> str:
    where = f"{tail.topic} on {tail.cluster}"
    if not tail.up:
        return _line(f"{where}: not being read", "alarm")
    behind = f"{_count(tail.lag_records, 'record')} behind" if tail.lag_records else "read to the end"
    return _line(f"{where}: {behind}")


def _line(text: str, tone: str = "") -> str:
    return f'<div class="{tone}">{escape(text)}</div>'


def _cost(pipeline: PipelineStatus) -> str:
    """The extra side effects by origin, as a bar. Nothing for a pipeline without a sink."""
    if all(stage.layer is not Layer.CONSUME for stage in pipeline.stages):
        return ""
    effects = {Origin(layer): pipeline.extra_effects[Origin(layer)] for layer in Layer}
    total = sum(effects.values())
    if not total:
        logged = any(stage.records for stage in pipeline.stages if stage.layer is Layer.CONSUME)
        text = "No side effect happened more than once." if logged else "No side effect was logged yet."
        return f'<div class="cost"><p>{text}</p></div>'
    present = {origin: n for origin, n in effects.items() if n}
    bar = "".join(f'<i class="{origin}" style="flex-grow:{n}"></i>' for origin, n in present.items())
    legend = "".join(
        f'<span class="{origin}">{n:,} {_ORIGINS[origin]}</span>' for origin, n in present.items()
    )
    return f"""<div class="cost"><p><b>{_count(total, "side effect")} too many</b>: what customers felt</p>
<div class="bar">{bar}</div><div class="legend">{legend}</div></div>"""


def _findings(status: Status) -> str:
    body = "".join(_finding(finding) for finding in status.findings)
    table = f"""<table><thead><tr><th>Detected</th><th>Made by</th><th>Topic</th><th>Payload</th>
<th>Where</th><th>Id</th></tr></thead><tbody>{body}</tbody></table>"""
    content = table if body else '<div class="none">None yet.</div>'
    return f'<section><h2>Latest findings</h2><div class="table">{content}</div></section>'


def _finding(finding: Finding) -> str:
    cells = {
        "Detected": f"<span>{readable(finding.detected_at)}</span>",
        "Made by": f'<span class="chip {finding.layer}">{finding.layer.capitalize()}</span>'
        f"<small>{escape(finding.stage)}</small>",
        "Topic": f"<span>{escape(finding.topic)}</span>",
        "Payload": _payload(finding.kind),
        "Where": f"<code>{escape(_place(finding))}</code>{_repeats(finding)}",
        "Id": f"<code>{escape(finding.id)}</code>",
    }
    return "<tr>" + "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in cells.items()) + "</tr>"


def _payload(kind: Kind) -> str:
    return f'<span class="conflicting">{kind}</span>' if kind is Kind.CONFLICTING else f"<span>{kind}</span>"


def _place(finding: Finding) -> str:
    return str(finding.position) if finding.position else "no position"


def _repeats(finding: Finding) -> str:
    """What the finding repeats, and how much later it came."""
    if finding.first is None:
        return ""
    later = ""
    if finding.gap_seconds is not None:
        later = f", {duration(finding.gap_seconds)} later" if finding.gap_seconds else ", same timestamp"
    return f"<small>repeats {escape(str(finding.first))}{later}</small>"


def _count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, as in 1 record and 2,500 records."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _listed(parts: tuple[str, ...] | list[str]) -> str:
    """Parts joined as in a sentence: a, b and c."""
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
