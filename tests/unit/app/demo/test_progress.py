from __future__ import annotations

import io

from dupscope.app.demo.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_file(self) -> None:
        """In a file stands what was done, with the seconds, and nothing that was overwritten."""
        out = io.StringIO()
        progress = Progress(out)
        progress.doing("sending")
        progress.done("sent", "all of it")
        assert out.getvalue() == "   0.0 s  sent\n          all of it\n"

    def test_terminal(self) -> None:
        """In a terminal the line of what is going on is cleared before the next one."""
        out = Terminal()
        progress = Progress(out)
        progress.doing("sending")
        progress.done("sent")
        assert out.getvalue() == "\r\x1b[K   0.0 s  sending …\r\x1b[K   0.0 s  sent\n"

    def test_long_line(self) -> None:
        """A line that would wrap could not be cleared: it is cut."""
        out = Terminal()
        Progress(out).doing("x" * 500)
        assert len(out.getvalue()) < 500
