"""What an adapter adds to a call: a batch through the framework beside the same batch on the core.

Both take turns, and the median of the paired differences is given with its share of the core's median. Time
is that of the processor, all threads of the process together, so that what else the machine does counts for
nothing. The model is a regressor with the default encoder over Milvus Lite; texts are new each round.

First each adapter's import, in fresh processes that take turns, beside that of the classes of its framework
which embeddings, a retriever, a runnable and tools derive from; medians and their ratio.

    python benchmarks/adapters.py [--n-queries 64] [--rounds 15] [--seed 0]
"""

from __future__ import annotations

import importlib.util
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from output import argument_parser
from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor
from zeroshot_core.serving.loading import open_model

KINDS = {
    "red wine": ("drinks", 9.0),
    "white wine": ("drinks", 8.0),
    "lemonade": ("drinks", 30.0),
    "pasta": ("pantry", 50.0),
    "tomato sauce": ("pantry", 40.0),
    "cat food": ("pets", 15.0),
}
PLACES = ("Sicily", "Apulia", "Umbria", "Veneto", "Tuscany", "Liguria", "Calabria", "Marche")
SIZES = ("small", "large", "double", "giant")
WORDS = ("dry", "sweet", "fresh", "organic", "cheap", "fine", "regional", "classic", "light", "new")

# What an adapter's user would import without it.
IMPORTS = {
    "langchain_zeroshot": """
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableSerializable
from langchain_core.tools import StructuredTool
""",
    "llama_index_zeroshot": "import llama_index.core",
}

Batch = Callable[[list[str]], object]


def saved_model(folder: Path, seed: int) -> Path:
    """Save a regressor that has learned from 192 products of six kinds."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    products = list(itertools.product(KINDS, PLACES, SIZES))
    items = [
        Item(id=str(row), text=f"{size} {kind} from {place}", concepts=(f"kind:{kind}",))
        for row, (kind, place, size) in enumerate(products)
    ]
    units = [KINDS[kind][1] + PLACES.index(place) for kind, place, _ in products]
    ZeroShotRegressor(graph=graph, random_state=seed).fit(items, units).save(folder)
    return folder


def texts(n_queries: int, rng: random.Random) -> list[str]:
    """Descriptions of a dozen words, new at each call."""
    return [
        f"{' '.join(rng.choices(WORDS, k=8))} {rng.choice(list(KINDS))} from {rng.choice(PLACES)}, "
        f"number {rng.randrange(10**9)}"
        for _ in range(n_queries)
    ]


def pairs(folder: Path) -> Iterator[tuple[str, Batch, Batch]]:
    """Name, the call on the core, and the same through a framework."""
    model = open_model(folder)

    def predict(queries: list[str]) -> object:
        return model.explain([Item(id=str(row), text=text) for row, text in enumerate(queries)], top_k=5)

    def retrieve(queries: list[str]) -> object:
        return model.retriever_.retrieve(queries, top_k=10)

    def embed(queries: list[str]) -> object:
        return model.retriever_.encoder.encode(queries)

    if importlib.util.find_spec("langchain_core"):
        import langchain_zeroshot as langchain

        yield "LangChain, embeddings", embed, langchain.ZeroShotEmbeddings(model=folder).embed_documents
        yield "LangChain, retriever", retrieve, langchain.ZeroShotRetriever(model=folder).batch
        yield "LangChain, predictor", predict, langchain.ZeroShotPredictor(model=folder).batch
    if importlib.util.find_spec("llama_index"):
        import llama_index_zeroshot as llama_index

        embedding = llama_index.ZeroShotEmbedding(model=folder)
        yield "LlamaIndex, embedding", embed, embedding.get_text_embedding_batch
        # LlamaIndex asks one by one, so the core is asked one by one too.
        retriever = llama_index.ZeroShotRetriever(model=folder)
        yield (
            "LlamaIndex, retriever",
            one_by_one(lambda text: retrieve([text])),
            one_by_one(retriever.retrieve),
        )
        engine = llama_index.ZeroShotQueryEngine(model=folder)
        yield "LlamaIndex, query engine", one_by_one(lambda text: predict([text])), one_by_one(engine.query)


def one_by_one(ask: Callable[[str], object]) -> Batch:
    """Ask for each text alone."""
    return lambda queries: [ask(query) for query in queries]


def measure(core: Batch, adapter: Batch, batches: list[list[str]]) -> tuple[float, float]:
    """Median seconds on the core, and median seconds more through the adapter."""
    seconds = np.zeros((len(batches), 2))
    for row, queries in enumerate(batches):
        # Both see the same texts; who goes first changes from round to round.
        order = (0, 1) if row % 2 else (1, 0)
        for column in order:
            start = time.process_time()
            (core, adapter)[column](queries)
            seconds[row, column] = time.process_time() - start
    more = float(np.median(seconds[:, 1] - seconds[:, 0]))
    return float(np.median(seconds[:, 0])), more


def import_seconds(statements: str) -> float:
    """Processor time of a fresh process for import statements."""
    program = f"import time\nstart = time.process_time()\n{statements}\nprint(time.process_time() - start)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_imports(rounds: int) -> None:
    """Print a line for each adapter that is installed."""
    for adapter, framework in IMPORTS.items():
        if not importlib.util.find_spec(framework.split()[1].split(".")[0]):
            continue
        seconds = [[import_seconds(framework), import_seconds(f"import {adapter}")] for _ in range(rounds)]
        alone, ours = np.median(seconds, axis=0)
        print(
            f"import {adapter:20} framework {1000 * alone:6.0f} ms   "
            f"adapter {1000 * ours:6.0f} ms   {ours / alone:.2f} times",
            flush=True,
        )


def main() -> None:
    """Print a line for each adapter's call."""
    parser = argument_parser(__doc__)
    parser.add_argument("--n-queries", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print_imports(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        model = saved_model(Path(folder) / "model", options.seed)
        print(f"batches of {options.n_queries}, {options.rounds} rounds; medians")
        for name, core, adapter in pairs(model):
            core(texts(options.n_queries, rng))
            adapter(texts(options.n_queries, rng))
            batches = [texts(options.n_queries, rng) for _ in range(options.rounds)]
            seconds, more = measure(core, adapter, batches)
            added = f"adapter {1000 * more:+6.2f} ms {more / seconds:+6.1%}"
            print(f"{name:26} core {1000 * seconds:7.1f} ms   {added}", flush=True)


if __name__ == "__main__":
    main()
