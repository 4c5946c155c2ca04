"""Latency and throughput of forecasts by a fitted demand model on Milvus Lite.

    python benchmarks/predict.py [--items 26000] [--runtime onnx-int8] [--queries 600]

The model learns from product lines of Complete Journey and forecasts lines that it has not seen, all at
once and then one at a time. Percentiles are of the clock over single forecasts, warm: the batch before them
has had the rows of the local file read into memory, as some 500 single forecasts would. Encoding is shown
for itself too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from output import argument_parser, print_header
from timing import versions
from zeroshot_core import KnowledgeGraph, ZeroShotRegressor
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import HashEncoder, load_encoder
from zeroshot_core.evaluation.demand import linked_items
from zeroshot_core.types import Item

_WARM = 10


def main() -> None:
    """Fit, then time forecasts."""
    parser = argument_parser(__doc__)
    parser.add_argument("--items", type=int, default=26_000)
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--runtime", choices=("torch", "onnx", "onnx-int8", "hash"), default="onnx-int8")
    options = parser.parse_args()
    items, targets, graph = _lines()
    order = np.random.default_rng(0).permutation(len(items))
    n_known = min(options.items, len(items) - options.queries)
    known, asked = order[:n_known], order[n_known : n_known + options.queries]
    encoder = HashEncoder(384) if options.runtime == "hash" else load_encoder(runtime=options.runtime)
    with tempfile.TemporaryDirectory() as folder:
        model = ZeroShotRegressor(encoder, graph).fit([items[i] for i in known], targets[known])
        model.save(f"{folder}/model")
        model.close()
        served = ZeroShotRegressor.load(f"{folder}/model", encoder=encoder)
        queries = [items[i] for i in asked]
        print(versions("milvus-lite", "pymilvus", "onnxruntime"), f"- {n_known} items, {options.runtime}")
        start = time.perf_counter()
        served.predict(queries)
        print(f"all {len(queries)} at once: {len(queries) / (time.perf_counter() - start):,.0f} /s\n")
        print_header("forecast", "p50", "p95")
        one = [[item] for item in queries]
        _report("one, end to end", one, served.predict)
        _report("one, encoding alone", one, lambda query: encoder.encode([query[0].text], role="query"))
        _report("one, with its interval", one, served.predict_interval)
        served.close()


def _lines() -> tuple[list[Item], Any, KnowledgeGraph]:
    lines = load_product_lines()
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, edges=lines.graph_edges)
    return list(linked_items(lines)), lines.units, graph


def _report(title: str, queries: list[list[Item]], run: Callable[[list[Item]], Any]) -> None:
    for query in queries[:_WARM]:
        run(query)
    seconds = []
    for query in queries[_WARM:]:
        start = time.perf_counter()
        run(query)
        seconds.append(time.perf_counter() - start)
    median, high = 1e3 * np.percentile(seconds, [50, 95])
    print(f"| {title} | {median:.1f} ms | {high:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
