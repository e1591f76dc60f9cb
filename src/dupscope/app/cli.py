"""The command line."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dupscope import __version__
from dupscope.model.errors import DupscopeError
from dupscope.model.layer import Layer

OK, WRONG_USE, INTERRUPTED = 0, 2, 130

_CONFIG = click.option(
    "-c",
    "--config",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The configuration, for example dupscope.yaml.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "terminal_width": 88})
@click.version_option(__version__, prog_name="dupscope")
def cli() -> None:
    """Finds duplicates in Kafka pipelines and names the layer that made them: produce, mirror or consume.

    It changes nothing that it watches: it joins no consumer group, commits nothing, writes to no topic.

    Start with 'dupscope demo', then 'dupscope keys TOPIC…' on a topic of your own.
    """


@cli.command()
@_CONFIG
@click.option("--until-caught-up", is_flag=True, help="End when all that was there at the start is judged.")
@click.option(
    "--ledger",
    "ledger_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write one JSON line per case with more than one copy or effect.",
)
def run(file: Path, *, until_caught_up: bool, ledger_file: Path | None) -> int:
    """Watch the pipelines: export metrics and log every duplicate."""
    from dupscope.app.run import run as watch  # noqa: PLC0415 - brings servers that no other command needs
    from dupscope.config.load import load  # noqa: PLC0415 - an agent must stay small

    config = load(file, os.environ)
    return watch(config, until_caught_up=until_caught_up, ledger_file=ledger_file)


@cli.command()
@_CONFIG
@click.option("--offline", is_flag=True, help="Check the file only; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--sample", default=2000, show_default=True, type=click.IntRange(1), help="Records per topic.")
@click.option(
    "--seconds",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0),
    help="How long to measure the rate.",
)
def check(file: Path, *, offline: bool, as_json: bool, sample: int, seconds: float) -> int:
    """Check a configuration, the access that it needs, and what it costs.

    Ends with 0 when nothing is wrong (there may be warnings), with 1 when something is, and with 2 when the
    file itself is.
    """
    from dupscope.app.check import CheckOptions, check_file  # noqa: PLC0415 - an agent must stay small

    return check_file(file, os.environ, CheckOptions(offline, as_json, sample, seconds))


@cli.command()
@click.argument("topics", nargs=-1, required=True, metavar="TOPIC…")
@click.option(
    "--bootstrap-server",
    "servers",
    multiple=True,
    metavar="A[,…]",
    help="A cluster without credentials. Give it twice for a source and its mirror.",
)
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take the clusters, with their credentials, from a configuration instead.",
)
@click.option("--sample", default=2000, show_default=True, type=click.IntRange(10), help="Records per topic.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a first configuration; an existing file is never overwritten.",
)
def keys(
    topics: tuple[str, ...], *, servers: tuple[str, ...], file: Path | None, sample: int, write: Path | None
) -> int:
    """Propose business keys for topics from a sample of their records.

    A business key names one business fact, such as a payment: two records with the same one are copies.
    Nothing is changed on the cluster, and no value of a record is shown.
    """
    if bool(servers) == bool(file):
        raise click.UsageError("name the cluster by either --bootstrap-server or -c")
    from dupscope.app.keys import KeysOptions, propose_keys  # noqa: PLC0415 - an agent must stay small

    return propose_keys(topics, KeysOptions(servers, file, sample, write), os.environ)


@cli.command()
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The configuration; it says where the state is.",
)
@click.option(
    "--state",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The state folder itself, in place of a configuration.",
)
@click.option("--since", metavar="WHEN", help="Detected since: '2h' ago, or a time: 2026-11-23T10:00:00Z.")
@click.option("--until", metavar="WHEN", help="Detected before; as --since.")
@click.option("--pipeline", metavar="NAME", help="Only of this pipeline.")
@click.option("--layer", type=click.Choice(list(map(str, Layer))), help="Only made by this layer.")
@click.option("--stage", metavar="NAME", help="Only of this stage.")
@click.option("--incident", metavar="ID", help="Only of this incident.")
@click.option(
    "--limit", default=0, type=click.IntRange(0), metavar="N", help="Only the newest N findings.  [0: all]"
)
@click.option("--json", "form", flag_value="json", help="Print one JSON object: incidents and findings.")
@click.option("--csv", "form", flag_value="csv", help="Print one finding a line, as CSV.")
def findings(file: Path | None, folder: Path | None, form: str | None, **wanted: Any) -> int:  # noqa: ANN401 - the options above
    """Show what was found, by incident; also while 'run' is running.

    Reads the stored state and changes nothing. Ends with 0 whether there are findings or not.
    """
    if bool(file) == bool(folder):
        raise click.UsageError("name the state by either -c or --state")
    from dupscope.app.findings import Wanted, Where, show_findings  # noqa: PLC0415 - brings the metrics

    return show_findings(Where(file, folder), Wanted(**wanted), form or "text")


@cli.command()
@_CONFIG
@click.option(
    "--sample",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Keys of each pipeline.",
)
@click.option(
    "--seed", type=int, metavar="NUMBER", help="Which keys: the same ones each time.  [default: others]"
)
@click.option("--pipeline", metavar="NAME", help="Only this pipeline.")
@click.option(
    "--wait",
    "wait_seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for what 'run' has not judged yet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(file: Path, *, seed: int | None, **options: Any) -> int:  # noqa: ANN401 - the options above
    """Read some keys again and tell whether what was found is true.

    Reads them from Kafka and the audit logs, and judges them by simple loops that share nothing with what
    'run' does. Works while that is running, and changes nothing.

    Ends with 0 when all that could be compared is equal, with 1 when something differs or nothing could be
    compared, and with 2 when it could not be done.
    """
    from dupscope.app.verify import VerifyOptions, verify_file  # noqa: PLC0415 - brings clients

    chosen = secrets.randbelow(1 << 31) if seed is None else seed
    return verify_file(file, VerifyOptions(seed=chosen, **options))


@cli.command()
@_CONFIG
def agent(file: Path) -> int:
    """Ship the audit lines of one pod to a topic, for a sink of several consumers.

    Follows the files beside one consumer. Takes a file of its own, agent.yaml: cluster, topic, files.
    """
    from dupscope.app.agent import run_agent  # noqa: PLC0415 - nothing else needs it

    return run_agent(file, os.environ)


@cli.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print one object: what was planted, what was reported."
)
@click.option("--keep", is_flag=True, help="Leave metrics and page up at the end, until interrupted.")
def demo(*, as_json: bool, keep: bool) -> int:
    """Plant duplicates at every layer and find them.

    Needs nothing but this program: the clusters live in its own processes, and go with them.
    """
    from dupscope.app.demo.story import demo as tell  # noqa: PLC0415 - brings mock clusters

    return tell(as_json=as_json, keep=keep)


def invoke(arguments: Sequence[str]) -> int:
    """Run a command line. Gives the exit code; what went wrong is on standard error, in words."""
    try:
        code = cli.main(list(arguments), prog_name="dupscope", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except DupscopeError as error:
        click.echo(f"{error}", err=True)
        return WRONG_USE
    return code if isinstance(code, int) else OK


def main() -> None:
    """Entry point of the console script."""
    sys.exit(invoke(sys.argv[1:]))
