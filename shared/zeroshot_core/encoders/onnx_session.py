"""A model's graph run by onnxruntime."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from zeroshot_core.errors import ArtifactError, require

if TYPE_CHECKING:
    from zeroshot_core.types import Ints, Vectors

__all__ = ["GRAPH", "Agreement", "OnnxSession", "Runtime", "n_at_once"]

Features: TypeAlias = Mapping[str, Any]
Runtime: TypeAlias = Literal["torch", "onnx", "onnx-int8"]

GRAPH, _AGREEMENT = "model.onnx", "agreement.json"
# Bytes of a graph that may lie in memory twice, for a tenth less time.
_OPENED_TWICE = 256_000_000


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Cosines between a graph's vectors and those of the torch model, over texts of many kinds."""

    mean: float
    lowest: float

    def write(self, folder: Path) -> None:
        """Put it beside the graph."""
        (folder / _AGREEMENT).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Agreement:
        """Read what was measured at the export.

        Raises
        ------
        ArtifactError
            If it is not there, or damaged.
        """
        try:
            return cls(**json.loads((folder / _AGREEMENT).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(
                f"expected a model's graph and its agreement in {folder}, got a damaged one ({error}); "
                "delete the folder, and the graph is exported anew"
            ) from error


class OnnxSession:
    """Sentence vectors from a graph; safe to share between threads.

    Parameters
    ----------
    folder
        Where the graph lies.
    runtime
        How its numbers are kept.
    n_threads
        On how many a batch is computed; by default on all.

    Raises
    ------
    ArtifactError
        If the graph is damaged.
    MissingExtraError
        If onnxruntime is not installed.
    """

    def __init__(self, folder: Path, runtime: Runtime, *, n_threads: int | None = None) -> None:
        self.folder, self.runtime = folder, runtime
        self._session = _open(folder / GRAPH, n_threads or n_at_once())
        self._inputs = [each.name for each in self._session.get_inputs()]

    @cached_property
    def agreement(self) -> Agreement:
        """How near the graph's vectors are to those of torch."""
        return Agreement.read(self.folder)

    def run(self, features: Features) -> Vectors:
        """Turn padded features of n texts into vectors, shape (n, d)."""
        rows = self._session.run(None, {name: np.asarray(features[name]) for name in self._inputs})[0]
        return np.asarray(rows, np.float32)

    def run_each(self, batches: Iterable[tuple[Ints, Features]]) -> Iterator[tuple[Ints, Vectors]]:
        """Run batches side by side, `n_at_once`, and give them in their order.

        Several batches at once leave no thread waiting for another within an operator: at two threads that
        takes a third less time than one batch at a time on both. The batches to come are tokenised meanwhile.
        """
        source = iter(batches)
        head = list(islice(source, 2))
        n_threads = n_at_once() if len(head) == 2 else 1
        if n_threads == 1:
            yield from ((positions, self.run(features)) for positions, features in chain(head, source))
            return
        run = self._of_one_thread.run
        waiting: deque[tuple[Ints, Future[Vectors]]] = deque()
        with ThreadPoolExecutor(n_threads, thread_name_prefix="encoder") as pool:
            for positions, features in chain(head, source):
                waiting.append((positions, pool.submit(run, features)))
                if len(waiting) > 2 * n_threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()

    @cached_property
    def _of_one_thread(self) -> OnnxSession:
        """The graph opened once more, if small and still there: calls of one session share its threads."""
        files = self.folder.iterdir() if self.folder.is_dir() else ()
        is_small = 0 < sum(file.stat().st_size for file in files) <= _OPENED_TWICE
        return OnnxSession(self.folder, self.runtime, n_threads=1) if is_small else self


def n_at_once() -> int:
    """Batches that are run side by side: one on each thread of torch.

    So it follows OMP_NUM_THREADS and `torch.set_num_threads`, like the torch model.
    """
    import torch

    return torch.get_num_threads()


def _open(path: Path, n_threads: int) -> Any:
    runtime: Any = require("onnxruntime", extra="onnx")
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = n_threads
    # A thread that spins between operators takes the processor from the batch beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(
            f"expected a model's graph in {path}, got one that cannot be opened ({error}); "
            "delete its folder, and the graph is exported anew"
        ) from error
