"""Java programs of the Kafka distribution, small and quick to start."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support import artifacts, components
from support.process import LoggedProcess

FLAGS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


def command(main_class: str, *arguments: str, heap: str = "384m") -> list[str]:
    """A command line with `heap` at most. Asks for Java: skips or fails where there is none."""
    components.require("java")
    jars = artifacts.fetch(artifacts.kafka_version())
    java = shutil.which("java")
    assert java is not None
    return [java, f"-Xmx{heap}", *FLAGS, "-cp", str(jars / "*"), main_class, *arguments]


def run(log: Path, main_class: str, *arguments: str) -> None:
    """Run one program to its end. Raises with its log when it fails."""
    with log.open("ab") as out:
        done = subprocess.run(
            command(main_class, *arguments), stdout=out, stderr=out, cwd=log.parent, timeout=60, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{main_class} ended with {done.returncode}:\n{log.read_text()[-4000:]}")


def daemon(log: Path, main_class: str, *arguments: str) -> LoggedProcess:
    """A program that runs until it is ended; not started yet."""
    return LoggedProcess(command(main_class, *arguments), log)


def write_properties(path: Path, properties: dict[str, object]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path
