"""How long a fresh process takes to open what was saved, and to answer once.

    python benchmarks/startup.py [--folder models] [--rounds 5] [--python PYTHON]

Three folders are made unless they are there: a demand model of all product lines of Complete Journey, fitted
with the graph (minutes), the retriever of that model, and a classifier of 18 texts; all run in ONNX. Each is
opened and asked one text by fresh processes in turns, each round in another order; then `zeroshot predict`
is asked one row. Medians over the rounds, of the clock; seconds of the processor beside the whole. Files are
in the system's cache: a round before the first is not counted. `--python` is of another environment, such as
one without torch, to measure there what was made here.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from output import argument_parser, print_command, print_header
from timing import versions
from zeroshot_core import KnowledgeGraph, ZeroShotClassifier, ZeroShotRegressor
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import load_encoder
from zeroshot_core.evaluation.demand import linked_items

_KINDS = ("demand", "retriever", "classifier")
_PHASES = ("import", "open", "first answer")
_TEXT = "white wine from Liguria"
_CHILD = """
import json, sys, time
kind, folder, text = sys.argv[1:]
at = [time.perf_counter()]
if kind == "retriever":
    from zeroshot_core.retrieval import Retriever
    load, ask = Retriever.load, "retrieve"
else:
    import importlib
    name = {"demand": "regression.regressor", "classifier": "classification.classifier"}[kind]
    importlib.import_module(f"zeroshot_core.{name}")
    from zeroshot_core.prediction import load_model as load
    ask = "predict"
at.append(time.perf_counter())
opened = load(folder, read_only=True)
at.append(time.perf_counter())
getattr(opened, ask)([text])
at.append(time.perf_counter())
print(json.dumps([end - start for start, end in zip(at, at[1:])]))
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Make what is not there, then time fresh processes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path("startup-models"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args(argv)
    _make(options.folder)
    row = options.folder / "row.csv"
    row.write_text(f"id,text\n1,{_TEXT}\n", encoding="utf-8")
    print_command(__file__, argv)
    print(f"Machine: {platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}  ")
    print(f"Versions: {versions('milvus-lite', 'numpy', 'onnxruntime', 'pymilvus', 'scikit-learn')}\n")
    script = ["-c", "from zeroshot_core.cli.main import app; app()"]
    runs = {kind: [options.python, "-c", _CHILD, kind, str(options.folder / kind), _TEXT] for kind in _KINDS}
    runs |= {
        f"zeroshot predict, {kind}": [
            options.python, *script, "predict", str(row), "--model", str(options.folder / kind), "--quiet",
        ]
        for kind in ("demand", "classifier")
    }  # fmt: skip
    print_header("process", *_PHASES, "whole process", "of the processor")
    for name, found in _race(runs, options.rounds).items():
        cells = [f"{seconds:.2f} s" if seconds >= 0 else "" for seconds in np.median(found, axis=0)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _make(folder: Path) -> None:
    missing = [kind for kind in _KINDS if not (folder / kind).exists()]
    encoder = load_encoder(runtime="onnx") if missing else None
    if "classifier" in missing:
        texts, labels = ["milk", "red wine", "bread", "soup", "cat food", "dog lead"], "drinks pantry pets"
        known = [label for label in labels.split() for _ in range(2)]
        ZeroShotClassifier(encoder).fit(texts * 3, known * 3).save(folder / "classifier", portable=True)
    if {"demand", "retriever"} & {*missing}:
        lines = load_product_lines()
        graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, edges=lines.graph_edges)
        model = ZeroShotRegressor(encoder, graph).fit(list(linked_items(lines)), lines.units)
        model.save(folder / "demand", portable=True, overwrite=True)
        model.retriever_.save(folder / "retriever", overwrite=True)


def _race(runs: dict[str, list[str]], rounds: int) -> dict[str, list[list[float]]]:
    """Seconds of each phase, the whole, and the processor; -1 where there are no phases."""
    found: dict[str, list[list[float]]] = {name: [] for name in runs}
    rng = np.random.default_rng(0)
    for number in range(rounds + 1):
        for name in rng.permutation(list(runs)).tolist():
            before, start = os.times(), time.perf_counter()
            told = subprocess.run(runs[name], capture_output=True, text=True, check=True).stdout
            whole, after = time.perf_counter() - start, os.times()
            phases = json.loads(told) if told.startswith("[") else [-1.0] * len(_PHASES)
            processor = after.children_user + after.children_system
            processor -= before.children_user + before.children_system
            if number:
                found[name].append([*phases, whole, processor])
    return found


if __name__ == "__main__":
    main()
