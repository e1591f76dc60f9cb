"""`dupscope demo`: play the pipeline, let dupscope watch it, compare."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dupscope.app.demo import lists, screen
from dupscope.app.demo.cast import PAYMENTS, Cast, positions
from dupscope.app.demo.charges import made_charges
from dupscope.app.demo.children import Child, Children, TooLateError
from dupscope.app.demo.planted import Planted, planted
from dupscope.app.demo.progress import Progress
from dupscope.app.demo.reported import Read, Reported, Settling, scrape

MIRROR_DIES_AFTER = 1512
CONSUMER_DIES_AFTER = 2187


def demo(*, as_json: bool, keep: bool) -> int:
    """Play the story and print what it shows. Returns 0 if dupscope reports exactly what was planted."""
    progress = Progress(sys.stderr if as_json else sys.stdout)
    with ExitStack() as stack:
        stack.enter_context(_signals_as_interrupts())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dupscope-demo-")))
        children = Children(folder)
        stack.callback(children.close)
        stack.callback(progress.end)
        story = Story(Cast(folder, children), children, progress)
        truth, said = story.play()
        if as_json:
            print(json.dumps(screen.plain(truth, said, story.seconds)), flush=True)
        else:
            print(f"\n{screen.last_screen(truth, said, folder_of_command())}", flush=True)
        if keep:
            story.stay()
    return 0 if screen.agree(truth, said) else 1


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that no child and no folder is left."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Story:
    """One run of the pipeline, from the first payment to dupscope's answer."""

    def __init__(self, cast: Cast, children: Children, progress: Progress) -> None:
        self._cast = cast
        self._children = children
        self._progress = progress
        self._url = ""
        self.seconds: dict[str, float] = {}

    def play(self) -> tuple[Planted, Reported]:
        """Play it. Returns what was planted and what dupscope reports."""
        self._progress.say(screen.OPENING)
        dupscope = self._cast.start_dupscope()
        server = self._cast.start_charge_server()
        mirror = self._cast.start_mirror(MIRROR_DIES_AFTER)
        charges = self._printed(server, r"listening on (\S+)")
        consumer = self._cast.start_consumer(charges, CONSUMER_DIES_AFTER)
        self._url = self._printed(dupscope, r'"url": "(http://[^"]+)"')
        self._done("watching", "dupscope run watches both clusters and the audit file")
        self._produce()
        mirror = self._restart_mirror(mirror)
        consumer = self._restart_consumer(consumer, charges)
        truth = self._finish(charges)
        self._children.end(mirror, consumer, server)
        return truth, self._answer(truth)

    def stay(self) -> None:
        """Leave dupscope and the clusters up until interrupted."""
        self._progress.say(f"Still up, until Ctrl-C:  {self._url}  {self._url}/metrics\n")
        try:
            self._children.watch()
        except KeyboardInterrupt:
            self._progress.say("\n")

    # ------------------------------------------------------------------ steps

    def _produce(self) -> None:
        producer = self._cast.start_producer()
        self._doing("the producer sends payments")
        self._children.wait(lambda: producer.ended_as_planned, "all payments are sent")
        again = sum(line["again"] for line in lists.read(self._cast.sent))
        self._done(
            "produced",
            f"producer: {PAYMENTS:,} payments sent, with enable.idempotence=true;",
            f"the application gave up waiting for {again} of them, and sent those again",
        )

    def _restart_mirror(self, mirror: Child) -> Child:
        self._doing("the stand-in mirror copies")
        self._children.wait(lambda: mirror.ended_as_planned, "the mirror is killed")
        again = self._cast.start_mirror()
        self._done(
            "mirror_killed",
            f"stand-in mirror: killed -9 after {MIRROR_DIES_AFTER:,} records, started again from",
            "the offsets that it stored last: it copies a window a second time",
        )
        return again

    def _restart_consumer(self, consumer: Child, charges: str) -> Child:
        self._doing("the consumer joins its group and charges")
        self._children.wait(lambda: consumer.ended_as_planned, "the consumer is killed")
        again = self._cast.start_consumer(charges)
        self._done(
            "consumer_killed",
            f"consumer: killed -9 after {CONSUMER_DIES_AFTER:,} charges, before it committed the",
            "last of them; started again",
        )
        return again

    def _finish(self, charges: str) -> Planted:
        sent = lists.count(self._cast.sent)
        self._children.wait(lambda: positions(self._cast.copied) == sent, "every record is copied")
        copied = lists.count(self._cast.copied)
        self._doing("the group still waits for the killed consumer")
        self._children.wait(lambda: positions(self._cast.audit) == copied, "every record is charged")
        charged = self._children.wait(lambda: made_charges(charges), "the charge server shows its list")
        truth = planted(lists.read(self._cast.sent), lists.read(self._cast.copied), charged)
        self._done(
            "charged", f"{truth.sent:,} records sent, {copied:,} copied, {truth.charged:,} charges made"
        )
        return truth

    def _answer(self, truth: Planted) -> Reported:
        """What dupscope reports once it has settled, or, if it does not, in the end."""
        self._doing("dupscope reads the rest and judges")
        there = Read(truth.sent, truth.copied, lists.count(self._cast.audit))
        first = self._children.wait(lambda: scrape(self._url), "dupscope answers")
        settling = Settling(there, first)
        try:
            self._children.wait(lambda: settling.is_settled(scrape(self._url)), "dupscope is done")
            self._done("judged", "dupscope: has read everything and suspects nothing any more")
        except TooLateError:
            self._done("judged", "dupscope: still reading or suspecting; its numbers as they are now:")
        return settling.said

    # ------------------------------------------------------------------ telling

    def _printed(self, child: Child, pattern: str) -> str:
        self._doing(f"{child.name} starts")
        return self._children.wait(lambda: child.printed(pattern), f"{child.name} listens")

    def _doing(self, text: str) -> None:
        self._progress.doing(text)

    def _done(self, name: str, *lines: str) -> None:
        self.seconds[name] = self._progress.seconds
        self._progress.done(*lines)


def folder_of_command() -> str | None:
    """Where the command that runs now lies, if a shell would not find it by its name; as short as it goes."""
    if shutil.which("dupscope"):
        return None
    folder = Path(sys.executable).parent
    return f"$PWD/{folder.relative_to(Path.cwd())}" if folder.is_relative_to(Path.cwd()) else str(folder)
