"""Run a real Milvus server without Docker, from the PyPI package `milvus` in an environment of its own.

    milvus_server.py run [--data DIR] [--port N] -- CMD...    serve while CMD runs, with ZEROSHOT_TEST_URI set
    milvus_server.py start [--data DIR] [--port N]            serve until `stop`
    milvus_server.py stop

`make milvus` makes the environment. Every port is a free one, so that several servers live side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".milvus"
SERVER = HOME / "env" / "bin" / "milvus-server"
RECORD = HOME / "server.json"
START_SECONDS = 180
STOP_SECONDS = 20
PORTS = (
    "etcd",
    "root-coord",
    "proxy-internal",
    "query-coord",
    "query-node",
    "index-coord",
    "index-node",
    "data-coord",
    "data-node",
)


def main(argv: list[str] | None = None) -> int:
    """Read the command line; the exit status is that of CMD, or 1 if the server fails."""
    options = _parser().parse_args(argv)
    try:
        if options.action == "run":
            return run(options.command, server=options.server, data=options.data, port=options.port)
        if options.action == "start":
            return start(server=options.server, data=options.data, port=options.port)
        return stop()
    except RuntimeError as error:
        sys.stderr.write(f"milvus_server: {error}\n")
        return 1


class MilvusServer:
    """A server with a folder and a port of its own, which may be killed and begun again; for ``with``.

    Parameters
    ----------
    data
        Folder of its files.
    executable
        The milvus-server to run.
    port
        To listen on; a free one if not given.

    Raises
    ------
    RuntimeError
        If it is not healthy within three minutes.
    """

    def __init__(self, data: Path, *, executable: Path = SERVER, port: int | None = None) -> None:
        self._data, self._executable, self._port = data, executable, port
        self.port = 0
        self.begin()

    @property
    def pid(self) -> int:
        """Process id, and that of its group."""
        return self._process.pid

    @property
    def uri(self) -> str:
        """Address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Serve, after a kill on the same port as before, and return when requests are answered."""
        if self.port:
            self._process = _serve_again(self._data)
        else:
            self._process, self.port = _serve(self._executable, self._data, self._port)
        try:
            _wait_until_healthy(self._process, self.port, self._data)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it by SIGKILL, wherever it is."""
        os.killpg(self.pid, signal.SIGKILL)
        _wait_until_ended(self.pid)
        self._process.wait()

    def stop(self) -> None:
        """End the server and what it started: first politely, then for good."""
        _stop_group(self.pid)
        self._process.wait()

    def __enter__(self) -> MilvusServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def run(command: list[str], *, server: Path, data: Path | None, port: int | None) -> int:
    """Serve while a command runs; its exit status. Without `data` the server's files are thrown away."""
    # Ended from outside, it still has the server to end, which lives in a process group of its own.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with (
        tempfile.TemporaryDirectory(prefix="milvus-", ignore_cleanup_errors=True) as scratch,
        MilvusServer(data or Path(scratch), executable=server, port=port) as served,
    ):
        environment = {**os.environ, "ZEROSHOT_TEST_URI": served.uri}
        return subprocess.run(command, env=environment, check=False).returncode


def start(*, server: Path, data: Path | None, port: int | None) -> int:
    """Serve until `stop`, and write the address to standard output."""
    if RECORD.exists() and _is_alive(json.loads(RECORD.read_text())["pid"]):
        raise RuntimeError("expected no server of ours to run, got one; stop it first")
    served = MilvusServer(data or HOME / "data", executable=server, port=port)
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps({"pid": served.pid, "port": served.port}))
    sys.stdout.write(f"{served.uri}\n")
    return 0


def stop() -> int:
    """End the server that `start` began, by its own process id."""
    if not RECORD.exists():
        raise RuntimeError("expected a server begun by start, got none")
    _stop_group(json.loads(RECORD.read_text())["pid"])
    RECORD.unlink()
    return 0


def _serve(server: Path, data: Path, port: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """Begin a server in a process group of its own; the process and its port."""
    if not server.exists():
        raise RuntimeError(f"expected {server}, got nothing there; run `make milvus`")
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    free = _free_ports(len(PORTS) + 2)
    ports = dict(zip(PORTS, free[2:], strict=True))
    port = port or free[0]
    etcd = data / "etcd.yaml"
    etcd.write_text(_etcd_settings(client=ports["etcd"], peer=free[1]))
    arguments = [str(server.absolute()), "--data", str(data), "--proxy-port", str(port)]
    for name, number in ports.items():
        arguments += [f"--{name}-port", str(number)]
    return _begun(arguments, data), port


def _serve_again(data: Path) -> subprocess.Popen[bytes]:
    """Begin a server that was killed, on the same ports.

    `milvus-server` would take others, since the system keeps those of a killed process for a minute; so its
    settings are left as they are, and what it runs is run.
    """
    data = data.resolve()
    folder = data / "bin"
    environment = {
        "DEPLOY_MODE": "STANDALONE",
        "LD_LIBRARY_PATH": str(folder),
        "METRICS_PORT": str(_free_ports(1)[0]),
        "MILVUS_RUN_DIR": str(data / "run"),
    }
    return _begun([str(folder / "milvus"), "run", "standalone"], data, environment)


def _begun(
    arguments: list[str], data: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Begin a process in a group of its own."""
    settings = {"ETCD_CONFIG_PATH": str(data / "etcd.yaml"), "PYTHONUNBUFFERED": "1"}
    with (data / "server.log").open("wb") as log:
        return subprocess.Popen(
            arguments,
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **settings, **(environment or {})},
            start_new_session=True,
        )


def _etcd_settings(*, client: int, peer: int) -> str:
    """Write settings for the etcd inside Milvus, whose ports the server's options leave alone."""
    return (
        f"listen-client-urls: http://127.0.0.1:{client}\n"
        f"advertise-client-urls: http://127.0.0.1:{client}\n"
        f"listen-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-cluster: default=http://127.0.0.1:{peer}\n"
    )


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, data: Path) -> None:
    """Return when the port is open and a request for the list of collections is answered."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if _answers(port):
            return
        time.sleep(0.5)
    log = (data / "server.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"expected the server to be healthy within {START_SECONDS} s, got:\n{log}")


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/vector/collections", timeout=5) as answer:
            return bool(json.load(answer).get("code") == 200)
    except (OSError, ValueError):
        return False


def _stop_group(pid: int) -> None:
    """End the server and what it started: first politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        _wait_until_ended(pid)


def _wait_until_ended(pid: int) -> None:
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end and _is_alive(pid):
        time.sleep(0.1)


def _is_alive(pid: int) -> bool:
    """Whether a process of the group is there; an ended one that nobody has waited for does not count."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", type=Path, default=SERVER, help="the milvus-server to run")
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("run", "start"):
        action = actions.add_parser(name)
        action.add_argument("--data", type=Path, help="folder of the server's files")
        action.add_argument("--port", type=int, help="port to listen on; a free one if not given")
        if name == "run":
            action.add_argument("command", nargs="+", metavar="CMD")
    actions.add_parser("stop")
    return parser


if __name__ == "__main__":
    sys.exit(main())
