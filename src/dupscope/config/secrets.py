"""Client properties whose values are kept in files or in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dupscope.config.problems import Problems, join
from dupscope.config.values import PropertySpec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration refers to: its own folder, for relative paths, and the environment."""

    folder: Path
    env: Mapping[str, str]

    def path(self, text: str) -> Path:
        """A path of the file, relative ones taken from the file's own folder."""
        return self.folder / Path(text).expanduser()


def resolve(
    specs: Mapping[str, PropertySpec], surroundings: Surroundings, path: str, problems: Problems
) -> dict[str, str]:
    """The properties' values. What cannot be read is reported and left out."""
    found = {}
    for name, spec in specs.items():
        try:
            found[name] = _value(spec, surroundings)
        except ValueError as error:
            problems.add(join(path, name), str(error))
    return found


def _value(spec: PropertySpec, surroundings: Surroundings) -> str:
    if spec.kept_in == "here":
        return spec.value
    if spec.kept_in == "env":
        value = surroundings.env.get(spec.value, "")
        if not value:
            raise ValueError(f"environment variable {spec.value} is not set; set it before the start")
        return value
    return _read_secret(surroundings.path(spec.value))


def _read_secret(file: Path) -> str:
    try:
        value = file.read_text("utf-8").strip("\r\n")
    except OSError as error:
        raise ValueError(
            f"secret file {file} cannot be read: {error.strerror}; mount it or fix the path"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"secret file {file} is not text; it must hold the value alone") from None
    if not value:
        raise ValueError(f"secret file {file} is empty; it must hold the value alone")
    return value
