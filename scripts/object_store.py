"""A small S3 on this machine, for tests: moto, in an environment of its own (`make object-store`)."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SERVER", "object_store"]

SERVER = Path(__file__).resolve().parent.parent / ".s3" / "bin" / "moto_server"
_START_S = 60


@contextmanager
def object_store() -> Iterator[str]:
    """Serve buckets from memory, and give the address.

    Raises
    ------
    RuntimeError
        If it does not listen within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [str(SERVER), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        served.kill()
        served.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"expected the object store to listen within {_START_S} s, got nothing")
