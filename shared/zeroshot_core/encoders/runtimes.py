"""Which engine runs a model: torch, or onnxruntime on a graph exported once and kept."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import platformdirs

from zeroshot_core import checks
from zeroshot_core.encoders.batching import feature_batches, plain_tokenizer
from zeroshot_core.encoders.fingerprint import runtime_fingerprint
from zeroshot_core.encoders.graph_encoder import FACTS, GraphEncoder, write_facts
from zeroshot_core.encoders.onnx import (
    BATCH_TOKENS,
    GRAPH,
    Agreement,
    OnnxSession,
    Runtime,
    WeightBits,
    export_graph,
    n_at_once,
    quantise_graph,
)
from zeroshot_core.encoders.processor import this_processor
from zeroshot_core.encoders.transformer import TransformerEncoder
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.files import new_folder

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["check_runtime", "in_runtime", "opened_graph"]

# Cosine to the torch model that each text of the sample must reach.
_LEAST_COSINE = {"onnx": 0.9999, "onnx-int8": 0.9}
# Batches are measured over these rounds, unless one takes more seconds; others must need this share of time.
_ROUNDS, _LONG, _CLEARLY = 3, 1.0, 0.95
# About 300 tokens.
_SAMPLE = (
    "lamp",
    "whole milk, 1 gallon, dairy",
    "Why was my card charged twice for $12.50?",
    "Crème brûlée, naïve Straße; ŁÓDŹ",
    "text in 日本語, 한국어 и русский",
    "An autosomal dominant disorder characterised by short stature, brachydactyly and a wide face.",
    "The committee said on Monday that it would raise rates by a quarter of a point, citing wages. " * 3,
    "A long report. " + "Sales of soup rose in the north, while bread and cheese fell in every region. " * 12,
)


def check_runtime(runtime: Runtime) -> None:
    """Refuse an unknown runtime, or one whose packages are missing.

    Raises
    ------
    InvalidInputError
        If the runtime is unknown.
    MissingExtraError
        If onnxruntime is not installed and the runtime needs it.
    """
    checks.choice("runtime", runtime, get_args(Runtime))
    if runtime != "torch":
        require("onnxruntime", extra="onnx")


def in_runtime(
    encoder: TransformerEncoder, runtime: Runtime, *, weight_bits: WeightBits | None = None
) -> TransformerEncoder:
    """Run the same weights in another engine.

    The graph is exported at the first use, checked against torch, and kept: beside a model that lies in a
    folder, else in the user's cache folder (``~/.cache/zeroshot-milvus`` on Linux; ``XDG_CACHE_HOME``). Which
    batches are fastest is measured once for each kind of processor, for a second or two, and kept beside it.

    Parameters
    ----------
    runtime
        ``"onnx"`` gives the vectors of torch to a cosine of .9999 and so keeps the fingerprint;
        ``"onnx-int8"`` computes in 8 bits, and has a fingerprint of its own; `TransformerEncoder.agreement`
        says how far its vectors lie from those of torch.
    weight_bits
        Of ``"onnx-int8"``, by default what suits this processor: 8 with VNNI, where all products are in 8
        bits; 7 on x86 without, where products that narrow are exact. Graphs of either kind give right vectors
        everywhere, but each its own, with a fingerprint of its own.

    Raises
    ------
    InvalidInputError
        If the runtime or the number of bits is unknown, the model cannot be exported, or the graph's vectors
        drift from torch's.
    MissingExtraError
        If a package of the extra ``onnx`` is not installed.
    """
    check_runtime(runtime)
    _check_bits(weight_bits, runtime)
    if runtime == encoder.runtime and weight_bits in (None, encoder.weight_bits):
        return encoder
    plain = encoder.running_on(None)
    if runtime == "torch":
        return plain
    if runtime == "onnx-int8" and weight_bits is None:
        weight_bits = 7 if this_processor().sums_in_16_bits else 8
    return plain.running_on(_session(plain, runtime, weight_bits))


def _check_bits(weight_bits: int | None, runtime: Runtime) -> None:
    if weight_bits is not None and (runtime != "onnx-int8" or weight_bits not in get_args(WeightBits)):
        raise InvalidInputError(
            f'expected weight_bits=7 or 8 with runtime="onnx-int8", got {checks.shown(weight_bits)} with '
            f"{runtime!r}; leave it out for what suits this processor"
        )


def _session(encoder: TransformerEncoder, runtime: Runtime, weight_bits: WeightBits | None) -> OnnxSession:
    key = runtime_fingerprint(encoder.fingerprint, weight_bits)
    places = [place / key for place in _places(encoder.name)]
    made = next((place for place in places if (place / GRAPH).exists()), None)
    if made is None:
        made = _make(encoder, runtime, weight_bits, places)
    can_write = os.access(made, os.W_OK)
    if can_write and not (made / FACTS).exists():
        write_facts(encoder, made)
    session = OnnxSession(made, runtime)
    if can_write and not session.is_measured:
        session.keep_batch_tokens(_fastest_batch_tokens(encoder, session))
    return session


def opened_graph(
    name: str, key: str, runtime: Runtime, open_model: Callable[[str], SentenceTransformer]
) -> GraphEncoder | None:
    """Open the graph of a model by its name and fingerprint in that runtime, where one was exported.

    Parameters
    ----------
    open_model
        Opens the model itself, if it is asked for.
    """
    # A config from elsewhere may have a path for a fingerprint.
    if not re.fullmatch("[0-9a-f]{16}", key):
        return None
    made = next((place / key for place in _places(name) if (place / key / FACTS).exists()), None)
    return None if made is None else GraphEncoder(made, name=name, runtime=runtime, open_model=open_model)


def _places(name: str) -> list[Path]:
    """Where graphs are looked for, and made in the first that can be written."""
    cache = platformdirs.user_cache_path("zeroshot-milvus", appauthor=False) / "onnx"
    beside = Path(name)
    return [beside / "onnx", cache] if beside.is_absolute() and beside.is_dir() else [cache]


def _make(
    encoder: TransformerEncoder, runtime: Runtime, weight_bits: WeightBits | None, places: list[Path]
) -> Path:
    place = next((place for place in places[:-1] if os.access(place.parents[1], os.W_OK)), places[-1])
    exact = None if weight_bits is None else _session(encoder, "onnx", None)
    try:
        with new_folder(place) as draft:
            draft.mkdir()
            if exact is not None and weight_bits is not None:
                alone = [each for _, each in feature_batches(encoder.model, _SAMPLE, prompt="", budget=1)]
                quantise_graph(exact.folder / GRAPH, draft / GRAPH, weight_bits, alone)
            else:
                export_graph(encoder.model, _sample_features(encoder), draft / GRAPH)
            _agreement(encoder, OnnxSession(draft, runtime)).write(draft)
            write_facts(encoder, draft)
    except OSError:
        # Another process may have made it in the meantime.
        if not (place / GRAPH).exists():
            raise
    return place


def _sample_features(encoder: TransformerEncoder) -> dict[str, torch.Tensor]:
    import torch

    if plain_tokenizer(encoder.model) is None:
        raise InvalidInputError(
            f"expected a model of plain texts to export to ONNX, got {encoder.name!r}, which has a "
            'preprocessing of its own; open it with runtime="torch"'
        )
    _, features = next(feature_batches(encoder.model, _SAMPLE[1:4], prompt="", budget=10**9))
    return {name: torch.as_tensor(values) for name, values in features.items()}


def _fastest_batch_tokens(encoder: TransformerEncoder, session: OnnxSession) -> int:
    """Encode the same texts in batches of each size in turns; the first unless another is clearly faster."""
    n_samples = 1 + n_at_once() * max(BATCH_TOKENS) // 300
    texts = [f"{text} {i}" for i in range(n_samples) for text in _SAMPLE]
    runs = [encoder.running_on(session, batch_tokens=n) for n in BATCH_TOKENS]

    def seconds(run: TransformerEncoder) -> float:
        start = time.perf_counter()
        run.encode(texts)
        return time.perf_counter() - start

    if seconds(runs[0]) > _LONG:
        return BATCH_TOKENS[0]
    took = np.min([[seconds(run) for run in runs] for _ in range(_ROUNDS)], axis=0)
    return BATCH_TOKENS[int(took.argmin()) if took.min() < _CLEARLY * took[0] else 0]


def _agreement(encoder: TransformerEncoder, session: OnnxSession) -> Agreement:
    """Compare texts alone and in batches with torch.

    Raises
    ------
    InvalidInputError
        If a text's vectors are further apart than the runtime may bring them.
    """
    other = encoder.running_on(session)
    alone = np.concatenate([other.encode([text]) for text in _SAMPLE])
    expected = encoder.encode(_SAMPLE)
    cosines = [*(other.encode(_SAMPLE) * expected).sum(axis=1), *(alone * expected).sum(axis=1)]
    found = Agreement(mean=float(sum(cosines) / len(cosines)), lowest=float(min(cosines)))
    least = _LEAST_COSINE[session.runtime]
    if not found.lowest >= least:
        raise InvalidInputError(
            f"expected the graph of {encoder.name!r} for {session.runtime!r} to agree with torch to a cosine "
            f"of {least}, got {found.lowest:.4f} at the lowest and {found.mean:.4f} on average; open it with "
            f"runtime={'torch' if session.runtime == 'onnx' else 'onnx'!r}"
        )
    return found
