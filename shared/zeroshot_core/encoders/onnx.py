"""A model's graph in ONNX: run by onnxruntime, exported from torch whole with its pooling, and quantised.

The export is our own, for optimum, by which sentence-transformers exports, holds transformers below 5.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError, InvalidInputError, require

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Ints, Vectors

__all__ = [
    "GRAPH",
    "Agreement",
    "OnnxSession",
    "Runtime",
    "export_graph",
    "n_at_once",
    "quantise_graph",
]

Features: TypeAlias = Mapping[str, Any]
Runtime: TypeAlias = Literal["torch", "onnx", "onnx-int8"]

GRAPH, _AGREEMENT = "model.onnx", "agreement.json"
# Bytes of a graph that may lie in memory twice, for a tenth less time.
_OPENED_TWICE = 256_000_000
# The first opset with Gelu as one operator, which onnxruntime then fuses with the addition before it.
_OPSET = 20
_OUTPUT = "sentence_embedding"
_ROUNDING = 1e-3
# Above this size in bytes a graph does not fit into one file.
_LARGE = 1_500_000_000


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
            found = cls(**json.loads((folder / _AGREEMENT).read_text(encoding="utf-8")))
            for name, cosine in asdict(found).items():
                checks.real(name, cosine, least=-1 - _ROUNDING, most=1 + _ROUNDING)
            return found
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
        """Turn padded features of n texts into vectors, shape (n, d).

        Raises
        ------
        ArtifactError
            If the graph asks for other inputs, or fails on these.
        """
        try:
            rows = self._session.run(None, {name: np.asarray(features[name]) for name in self._inputs})[0]
            return np.asarray(rows, np.float32)
        except Exception as error:  # onnxruntime's have no base in common
            raise ArtifactError(
                f"expected a model's graph in {self.folder}, got one that cannot be run ({error}); "
                "delete the folder, and the graph is exported anew"
            ) from error

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

    So it follows OMP_NUM_THREADS and `torch.set_num_threads`, like the torch model; where torch is not there
    or not needed, the former, or the processors that this process may use.
    """
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads) > 0:
        return int(threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def export_graph(model: SentenceTransformer, features: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a model as a graph from tokens to sentence vectors, batch and length left open.

    Parameters
    ----------
    features
        Of at least two texts with at least two tokens, so that no dimension is taken for a constant.

    Raises
    ------
    InvalidInputError
        If the model has operations that cannot be exported.
    MissingExtraError
        If onnx or onnxscript is not installed.
    """
    import torch

    for module in ("onnx", "onnxscript"):
        require(module, extra="onnx")
    twin = copy.deepcopy(model).cpu().float().eval()
    # Attention in plain operators becomes matrix products, which run faster than the fused operator.
    network: Any = twin[0].model
    network.set_attn_implementation("eager")
    free = torch.export.Dim.DYNAMIC
    try:
        with _without_remarks(), torch.no_grad():
            program: Any = torch.onnx.export(
                _sentence_vectors(twin),
                kwargs={"features": {name: tensor.cpu() for name, tensor in features.items()}},
                dynamo=True,
                dynamic_shapes={"features": {name: {0: free, 1: free} for name in features}},
                input_names=list(features),
                output_names=[_OUTPUT],
                opset_version=_OPSET,
                verbose=False,
            )
            program.save(str(path), external_data=_size(twin) > _LARGE)
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError) as error:
        raise InvalidInputError(
            f"expected a model that can be exported to ONNX, got one that cannot ({_first_line(error)}); "
            'open it with runtime="torch"'
        ) from error


def quantise_graph(source: Path, path: Path) -> None:
    """Write the graph with the weights of its matrix products in 8 bits, activations quantised as they come.

    Weights take 7 of the 8 bits: processors without VNNI add pairs of products in 16 bits, which would
    overflow. Each output channel has a scale of its own. Embeddings stay as they are, and so do products that
    narrow: they follow the activation function, whose few large values would leave the others few bits. On
    MiniLM that halves the loss of cosine, from .008 to .004, for a tenth more time.
    """
    onnx: Any = require("onnx", extra="onnx")
    quantization: Any = require("onnxruntime.quantization", extra="onnx")
    graph = onnx.load(str(source))
    # Says that shapes are inferred and operators folded, which the exporter has done.
    onnx.helper.set_model_props(graph, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantization.quantize_dynamic(
        graph,
        str(path),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        nodes_to_exclude=_narrowing(graph),
        weight_type=quantization.QuantType.QInt8,
        use_external_data_format=graph.ByteSize() > _LARGE,
    )


def _narrowing(graph: Any) -> list[str]:
    """Names of the products whose weights have more rows than columns."""
    shapes = {each.name: tuple(each.dims) for each in graph.graph.initializer}
    products = [
        (node.name, shapes.get(node.input[1], ())) for node in graph.graph.node if node.op_type == "MatMul"
    ]
    return [name for name, shape in products if len(shape) == 2 and shape[0] > shape[1]]


def _sentence_vectors(model: SentenceTransformer) -> torch.nn.Module:
    import torch

    class SentenceVectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, features: dict[str, torch.Tensor]) -> Any:
            return self.model(dict(features))[_OUTPUT]

    return SentenceVectors().eval()


def _size(model: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep the exporter's remarks on torch's own future, and on packages not needed, off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
