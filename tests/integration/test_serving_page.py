"""The commands of the page on serving, and the files that it names, run or held against the code."""

import contextlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import typer
from aisle_samples import saved_aisles
from pages import ROOT
from zeroshot_core.cli.main import app

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
PROGRAM = [sys.executable, "-c", "from zeroshot_core.cli.main import app; app()"]
NOT_SERVED = {"torch", "transformers", "sentence-transformers"}


def lines(start: str) -> list[list[str]]:
    """Words of the page's commands that begin so."""
    return [shlex.split(line) for line in PAGE.splitlines() if line.startswith(start)]


def parsed(words: list[str]) -> dict[str, object]:
    """Options that a command of `zeroshot` is given, as it reads them."""
    group = typer.main.get_command(app)
    command = group.commands[words[0]]
    return command.make_context(words[0], words[1:]).params


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_service_started_as_the_page_says_answers_what_it_says_and_ends_well(tmp_path: Path) -> None:
    saved_aisles(tmp_path / "aisles")
    (words,) = lines("zeroshot serve")
    port = str(free_port())
    command = [*PROGRAM, *(port if word == "8000" else word for word in words[1:])]
    service = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until_ready(client)
            # The nightly command runs beside it.
            (tmp_path / "new.csv").write_text("text\nred wine\n")
            beside = subprocess.Popen(
                [*PROGRAM, "predict", "--model", "aisles", "new.csv"], cwd=tmp_path, stdout=subprocess.PIPE
            )
            asked = lines("curl ")
            for _, url, *options in asked:
                header, body = options[1], options[3]
                path = url.partition("8000")[2]
                reply = client.post(path, content=body, headers=[header.split(": ")])
                assert reply.status_code == 200, reply.text
            assert len(asked) == 4
            assert b"drinks" in beside.communicate(timeout=120)[0]
    finally:
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=60)

    assert service.returncode == 0, said


def wait_until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.ConnectError):
            if client.get("/ready").status_code == 200:
                return
        time.sleep(0.05)


def test_the_commands_for_agents_are_known() -> None:
    assert [parsed(words[1:])["http"] for words in lines("zeroshot mcp")] == [False, True]


def test_the_dockerfile_starts_what_the_page_runs() -> None:
    steps = re.findall(r"^([A-Z]+) (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: rest for name, rest in steps}
    run = " ".join(lines("docker run")[0])
    (mounted,) = re.findall(r"-v \./aisles:(\S+):ro", run)
    (port,) = re.findall(r"-p 8000:(\d+)", run)
    words = [word.strip(' "') for word in told["CMD"].strip("[]").split(",")]

    assert (told["ENTRYPOINT"], told["EXPOSE"]) == ('["zeroshot"]', port)
    options = parsed(words)
    assert (str(options["model"]), options["host"], str(options["port"])) == (mounted, "0.0.0.0", port)
    assert steps[0][0] == "FROM"
    assert "USER" in told
    sources = [source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]]
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert all((ROOT / source).exists() for source in sources)
    assert {f"!{source}" for source in sources} == {line for line in kept if line.startswith("!")}


def test_what_is_installed_for_serving_is_what_the_package_needs_but_torch() -> None:
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    runtime = [one for one in extras["onnx"] if one.startswith(("onnxruntime", "tokenizers"))]
    needed = {*project["dependencies"], *extras["serve"], *extras["mcp"], *runtime}
    text = (ROOT / "requirements-serve.txt").read_text(encoding="utf-8")
    listed = {line for line in text.splitlines() if not line.startswith("#")}

    assert {one for one in needed if re.match(r"[\w-]+", one)[0] not in NOT_SERVED} == listed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "--model", "nowhere"), "expected a saved model in nowhere"),
        (("serve", "--model", "aisles", "--writable", "--workers", "2"), "expected one worker"),
        (("serve", "--model", "aisles", "--writable", "--host", "0.0.0.0"), "set ZEROSHOT_TOKEN"),
        (("mcp", "--model", "nowhere"), "expected a saved model in nowhere"),
    ],
)
def test_a_service_that_cannot_be_says_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZEROSHOT_TOKEN", raising=False)
    if "aisles" in words:
        saved_aisles(tmp_path / "aisles")
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 1
    assert said in result.stderr
