"""Loading of a large graph: seconds and peak memory of each loader, each in a process of its own.

    python benchmarks/graph_loading.py --relations 1000000 --seed 0

Prints one markdown table. The graph is random, with a third as many concepts as relations. The seconds hold
the checks of the graph; the memory is the peak of the process, the interpreter and the libraries included.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from output import argument_parser, print_command, print_header
from zeroshot_core import KnowledgeGraph

TYPES = ("is_a", "part_of", "causes", "treats")


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, write the files, load each in a process of its own."""
    parser = argument_parser(__doc__)
    parser.add_argument("--relations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loaders", nargs="+", choices=LOADERS, default=list(LOADERS))
    arguments = parser.parse_args(argv)
    print_command(__file__, argv)
    print_header("loader", "concepts", "relations", "seconds", "of the processor", "peak GB")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(1, maxtasksperchild=1) as pool:
        pool.apply(write_files, (Path(folder), arguments.relations, arguments.seed))
        for name in arguments.loaders:
            print(pool.apply(measure, (name, Path(folder))), flush=True)


def write_files(folder: Path, n_relations: int, seed: int) -> None:
    """Write one random graph in the formats of the loaders."""
    rng = np.random.default_rng(seed)
    n_concepts = max(2, n_relations // 3)
    bounds = (n_concepts, len(TYPES), n_concepts)
    triples = np.unique(rng.integers(0, bounds, (n_relations, 3)), axis=0).tolist()
    relations = [(f"C:{head:07}", TYPES[type_], f"C:{tail:07}", f"T:{head}") for head, type_, tail in triples]
    ids = [f"C:{i:07}" for i in range(n_concepts)]
    _write(folder / "concepts.csv", ["id,name,type", *(f"{id_},name of {id_},thing" for id_ in ids)])
    _write(folder / "relations.csv", ["head,type,tail,sources", *map(",".join, relations)])
    _write(folder / "graph.jsonl", _json_lines(ids, relations))
    _write(
        folder / "graph.nt",
        (f"<http://e/{head}> <http://e/{type_}> <http://e/{tail}> ." for head, type_, tail, _ in relations),
    )


def _json_lines(ids: list[str], relations: list[tuple[str, str, str, str]]) -> Iterator[str]:
    for id_ in ids:
        yield json.dumps({"concept": {"id": id_, "name": f"name of {id_}", "type": "thing"}})
    for head, type_, tail, source in relations:
        yield json.dumps({"relation": {"head": head, "type": type_, "tail": tail, "sources": [source]}})


def _write(path: Path, lines: list[str] | Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def _from_pandas(folder: Path) -> KnowledgeGraph:
    import pandas as pd

    return KnowledgeGraph.from_pandas(
        pd.read_csv(folder / "relations.csv"), pd.read_csv(folder / "concepts.csv")
    )


LOADERS: dict[str, Callable[[Path], KnowledgeGraph]] = {
    "csv": lambda folder: KnowledgeGraph.from_csv(folder / "relations.csv"),
    "csv-with-concepts": lambda folder: KnowledgeGraph.from_csv(
        folder / "relations.csv", folder / "concepts.csv"
    ),
    "jsonl": lambda folder: KnowledgeGraph.from_jsonl(folder / "graph.jsonl"),
    "pandas": _from_pandas,
    "n-triples": lambda folder: KnowledgeGraph.from_rdf(folder / "graph.nt"),
}


def measure(name: str, folder: Path) -> str:
    """Load the graph by one loader and give the row of the table."""
    start, start_busy = perf_counter(), process_time()
    graph = LOADERS[name](folder)
    seconds, busy = perf_counter() - start, process_time() - start_busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return f"| {name} | {len(graph):,} | {len(graph.relations):,} | {seconds:.1f} | {busy:.1f} | {peak:.2f} |"


if __name__ == "__main__":
    main()
