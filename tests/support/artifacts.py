"""Kafka from a Maven repository, cached in the project's own folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support import components

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_VERSION = "4.3.1"
SCALA = "2.13"
FETCH_TIMEOUT_SECONDS = 240


def kafka_version() -> str:
    """The version under test; DUPSCOPE_KAFKA_VERSION overrides it."""
    return os.environ.get("DUPSCOPE_KAFKA_VERSION", DEFAULT_VERSION)


def dependencies(version: str) -> list[tuple[str, str, str]]:
    return [
        ("org.apache.kafka", f"kafka_{SCALA}", version),
        ("org.apache.kafka", "connect-mirror", version),
        ("org.slf4j", "slf4j-simple", "1.7.36"),
    ]


def pom(version: str) -> str:
    """A Maven project that has nothing but the dependencies. Names no repository: Maven's settings do."""
    entries = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{number}</version></dependency>"
        for group, name, number in dependencies(version)
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>dupscope.tests</groupId><artifactId>kafka-rig</artifactId><version>1</version>"
        f"<dependencies>{entries}</dependencies></project>\n"
    )


def fetch(version: str) -> Path:
    """The folder of Kafka's jars. The cache holds a version whole or not at all: it is renamed into place."""
    target = ROOT / ".tools" / f"kafka-{version}"
    if target.is_dir():
        return target
    components.require("mvn")
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as folder:
        copy_dependencies(Path(folder), version)
        try:
            (Path(folder) / "jars").rename(target)
        except OSError:
            if not target.is_dir():
                raise
    return target


def copy_dependencies(folder: Path, version: str) -> None:
    """Let Maven put all jars into `folder`/jars. Raises with Maven's output when it fails."""
    (folder / "pom.xml").write_text(pom(version))
    done = subprocess.run(
        [maven(), "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=FETCH_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Maven could not fetch Kafka {version}:\n{done.stdout}\n{done.stderr}")


def maven() -> str:
    path = shutil.which("mvn")
    if path is None:
        raise RuntimeError("mvn is not installed")
    return path
