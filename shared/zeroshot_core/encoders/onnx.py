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
import tempfile
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, compress, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.processor import this_processor
from zeroshot_core.errors import ArtifactError, InvalidInputError, require
from zeroshot_core.files import write_json

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Ints, Vectors

__all__ = [
    "BATCH_TOKENS",
    "GRAPH",
    "Agreement",
    "OnnxSession",
    "Runtime",
    "WeightBits",
    "export_graph",
    "n_at_once",
    "quantise_graph",
]

Features: TypeAlias = Mapping[str, Any]
Runtime: TypeAlias = Literal["torch", "onnx", "onnx-int8"]
WeightBits: TypeAlias = Literal[7, 8]

GRAPH, _AGREEMENT, _MEASURED = "model.onnx", "agreement.json", "batch_tokens.json"
# Between which tokens in a batch a processor chooses, the first where it was not measured.
BATCH_TOKENS = (256, 512, 1024)
_WEIGHT_BITS = "weight_bits"
# Bytes of a graph that may lie in memory twice, for a tenth less time.
_OPENED_TWICE = 256_000_000
# The first opset with Gelu as one operator, which onnxruntime then fuses with the addition before it.
_OPSET = 20
_OUTPUT = "sentence_embedding"
_ROUNDING, _TINY = 1e-3, 1e-6
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
        if n_threads is None and self.weight_bits == 8 and this_processor().sums_in_16_bits:
            checks.warn(
                f"the graph in {folder} was made for a processor with VNNI, this one is {this_processor()}: "
                'it is right here too, but slow; in_runtime(encoder, "onnx-int8", weight_bits=7) suits both'
            )

    @cached_property
    def weight_bits(self) -> WeightBits | None:
        """Of how many bits the weights of its products are; None for an exact graph."""
        told = self._session.get_modelmeta().custom_metadata_map.get(_WEIGHT_BITS)
        return None if self.runtime == "onnx" else 8 if told == "8" else 7

    @cached_property
    def batch_tokens(self) -> int:
        """Tokens in a batch that were found the fastest on this processor; 256 where it was not measured."""
        return self._measured.get(this_processor().name, BATCH_TOKENS[0])

    @property
    def is_measured(self) -> bool:
        """Whether it is known which batches are the fastest on this processor."""
        return this_processor().name in self._measured

    def keep_batch_tokens(self, n: int) -> None:
        """Write beside the graph, by the processor, how many tokens in a batch are the fastest."""
        write_json(self.folder / _MEASURED, self._measured | {this_processor().name: n})
        self.batch_tokens = n

    @property
    def _measured(self) -> dict[str, int]:
        try:
            found = json.loads((self.folder / _MEASURED).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        pairs = found.items() if isinstance(found, dict) else ()
        return {name: int(n) for name, n in pairs if n in BATCH_TOKENS}

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
    # Weights of a graph that was made on another processor, if they would overflow on this one, are taken
    # through slower products that do not.
    options.add_session_config_entry("session.x64quantprecision", str(int(this_processor().sums_in_16_bits)))
    try:
        # The fused operator adds number by number, and takes four times as long as addition and norm.
        return runtime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],
        )
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


def quantise_graph(source: Path, path: Path, weight_bits: WeightBits, features: Sequence[Features]) -> None:
    """Write the graph with the weights of its matrix products in 8 bits, activations quantised as they come.

    Each output channel has a scale of its own; embeddings stay as they are.

    Parameters
    ----------
    weight_bits
        7 for processors without VNNI: these add pairs of products in 16 bits, which would overflow. Products
        that narrow stay exact then: they follow the activation function, whose few large values would leave
        the others few bits; on MiniLM and AVX2 that halves the loss of cosine for a tenth more time. 8 for
        other processors: all products are quantised, and those that don't narrow are smoothed, by which
        MiniLM loses about as little.
    features
        Of a few texts, on which the channels of activations are measured.
    """
    onnx: Any = require("onnx", extra="onnx")
    quantization: Any = require("onnxruntime.quantization", extra="onnx")
    graph = onnx.load(str(source))
    narrowing, others = _products(graph)
    if weight_bits == 8:
        _smooth(graph, others, features)
    # Says that shapes are inferred and operators folded, which the exporter has done.
    told = {"onnx.quant.pre_process": "onnxruntime.quant", _WEIGHT_BITS: str(weight_bits)}
    onnx.helper.set_model_props(graph, told)
    quantization.quantize_dynamic(
        graph,
        str(path),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=weight_bits == 7,
        nodes_to_exclude=[node.name for node in narrowing] if weight_bits == 7 else [],
        weight_type=quantization.QuantType.QInt8,
        use_external_data_format=graph.ByteSize() > _LARGE,
    )


