"""Texts encoded by sentence-transformers and by this package, in turns on the same machine.

Two kinds of texts: product lines of Complete Journey (about 19 tokens) and news cut at 256 tokens; 1, 32 and
`--texts` of them at a time, each text once. sentence-transformers runs at the batch size that was best for it
in a trial before. Its own ONNX path needs optimum-onnx, which brings transformers back to version 4.

    OMP_NUM_THREADS=2 python benchmarks/encode.py [--texts 1000] [--rounds 7]

Ratios are medians over the rounds of the baseline's time by the contestant's: on the clock, and of the
processor; the head names it, and says how many threads. The agreement of vectors with the baseline is the
cosine, mean and lowest.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from output import argument_parser
from timing import print_head, print_table, race, versions
from zeroshot_core.datasets import load_labelled_texts, load_product_lines
from zeroshot_core.encoders import in_runtime, load_encoder
from zeroshot_core.encoders.onnx import n_at_once
from zeroshot_core.encoders.processor import this_processor

if TYPE_CHECKING:
    from zeroshot_core.encoders import TransformerEncoder

_BATCH_SIZES = (8, 16, 32, 64)
_BASELINE = "sentence-transformers"


def main() -> None:
    """Compare all contestants on both kinds of texts."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    base = load_encoder()
    ours = {runtime: in_runtime(base, runtime) for runtime in ("torch", "onnx", "onnx-int8")}
    print(
        f"{this_processor()}, {n_at_once()} threads, 8-bit weights of {ours['onnx-int8'].weight_bits} bits  "
    )
    print(versions("sentence-transformers", "torch", "transformers", "onnxruntime") + "\n")
    print_head("texts", "text")
    for kind, texts in _texts(options.texts).items():
        size = _best_batch_size(base, texts[: max(64, len(texts) // 5)])
        for n in (1, 32, len(texts)):
            _compare(f"{n} {kind}", base, ours, texts[:n], size, options.rounds * (1 if n > 32 else 5))
        expected = _theirs(base, texts[:200], size)
        for runtime in ("onnx", "onnx-int8"):
            cosines = (ours[runtime].encode(texts[:200]) * expected).sum(axis=1)
            print(f"{kind}, {runtime}: cosine {cosines.mean():.4f}, lowest {cosines.min():.4f}", flush=True)


def _texts(n: int) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    products = list(dict.fromkeys(item.text or "" for item in load_product_lines().items))
    news = [text for text in load_labelled_texts("bbc").train_texts if len(text.split()) >= 250]
    n_news = max(32, n // 10)
    return {
        "product lines": [products[i] for i in rng.permutation(len(products))[:n]],
        "news of 256 tokens": [news[i] for i in rng.permutation(len(news))[:n_news]],
    }


def _theirs(base: TransformerEncoder, texts: list[str], size: int) -> Any:
    return base.model.encode(texts, batch_size=size, normalize_embeddings=True, show_progress_bar=False)


def _best_batch_size(base: TransformerEncoder, texts: list[str]) -> int:
    runs = {str(size): lambda size=size: _theirs(base, texts, size) for size in _BATCH_SIZES}
    times = race(runs, rounds=3)
    best = min(times, key=lambda name: np.median(times[name].cpu))
    print(f"best batch size of {_BASELINE}: {best}", flush=True)
    return int(best)


def _compare(
    title: str,
    base: TransformerEncoder,
    ours: dict[str, TransformerEncoder],
    texts: list[str],
    size: int,
    rounds: int,
) -> None:
    contestants = {_BASELINE: lambda: _theirs(base, texts, size)}
    for runtime, encoder in ours.items():
        contestants[f"ours, {runtime}"] = lambda encoder=encoder: encoder.encode(texts)
    print_table(title, race(contestants, rounds), len(texts), _BASELINE)


if __name__ == "__main__":
    main()
