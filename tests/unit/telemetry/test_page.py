from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dupscope.model.finding import Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Position
from dupscope.telemetry.metrics import Metrics, RunState
from dupscope.telemetry.page import headline, render_page
from dupscope.telemetry.shape import PipelineShape, StageShape, TailShape
from dupscope.telemetry.status import summarise

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
VOID = {"meta", "link"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that elements are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page_of(metrics):
    return Page(render_page(summarise(metrics.shapes, metrics.version, metrics.published)))


def headline_of(metrics, *, ready=True):
    return headline(summarise(metrics.shapes, metrics.version, metrics.published).pipelines[0], ready=ready)


@pytest.fixture
def quiet(shape):
    """A run that is read to the end and found nothing."""
    metrics = Metrics([shape], version="1")
    for tail in shape.tails:
        metrics.set("tail_up", ("payments", tail.stage, tail.cluster, tail.topic), 1)
    metrics.add("records_total", ("payments", "source", "payments"), 812)
    return metrics


def publish(metrics):
    metrics.publish(RunState(ready=True, reason="", started_at=1.0, now=2.0))
    return metrics


class TestHeadline:
    """One sentence says who made duplicates and what they cost."""

    def test_all_layers(self, scripted):
        """Layers in the order of the flow, then the side effects."""
        expected = (
            "3 duplicates made by producers, 43 by mirrors and 5 by consumers, 14 side effects too many"
        )
        assert expected == headline_of(scripted)

    def test_one_layer(self, quiet):
        """One duplicate that cost nothing."""
        quiet.add("duplicates_total", ("payments", "mirror", "to-dr", "payments", "identical"))
        assert headline_of(publish(quiet)) == "1 duplicate made by mirrors, no side effect too many"

    def test_nothing_found(self, quiet):
        """No duplicates is a claim about what was read, so it says how much."""
        assert headline_of(publish(quiet)) == "No duplicates found in 812 records"

    def test_nothing_found_with_unverified(self, quiet):
        """What could not be verified belongs to the claim."""
        quiet.add("unverified_total", ("payments", "mirror", "to-dr", "expired"), 7)
        expected = "No duplicates found in 812 records, 7 could not be verified"
        assert expected == headline_of(publish(quiet))

    def test_catching_up(self, quiet):
        """Before the end is reached the sentence is provisional."""
        expected = "No duplicates found in 812 records so far, still catching up"
        assert expected == headline_of(publish(quiet), ready=False)

    def test_tail_down(self, quiet):
        """A topic that is not being read limits the claim."""
        quiet.set("tail_up", ("payments", "source", "primary", "payments"), 0)
        expected = "No duplicates found in 812 records, but not every topic is being read"
        assert expected == headline_of(publish(quiet))


class TestPage:
    """The page is one document that a browser can show at once."""

    def test_tells_the_story(self, scripted):
        """The flow, the cost, coverage, lag and the findings are there."""
        text = page_of(scripted).text
        for part in (
            "Pipeline payments, team checkout",
            "14 side effects too many",
            "6 from duplicates made by mirrors",
            "46 extra copies came in, 37 absorbed",
            "7 could not be verified: before coverage 7",
            "covered since 2027-01-15 07:00:00",
            "primary.payments on dr: 12 records behind",
            "primary.payments[3]@42",
            "repeats primary.payments[3]@17, 1 min 1 s later",
        ):
            assert part in text

    def test_loads_nothing_else(self, scripted):
        """No scripts, and no address but its own and inline ones."""
        page = page_of(scripted)
        assert not {"script", "img", "iframe", "object"} & set(page.tags)
        links = [value for name, value in page.attributes if name in {"href", "src"}]
        assert all(link.startswith(("/", "data:")) for link in links)

    def test_escapes_everything(self, finding):
        """Names come from configurations, clusters and audit logs, and none of them becomes markup."""
        shape = PipelineShape(
            HOSTILE,
            (
                StageShape(HOSTILE, Layer.PRODUCE, (HOSTILE,)),
                StageShape("sink" + HOSTILE, Layer.CONSUME, (HOSTILE,)),
            ),
            (HOSTILE,),
            (TailShape(HOSTILE, HOSTILE, HOSTILE),),
            {},
            team=HOSTILE,
        )
        metrics = Metrics([shape], version=HOSTILE)
        metrics.add("unverified_total", (HOSTILE, "produce", HOSTILE, HOSTILE))
        metrics.add("duplicates_total", (HOSTILE, "produce", HOSTILE, HOSTILE, "conflicting"))
        where = Position(HOSTILE, HOSTILE, HOSTILE, 0, 0)
        hostile = finding(
            id=HOSTILE, pipeline=HOSTILE, stage=HOSTILE, topic=HOSTILE, position=where, first=where
        )
        metrics.publish(RunState(False, HOSTILE, 0, 1, (hostile,)))
        page = page_of(metrics)
        assert not {"script", "img"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert page.text.count("<script>alert(1)</script>") >= 10

    def test_finding_without_positions(self, scripted, finding):
        """An effect without a position, and one at the same instant, are shown as such."""
        lone = finding(layer=Layer.CONSUME, position=None, first=None, gap_seconds=None)
        same = finding(kind=Kind.CONFLICTING, gap_seconds=0.0)
        scripted.publish(RunState(True, "", 0, 1, (lone, same)))
        text = page_of(scripted).text
        assert "no position" in text
        assert "repeats primary.payments[3]@17, same timestamp" in text

    def test_without_sinks(self, shape, quiet):
        """A pipeline without sinks has no side effects to speak of."""
        mirrored = replace(shape, stages=shape.stages[:2])
        metrics = publish(Metrics([mirrored], version="1"))
        text = page_of(metrics).text
        assert "side effect" not in text
        assert "None yet." in text
