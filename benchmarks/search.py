"""Searches of Milvus: the bare client, langchain-milvus, and this package with and without the graph.

    python benchmarks/search.py [--data clusters lines] [--items 10000 100000] [--uri http://...]
        [--rounds 30]

Of ``clusters``, vectors of 384 dimensions lie in clusters, the graph has a concept for every 50 items and two
levels above. ``lines`` are the product lines of Complete Journey but 64, with the graph of their attributes
and vectors of the default encoder; the 64 are the queries, once as items that know their attributes, once as
bare texts, whose concepts are sought.
All ask the same collection for ten hits with their texts, one query or 64 at a time, their vectors given;
of one query at a time 16 different ones are asked.
On a server (`scripts/milvus_server.py run -- python benchmarks/search.py --uri ...`) the index is HNSW, and
nothing is measured before the server has merged its segments and indexed these anew, which it does beside the
first searches, nor before what is linked to what is in memory; recall is measured against exact search.
langchain-milvus searches a copy of its own, query after query. Of clusters on a server a fresh process then
opens the index, searches it with the graph read from Milvus, and says how much memory it came to hold.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_milvus import Milvus
from output import argument_parser
from timing import Times, print_head, print_table, race, versions
from zeroshot_core import KnowledgeGraph
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.evaluation.demand import linked_items
from zeroshot_core.index import IndexParams, VectorIndex
from zeroshot_core.index.open_version import OpenVersion
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Item, Relation

_BASELINE = "pymilvus"
_DIMENSION, _TOP_K, _PER_CONCEPT = 384, 10, 50
_PER_PART = 20_000
# Where queries are asked one at a time, so many different ones are.
_ONE_BY_ONE = 16
# A server begins to merge segments within a minute or so.
_STILL_SECONDS, _POLL_SECONDS = 90.0, 2.0
_N_LINES = 64
_WAYS = ("vectors only", "with the graph")
_FIELDS = ["id", "text", "concepts", "metadata"]


class Clustered(Encoder):
    """Vectors by the number at the end of a text: a centre for each concept, and noise."""

    name, dimension, fingerprint = "clustered", _DIMENSION, "c1c5e8ed00000001"

    def encode(self, contents: Sequence[Any], *, role: str = "document", show_progress: bool = False) -> Any:
        """Make the vectors anew from the seed in each text."""
        rows = np.stack([_vector(int(text.rsplit(" ", 1)[1])) for text in contents])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def to_config(self) -> dict[str, Any]:
        """Describe itself; nothing opens it again."""
        return {
            "kind": "function",
            "name": self.name,
            "dimension": _DIMENSION,
            "fingerprint": self.fingerprint,
        }


class _Numbered(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return Clustered().encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def main() -> None:
    """Build, compare, and fit how the cost grows."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", choices=("clusters", "lines"), nargs="+", default=["clusters"])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--uri")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(versions("pymilvus", "milvus-lite", "langchain-milvus"))
    print_head("search", "query")
    if "lines" in options.data:
        _compare_lines(options.uri, max(3, options.rounds // 5))
    if "clusters" in options.data:
        _compare_clusters(options.items, options.uri, options.rounds)


def _compare_clusters(sizes: Sequence[int], uri: str | None, rounds: int) -> None:
    """Compare on each number of items, and fit how the cost grows."""
    costs = np.array([_compare(n, uri, rounds) for n in sizes])
    if len(costs) > 1:
        slopes = np.polyfit(np.log(sizes), np.log(costs), 1)[0]
        for title, slope in zip(_WAYS, slopes.tolist(), strict=True):
            print(f"one query, {title}: cost grows with the size to the power of {slope:.2f}")


def _compare_lines(uri: str | None, rounds: int) -> None:
    """Compare on product lines, for items and for texts."""
    lines, encoder = load_product_lines(), load_encoder(runtime="onnx")
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, lines.graph_edges)
    linked = linked_items(lines)
    items = [linked[row] for row in np.random.default_rng(0).permutation(len(lines.items))]
    with tempfile.TemporaryDirectory() as folder, _connect(uri, folder, "lines") as index:
        index.activate(index.build(items[_N_LINES:], encoder, graph))
        version = index.open(fingerprint=encoder.fingerprint)
        _settle(version, uri)
        print(f"{version.count():,} product lines, {len(graph):,} concepts", flush=True)
        ours, held_out = Retriever(version, encoder, graph, top_k=_TOP_K), items[:_N_LINES]
        vectors = encoder.encode([item.text for item in held_out], role="query")
        for kind, queries in (("items", held_out), ("texts", [item.text for item in held_out])):
            for at_once in (1, _N_LINES):
                n = max(at_once, _ONE_BY_ONE)
                times = _race(ours, queries[:n], vectors[:n], at_once, rounds)
                print_table(f"{at_once} {kind} in lines", times, n, _BASELINE)


def _connect(uri: str | None, folder: str, name: str) -> VectorIndex:
    """Connect to the server, or to a local file in the folder."""
    params = IndexParams(index_type="HNSW") if uri else None
    return VectorIndex.connect(uri or f"{folder}/ours.db", name=name, params=params)


def _settle(version: OpenVersion, uri: str | None) -> None:
    """Wait until a server has indexed all, and read the links."""
    if uri:
        wait_until_settled(version)
        start = time.perf_counter()
        version.hold_links()
        print(f"links read in {time.perf_counter() - start:.1f} s", flush=True)


def _compare(n: int, uri: str | None, rounds: int) -> tuple[float, float]:
    """Compare on n items; median seconds of one query of ours by vectors only, and with the graph."""
    items, graph, encoder = _items(n), _graph(n), Clustered()
    with tempfile.TemporaryDirectory() as folder, _connect(uri, folder, f"bench{n}") as index:
        start = time.perf_counter()
        index.activate(index.build(items, encoder, graph))
        print(f"{n:,} items: written and indexed in {time.perf_counter() - start:.0f} s", flush=True)
        version = index.open(fingerprint=encoder.fingerprint)
        _settle(version, uri)
        print(f"{n:,} items: settled after {time.perf_counter() - start:.0f} s", flush=True)
        ours = Retriever(version, encoder, graph, top_k=_TOP_K)
        theirs = None if uri else _langchain(f"{folder}/langchain.db", [item.text or "" for item in items])
        costs: list[float] = []
        for at_once in (1, 64):
            queries = _queries(n, max(at_once, _ONE_BY_ONE))
            vectors = encoder.encode(queries)
            times = _race(ours, queries, vectors, at_once, max(3, rounds // 5), theirs=theirs)
            print_table(f"{at_once} in {n:,}", times, len(queries), _BASELINE)
            costs += [float(np.median(times[f"ours, {way}"].wall)) for way in _WAYS]
        _print_recall(version, items, encoder)
    if uri:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            before, after = process.submit(_resident, uri, n).result()
        print(f"{n:,} items: a fresh process holds {before:.0f} MiB, {after:.0f} after searching", flush=True)
    return costs[0], costs[1]


def wait_until_settled(version: Any) -> None:
    """Return when a server has had nothing left to index for some time."""
    client, name = version._catalog.connection._client, version._items._collection
    still_since = time.monotonic()
    while time.monotonic() - still_since < _STILL_SECONDS:
        if client.describe_index(name, client.list_indexes(name)[0])["pending_index_rows"]:
            still_since = time.monotonic()
        time.sleep(_POLL_SECONDS)


def _resident(uri: str, n: int) -> tuple[float, float]:
    """MiB that this process holds: with all imported, and after searching an index of n items."""
    queries = _queries(n, 64)
    before = _held()
    with VectorIndex.connect(uri, name=f"bench{n}") as index:
        version = index.open(fingerprint=Clustered.fingerprint)
        Retriever(version, Clustered(), "stored", top_k=_TOP_K).retrieve(queries)
    return before, _held()


def _held() -> float:
    """Resident MiB, as Linux tells them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _race(
    ours: Retriever,
    queries: Sequence[str | Item],
    vectors: Any,
    at_once: int,
    rounds: int,
    *,
    theirs: Any = None,
) -> dict[str, Times]:
    """Ask the same queries by each contestant, so many at once; `theirs` is a langchain-milvus store."""
    version = ours.version
    client, name = version._catalog.connection._client, version._items._collection
    options = version.info.params.search_options(_TOP_K)

    def bare(part: slice) -> None:
        client.search(
            name,
            data=list(vectors[part]),
            anns_field="vector",
            limit=_TOP_K,
            output_fields=_FIELDS,
            search_params=options,
        )

    def by_langchain(part: slice) -> None:
        for vector in vectors[part]:
            theirs.similarity_search_with_score_by_vector(vector.tolist(), k=_TOP_K)

    searches: dict[str, Callable[[slice], Any]] = {
        _BASELINE: bare,
        "ours, vectors only": lambda part: ours.retrieve(
            queries[part], graph_weight=0.0, vectors=vectors[part]
        ),
        "ours, with the graph": lambda part: ours.retrieve(queries[part], vectors=vectors[part]),
    }
    if theirs is not None:
        searches["langchain-milvus"] = by_langchain
    parts = [slice(start, start + at_once) for start in range(0, len(queries), at_once)]
    contestants = {
        title: lambda search=search: [search(part) for part in parts] for title, search in searches.items()
    }
    return race(contestants, rounds)


def _langchain(uri: str, texts: list[str]) -> Milvus:
    store = Milvus(
        _Numbered(),
        connection_args={"uri": uri},
        index_params={"index_type": "FLAT", "metric_type": "COSINE"},
    )
    store.add_texts(texts)
    store.client.flush(store.collection_name)
    return store


def _print_recall(version: Any, items: Sequence[Item], encoder: Encoder) -> None:
    queries = encoder.encode([f"query {1_000_000_000 + 104_729 * i % len(items)}" for i in range(100)])
    best, ids = np.full((len(queries), _TOP_K), -np.inf), np.zeros((len(queries), _TOP_K), dtype=np.int64)
    for start in range(0, len(items), _PER_PART):
        part = encoder.encode([item.text for item in items[start : start + _PER_PART]])
        scores = np.hstack([best, queries @ part.T])
        rows = np.hstack([ids, np.tile(np.arange(start, start + len(part)), (len(queries), 1))])
        order = np.argpartition(-scores, _TOP_K, axis=1)[:, :_TOP_K]
        best, ids = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
    found = version.search_items(queries, _TOP_K).ids
    hits = [len({items[row].id for row in rows} & set(own)) for rows, own in zip(ids, found, strict=True)]
    print(f"{len(items):,} items: recall@{_TOP_K} {sum(hits) / (_TOP_K * len(queries)):.3f}", flush=True)


def _vector(number: int) -> Any:
    row = number % 1_000_000_000
    centre = np.random.default_rng(row // _PER_CONCEPT).standard_normal(_DIMENSION)
    return centre + 0.7 * np.random.default_rng(10**10 + number).standard_normal(_DIMENSION)


def _queries(n: int, number: int) -> list[str]:
    return [f"query {1_000_000_000 + 7919 * i % n}" for i in range(number)]


def _items(n: int) -> list[Item]:
    return [Item(id=f"i{i}", text=f"item {i}", concepts=(f"c{i // _PER_CONCEPT}",)) for i in range(n)]


def _graph(n: int) -> KnowledgeGraph:
    n_concepts = -(-n // _PER_CONCEPT)
    levels = [(f"c{i}", f"d{i // 20}") for i in range(n_concepts)]
    levels += [(f"d{i}", f"e{i // 20}") for i in range(-(-n_concepts // 20))]
    names = dict.fromkeys(id_ for pair in levels for id_ in pair)
    concepts = [Concept(id=id_, name=f"concept {_PER_CONCEPT * int(id_[1:])}", type=id_[0]) for id_ in names]
    return KnowledgeGraph(concepts, [Relation(head=low, type="is_a", tail=high) for low, high in levels])


if __name__ == "__main__":
    main()
