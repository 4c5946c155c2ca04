import json
import subprocess
import sys

import pytest
import typer
from cli_samples import Run
from typer.testing import CliRunner
from zeroshot_core.cli import console
from zeroshot_core.cli.group import FailingPolitelyGroup
from zeroshot_core.errors import InvalidInputError


def app_that_raises(error: Exception) -> typer.Typer:
    app = typer.Typer(cls=FailingPolitelyGroup)

    @app.callback()
    def door() -> None: ...

    @app.command()
    def work() -> None:
        raise error

    return app


def test_all_commands_are_listed(run: Run) -> None:
    told = run("--help").stdout

    assert all(name in told for name in ("demo", "fit", "predict", "evaluate", "info", "serve", "mcp"))


@pytest.mark.parametrize(
    "words", [(), ("bake",), ("fit",), ("evaluate",), ("info", "--model", "m", "--loud")]
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize(
    "error", [InvalidInputError("expected this, got that"), OSError("expected this, got that")]
)
def test_a_known_failure_ends_with_1_and_one_sentence(error: Exception) -> None:
    result = CliRunner().invoke(app_that_raises(error), ["work"])

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "error: expected this, got that\n")


def test_a_fault_of_the_program_is_not_hidden() -> None:
    result = CliRunner().invoke(app_that_raises(ZeroDivisionError("division by zero")), ["work"])

    assert isinstance(result.exception, ZeroDivisionError)


def test_help_opens_without_the_heavy_libraries() -> None:
    program = "import sys, zeroshot_core.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not {"torch", "transformers", "pymilvus", "sklearn", "pandas"} & set(loaded.stdout.split())


@pytest.mark.filterwarnings("ignore")
def test_what_a_terminal_would_obey_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (console.note, console.write_line):
        write("red\x1b[31m\x9b1m\ud800\ttab")
    console.write_table("a\x1b]0;title\x07", ["head"], [["cell\x1b[2J"]])
    console.write_json({"text": "red\x1b[31m\x9b1m\x7f\ud800"})
    written = capsys.readouterr()
    assert not set(written.out + written.err) & set("\x1b\x9b\x07\x7f\ud800")
    assert written.err == "red\ufffd[31m\ufffd1m\ufffd\ttab\n"
    assert json.loads(written.out.splitlines()[-1]) == {"text": "red\x1b[31m\x9b1m\x7f\ufffd"}


def test_arguments_that_are_not_in_utf_8_get_one_sentence(run: Run) -> None:
    result = run("classify", "caf\udce9", "--labels", "a,b")
    assert result.exit_code == 2
    assert result.stderr.startswith(r"error: expected arguments in UTF-8, got b'caf\xe9'")


def test_input_that_is_not_in_utf_8_gets_one_sentence() -> None:
    result = CliRunner().invoke(
        app_that_raises(UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid")), ["work"]
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("error: expected input in UTF-8")
    assert result.stderr.count("\n") == 1
