import subprocess
import sys

import pytest
import typer
from cli_samples import Run
from typer.testing import CliRunner
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

    assert all(name in told for name in ("demo", "fit", "predict", "evaluate", "info"))


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
