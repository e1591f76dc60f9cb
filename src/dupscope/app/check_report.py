"""What `dupscope check` found: lines by section, as aligned text or as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

_GIB = 1 << 30
_MIB = 1 << 20
_GB = 10**9
_MB = 10**6


class Level(StrEnum):
    """How much a line matters. Only a problem makes the command fail."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at: where, and what was found, with what to do about it."""

    level: Level
    where: str
    text: str


@dataclass(slots=True)
class Section:
    """Lines that belong together: the clusters, or one pipeline."""

    title: str
    lines: list[Line] = field(default_factory=list)

    def add(self, level: Level, where: str, text: str) -> None:
        """Note one thing."""
        self.lines.append(Line(level, where, text))


@dataclass(slots=True)
class Report:
    """Everything that was looked at."""

    file: str
    sections: list[Section] = field(default_factory=list)

    def section(self, title: str) -> Section:
        """Begin a section."""
        self.sections.append(Section(title))
        return self.sections[-1]

    def count(self, level: Level) -> int:
        """Number of lines of one level."""
        return sum(line.level is level for section in self.sections for line in section.lines)

    def text(self) -> str:
        """The report for a person."""
        lines = [line for section in self.sections for line in section.lines]
        width = max((len(line.where) for line in lines), default=0)
        return "\n".join([*self._body(width), "", self._summary()])

    def _body(self, width: int) -> Iterator[str]:
        for index, section in enumerate(self.sections):
            yield from ([""] if index else [])
            yield section.title
            where = None
            for line in section.lines:
                shown = line.where if line.where != where else ""
                where = line.where
                yield f"  {shown:<{width}}  {line.level:<7}  {line.text}"

    def _summary(self) -> str:
        problems, warnings = self.count(Level.PROBLEM), self.count(Level.WARNING)
        if not problems and not warnings:
            return f"{self.file}: all is well"
        return f"{self.file}: {plural(problems, 'problem')}, {plural(warnings, 'warning')}"

    def plain(self) -> dict[str, object]:
        """The report as values that JSON can carry."""
        return {
            "file": self.file,
            "ok": not self.count(Level.PROBLEM),
            "problems": self.count(Level.PROBLEM),
            "warnings": self.count(Level.WARNING),
            "sections": [
                {
                    "title": section.title,
                    "lines": [
                        {"level": str(line.level), "where": line.where, "text": line.text}
                        for line in section.lines
                    ],
                }
                for section in self.sections
            ],
        }


def plural(count: int, noun: str) -> str:
    """`1 topic`, `1,240 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def show_seconds(seconds: float) -> str:
    """A length of time as a person says it, in at most two units: `4 h 10 min`, `24 h`, `3 d`."""
    if seconds < 1:
        return "under 1 s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    largest = next(
        i for i, (_, size) in enumerate(units) if seconds >= size * (2 if size == units[0][1] else 1)
    )
    (unit, size), rest = units[largest], units[largest + 1 : largest + 2]
    whole, left = divmod(round(seconds), size)
    minor = [f"{left // small} {name}" for name, small in rest if left // small]
    return " ".join([f"{whole} {unit}", *minor])


def show_bytes(count: float) -> str:
    """A number of bytes in decimal units: `6.2 GB`, `410 MB`."""
    if count >= _GB:
        return f"{count / _GB:.1f} GB"
    return f"{count / _MB:.0f} MB" if count >= _MB else f"{count / 1000:.0f} kB"


def show_limit(count: int) -> str:
    """A configured size in the units it was written in: `1 GiB`."""
    if count % _GIB == 0:
        return f"{count // _GIB} GiB"
    return f"{count // _MIB} MiB" if count % _MIB == 0 else f"{count:,} bytes"
