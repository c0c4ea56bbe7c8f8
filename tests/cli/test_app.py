import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from usfast.cli import app as app_module
from usfast.cli.app import app

Run = Callable[..., Any]
MAIN = [sys.executable, "-c", "from usfast.cli import main; main()"]


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_version(usfast: Run) -> None:
    result = usfast("--version")
    assert (result.exit_code, result.output) == (0, f"usfast {version('usfast')}\n")


def test_help_names_every_command(usfast: Run) -> None:
    result = usfast("--help")
    assert result.exit_code == 0
    assert all(command in result.output for command in ("info", "compound", "show", "convert", "demo"))


@pytest.mark.parametrize("args", [["--nonsense"], ["nonsense"], ["info"], ["info", "--nonsense", "a"], ["show"]])
def test_usage_errors_exit_2(usfast: Run, args: list[str]) -> None:
    assert usfast(*args).exit_code == 2


def test_bad_input_is_one_line_without_a_traceback(usfast: Run, tmp_path: Path) -> None:
    result = usfast("info", tmp_path / "nothing.igs.mha")
    assert result.exit_code == 2
    assert result.output.startswith("usfast: ") and result.output.count("\n") == 1


def test_debug_shows_the_traceback(usfast: Run, tmp_path: Path) -> None:
    result = usfast("--debug", "info", tmp_path / "nothing.igs.mha")
    assert result.exit_code == 2
    assert "Traceback" in result.output


def test_our_own_mistakes_are_told_as_such(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise KeyError("oops")

    monkeypatch.setattr(sys, "argv", ["usfast", "info", "a"])
    monkeypatch.setattr(app_module, "app", broken)
    with pytest.raises(SystemExit) as caught:
        app_module.run()
    assert caught.value.code == 1
    assert "internal error, please report it: KeyError: 'oops'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["usfast", "--debug", "info", "a"])
    with pytest.raises(KeyError):
        app_module.run()


def test_plain_text_when_nobody_watches(sweep_file: Path) -> None:
    run = subprocess.run([*MAIN, "info", sweep_file], capture_output=True, text=True, check=True)
    assert "\x1b" not in run.stdout and run.stderr == ""
    assert not any(line.endswith(" ") for line in run.stdout.splitlines())


def test_errors_go_to_stderr(tmp_path: Path) -> None:
    run = subprocess.run([*MAIN, "info", tmp_path / "nothing.mha"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert "nothing.mha" in run.stderr and "Traceback" not in run.stderr


def test_brackets_in_names_are_no_markup(usfast: Run, sweep_file: Path) -> None:
    odd = sweep_file.rename(sweep_file.with_name("[bold]a[red].igs.mha"))
    result = usfast("info", odd)
    assert result.exit_code == 0 and "[bold]a[red].igs.mha" in result.output


def test_import_usfast_loads_no_command_line() -> None:
    code = "import sys, usfast, usfast.cli; print({'typer', 'rich', 'matplotlib', 'SimpleITK'} & {*sys.modules})"
    assert _python(code).strip() == "set()"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, usfast.cli.app; print({'matplotlib', 'SimpleITK', 'scipy', 'h5py', 'pydicom', 'imageio'}"
        " & {*sys.modules})"
    )
    assert _python(code).strip() == "set()"


def test_every_command_has_help() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        result = CliRunner().invoke(app, [command.callback.__name__, "--help"])
        assert result.exit_code == 0, result.output