def _products(graph: Any) -> tuple[list[Any], list[Any]]:
    """Products with a matrix of weights: those that narrow, and the others."""
    shapes = {each.name: tuple(each.dims) for each in graph.graph.initializer if len(each.dims) == 2}
    found = [node for node in graph.graph.node if node.op_type == "MatMul" and node.input[1] in shapes]
    narrows = [shapes[node.input[1]][0] > shapes[node.input[1]][1] for node in found]
    return list(compress(found, narrows)), list(compress(found, np.logical_not(narrows)))


def _smooth(graph: Any, products: Sequence[Any], features: Sequence[Features]) -> None:
    """Divide the channels of what products read, and multiply their weights, by factors that even both out.

    ``x W = (x / s) (s W)`` with ``s = sqrt(max |x| / max |W|)`` by channel: SmoothQuant (Xiao et al. 2023)
    with its exponent of one half. A channel of large values leaves the others more of the 8 bits then.
    """
    onnx: Any = require("onnx", extra="onnx")
    weights = {each.name: each for each in graph.graph.initializer}
    n_readers = Counter(name for node in graph.graph.node for name in node.input)
    readers: dict[str, list[Any]] = {}
    for node in products:
        # Weights that several layers share can't follow the input of each.
        if n_readers[node.input[1]] == 1:
            readers.setdefault(node.input[0], []).append(node)
    for (name, nodes), largest in zip(readers.items(), _largest(graph, [*readers], features), strict=True):
        matrices = [onnx.numpy_helper.to_array(weights[node.input[1]]) for node in nodes]
        reach = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
        factors = np.sqrt(np.maximum(largest, _TINY) / np.maximum(reach, _TINY))
        factors = np.clip(factors / np.median(factors), 1e-2, 1e2).astype(np.float32)
        smooth, divisor = f"{name}_smooth", f"{name}_divisor"
        graph.graph.initializer.append(onnx.numpy_helper.from_array(1 / factors, divisor))
        division = onnx.helper.make_node("Mul", [name, divisor], [smooth], name=smooth)
        graph.graph.node.insert(list(graph.graph.node).index(nodes[0]), division)
        for node, matrix in zip(nodes, matrices, strict=True):
            scaled = onnx.numpy_helper.from_array(matrix * factors[:, None], node.input[1])
            weights[node.input[1]].CopyFrom(scaled)
            node.input[0] = smooth


def _largest(graph: Any, names: Sequence[str], features: Sequence[Features]) -> list[Any]:
    """Largest absolute value in each channel of inner results of a graph, over some features."""
    onnx: Any = require("onnx", extra="onnx")
    open_graph = copy.deepcopy(graph)
    open_graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / GRAPH
        onnx.save(open_graph, str(path), save_as_external_data=graph.ByteSize() > _LARGE)
        session = _open(path, n_at_once())
        inputs = [each.name for each in session.get_inputs()]
        runs = [
            session.run(list(names), {name: np.asarray(each[name]) for name in inputs}) for each in features
        ]
    return [
        np.max([np.abs(rows).reshape(-1, rows.shape[-1]).max(axis=0) for rows in found], axis=0)
        for found in zip(*runs, strict=True)
    ]


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
