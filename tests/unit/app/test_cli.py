from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dupscope import __version__
from dupscope.app.cli import cli, invoke

GOLDEN = Path(__file__).parents[2] / "golden" / "help.txt"
SCRIPT = Path(sys.executable).parent / "dupscope"
COMMANDS = ("run", "check", "keys", "findings", "verify", "agent", "demo")


class TestHelp:
    def test_is_the_golden_text(self, capsys):
        """Set UPDATE_GOLDEN=1 to accept a change, and review its diff."""
        for arguments in (["--help"], *([command, "--help"] for command in COMMANDS)):
            click.echo(f"$ dupscope {' '.join(arguments)}")
            assert invoke(arguments) == 0
        shown = capsys.readouterr().out
        if os.environ.get("UPDATE_GOLDEN") == "1":
            GOLDEN.write_text(shown)

        assert GOLDEN.read_text() == shown

    def test_every_command_is_in_it(self):
        assert set(COMMANDS) == set(cli.list_commands(click.Context(cli)))

    def test_the_version_is_told(self, capsys):
        assert invoke(["--version"]) == 0
        assert f"dupscope, version {__version__}\n" == capsys.readouterr().out


class TestInvoke:
    def test_a_wrong_configuration_is_told_line_by_line_and_ends_with_2(self, tmp_path, capsys):
        file = tmp_path / "dupscope.yaml"
        file.write_text("clusters: {a: {bootstrap.servers: x}}\npipelnes: {}\n")

        for command in (["run", "-c"], ["check", "-c"]):
            assert invoke([*command, str(file)]) == 2

            captured = capsys.readouterr()
            assert captured.out == ""
            assert captured.err == f"{file}: pipelnes: unknown key; did you mean 'pipelines'?\n"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["chekc"], "No such command 'chekc'"),
            (["check"], "Missing option '-c'"),
            (["keys"], "Missing argument 'TOPIC…'"),
            (["keys", "payments"], "name the cluster by either --bootstrap-server or -c"),
            (["keys", "payments", "-c", "x", "--bootstrap-server", "y"], "name the cluster by either"),
        ],
    )
    def test_a_wrong_command_line_says_what_is_wrong_and_ends_with_2(self, arguments, said, capsys):
        assert invoke(arguments) == 2
        assert said in capsys.readouterr().err

    def test_without_a_command_the_help_is_shown(self, capsys):
        assert invoke([]) == 2
        assert "Usage: dupscope" in capsys.readouterr().err


class TestMain:
    @pytest.mark.parametrize("program", [[sys.executable, "-m", "dupscope"], [str(SCRIPT)]])
    def test_exits_with_the_code_and_without_a_traceback(self, program, tmp_path):
        done = subprocess.run(
            [*program, "check", "-c", str(tmp_path / "absent.yaml")],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 2
        assert done.stderr == f"{tmp_path}/absent.yaml: cannot be read: No such file or directory\n"
