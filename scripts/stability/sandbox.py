"""Where a part works: processes that may die, and files of others beside its own."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["DeadWorkerError", "FilesOfOthers", "Worker"]

_PRELOADED = [
    "pymilvus",
    "milvus_lite.adapter.grpc.server",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
    "safetensors.numpy",
    "zeroshot_core.prediction",
    "zeroshot_core.classification.classifier",
    "zeroshot_core.regression.regressor",
    "scripts.stability.samples",
    "hypothesis",
    "pandas",
]


class DeadWorkerError(Exception):
    """A process ended without an answer."""


class Worker:
    """A process of its own, forked from one that has imported everything and has no threads.

    Parameters
    ----------
    function
        Of a module; called with the arguments and a function that sends one message to this process.
    """

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(function, arguments, theirs))
        self.process.start()
        theirs.close()

    def receive(self, seconds: float) -> Any:
        """Wait for the next message.

        Raises
        ------
        TimeoutError
            If none comes in time; the process is killed then.
        DeadWorkerError
            If the process has ended, or raised something.
        """
        if not self.pipe.poll(seconds):
            self.kill()
            raise TimeoutError(f"no answer within {seconds:.0f} s")
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise DeadWorkerError(f"ended with status {self.process.exitcode}") from None
        if kind == "error":
            raise DeadWorkerError(value)
        return value

    def kill(self) -> None:
        """End it by SIGKILL, wherever it is."""
        self.process.kill()
        self.process.join()

    def end(self, seconds: float = 20.0) -> None:
        """Wait for its end; a process that does not end is killed.

        Raises
        ------
        DeadWorkerError
            If its status is not 0.
        """
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.kill()
            raise DeadWorkerError(f"did not end within {seconds:.0f} s")
        if self.process.exitcode:
            raise DeadWorkerError(f"ended with status {self.process.exitcode}")


def _work(function: Callable[..., None], arguments: tuple[Any, ...], pipe: Any) -> None:
    # One that is killed while it sends must not take the pipe of another with it.
    def send(value: Any) -> None:
        with suppress(BrokenPipeError):
            pipe.send(("value", value))

    try:
        function(*arguments, send)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        pipe.send(("error", f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"[:600]))
        raise SystemExit(1) from None
    finally:
        pipe.close()


class FilesOfOthers:
    """Files of somebody else, with names like ours, beside what a part writes.

    Parameters
    ----------
    folder
        Where they are put.
    """

    _NAMES = (
        "index-products.db/manifest.json",
        "index-products.db/collections/goods/data",
        "encoder-tuned/model.safetensors",
        "state-of-affairs/report.txt",
        "model.json.bak",
        "notes.txt",
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in self._NAMES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"not ours: {name}\n", encoding="utf-8")
        self._before = self._digests()

    def touched(self) -> list[str]:
        """Names of those that are gone or have changed."""
        now = self._digests()
        return [name for name, digest in self._before.items() if now.get(name) != digest]

    def _digests(self) -> dict[str, str]:
        return {
            name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
            for name in self._NAMES
            if (self.folder / name).is_file()
        }
