"""Public calls with one or two arguments that are not what they should be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from zeroshot_core import (
    Concept,
    Findings,
    FunctionEncoder,
    IndexParams,
    Item,
    KnowledgeGraph,
    NoveltyDetector,
    Relation,
    Retriever,
    VectorIndex,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
    load_encoder,
    load_model,
)
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.evaluation import metrics
from zeroshot_core.graph import adjacency, expand, personalized_pagerank, smooth_vectors
from zeroshot_core.index import AllOf, AnyOf, Condition, Not

from scripts.stability.families.frame_calls import Call, frame_calls
from scripts.stability.families.oddities import ODD, shown
from scripts.stability.fuzz import Attempts
from scripts.stability.samples import ENCODER, GRAPH, QUERIES, Place, fitted_classifier, stock

__all__ = ["case", "opened"]


@contextlib.contextmanager
def opened(place: Place) -> Iterator[dict[str, Call]]:
    """Fit what is called; relative paths lead into the place."""
    before = os.getcwd()  # noqa: PTH109
    os.chdir(place.folder)
    items = stock(range(24))
    with place.connect() as index:
        index.activate(index.build(items, ENCODER, GRAPH))
        try:
            yield dict(sorted({**_values(), **_of_index(index), **_models(place), **frame_calls()}.items()))
        finally:
            os.chdir(before)


def _edges() -> Any:
    import pandas as pd

    return pd.DataFrame({"head": ["a"], "type": ["t"], "tail": ["b"]})


def _values() -> dict[str, Call]:
    y = [1.0, 2.0, 3.0]
    hops = np.zeros((1, len(GRAPH)))
    hops[0, 0] = 1
    return {
        "Item": Call(Item, {"id": "a", "text": "b", "concepts": ("kind:wine",), "metadata": {"x": 1}}),
        "Concept": Call(
            lambda **c: KnowledgeGraph([Concept(**c)]),
            {"id": "a", "name": "b", "type": "t", "synonyms": ("c",), "description": "d"},
        ),
        "Relation": Call(
            lambda **r: KnowledgeGraph(
                [Concept(id="a", name="a"), Concept(id="b", name="b")], [Relation(**r)]
            ),
            {"head": "a", "type": "t", "tail": "b", "weight": 1.0, "sources": ("s",)},
        ),
        "KnowledgeGraph": Call(KnowledgeGraph, {"concepts": [Concept(id="a", name="b")], "relations": []}),
        "from_table": Call(
            KnowledgeGraph.from_table,
            {"rows": [{"a": "b", "c": "d"}], "columns": ["a", "c"], "edges": [("a", "c")]},
        ),
        "from_csv": Call(KnowledgeGraph.from_csv, {"path": "none.csv", "concepts": None}),
        "from_rdf": Call(
            KnowledgeGraph.from_rdf,
            {
                "path": "none.ttl",
                "format": "turtle",
                "language": "en",
                "relation_types": None,
                "concept_type": None,
            },
        ),
        "from_obo": Call(
            KnowledgeGraph.from_obo, {"path": "none.obo", "relation_types": None, "concept_type": "x"}
        ),
        "from_jsonl": Call(KnowledgeGraph.from_jsonl, {"path": "none.jsonl"}),
        "from_networkx": Call(KnowledgeGraph.from_networkx, {"g": GRAPH.to_networkx()}),
        "from_pandas": Call(KnowledgeGraph.from_pandas, {"relations": _edges(), "concepts": None}),
        "require": Call(GRAPH.require, {"ids": ["kind:wine"]}),
        "expand": Call(expand, {"adjacency": adjacency(GRAPH), "seeds": hops, "n_hops": 2, "decay": 0.5}),
        "personalized_pagerank": Call(
            personalized_pagerank, {"adjacency": adjacency(GRAPH), "seeds": hops, "alpha": 0.5}
        ),
        "smooth_vectors": Call(
            smooth_vectors,
            {"graph": GRAPH, "vectors": np.eye(len(GRAPH), 32, dtype=np.float32), "weight": 0.3},
        ),
        "IndexParams": Call(
            IndexParams, {"index_type": "HNSW", "metric": "COSINE", "build": {"M": 8}, "search": {"ef": 9}}
        ),
        "Condition": Call(Condition, {"field": "a", "op": "==", "value": 1}),
        "AllOf": Call(AllOf, {"parts": [Condition("a", "==", 1)]}),
        "AnyOf": Call(AnyOf, {"parts": [Condition("a", "==", 1)]}),
        "Not": Call(Not, {"part": Condition("a", "==", 1)}),
        "HashEncoder": Call(HashEncoder, {"dimension": 16}),
        "FunctionEncoder": Call(
            FunctionEncoder,
            {
                "function": lambda texts: np.ones((len(texts), 4)),
                "name": "f",
                "dimension": 4,
                "fingerprint": "0" * 16,
                "batch_size": 3,
                "query_function": None,
            },
        ),
        "FunctionEncoder.encode": Call(
            lambda vectors: FunctionEncoder(lambda texts: vectors, name="f", dimension=2).encode(["a", "b"]),
            {"vectors": np.eye(2)},
        ),
        "encode": Call(ENCODER.encode, {"contents": QUERIES, "role": "query", "show_progress": False}),
        "load_encoder": Call(load_encoder, {"name_or_path": "/nowhere/at/all"}),
        "Findings": Call(Findings, {"id": "x", "present": ("a",), "excluded": ("b",)}),
        "rmsle": Call(metrics.rmsle, {"y": y, "forecast": y}),
        "wape": Call(metrics.wape, {"y": y, "forecast": y}),
        "spearman": Call(metrics.spearman, {"y": y, "forecast": y}),
        "pinball": Call(metrics.pinball, {"y": y, "quantile_forecast": y, "q": 0.5}),
        "coverage": Call(metrics.coverage, {"y": y, "interval": [[0, 4]] * 3}),
        "accuracy_at": Call(metrics.accuracy_at, {"ranked": [["a"]], "truths": ["a"], "k": 1}),
    }


def _of_index(index: VectorIndex) -> dict[str, Call]:
    version = index.open(fingerprint=ENCODER.fingerprint)
    vectors = ENCODER.encode(QUERIES[:2])
    retriever = Retriever(version, ENCODER, GRAPH)
    condition = Condition("size", "<", 9)
    items = stock(range(24))
    live = index.live
    assert live is not None
    ids = ["i1", "i2"]
    return {
        "connect": Call(
            lambda **a: VectorIndex.connect(**a).close(),
            {"uri": "other.db", "name": "other", "token": None, "db_name": None, "params": None},
        ),
        "build": Call(
            index.build,
            {"items": items, "encoder": ENCODER, "graph": GRAPH, "smoothing": 0.0, "show_progress": False},
        ),
        "activate": Call(index.activate, {"version": live.id}),
        "drop": Call(index.drop, {"version": "v000000000000"}),
        "open": Call(index.open, {"version": live.id, "fingerprint": ENCODER.fingerprint}),
        "search_items": Call(version.search_items, {"vectors": vectors, "top_k": 3, "filter": condition}),
        "search_concepts": Call(version.search_concepts, {"vectors": vectors, "top_k": 3}),
        "search_relations": Call(version.search_relations, {"vectors": vectors, "top_k": 3}),
        "search_names": Call(version.search_names, {"vectors": vectors, "top_k": 3}),
        "search_linked": Call(
            version.search_linked,
            {"vectors": vectors, "concept_ids": [["kind:wine"]] * 2, "top_k": 3, "filter": None},
        ),
        "items": Call(version.items, {"ids": ids}),
        "known_items": Call(version.known_items, {"ids": ids}),
        "known_concepts": Call(version.known_concepts, {"ids": ["kind:wine"]}),
        "item_vectors": Call(version.item_vectors, {"ids": ids}),
        "concept_vectors": Call(version.concept_vectors, {"ids": ["kind:wine"]}),
        "relations_of": Call(version.relations_of, {"concept_ids": ["kind:wine"], "direction": "both"}),
        "neighbourhood": Call(version.neighbourhood, {"concept_ids": ["kind:wine"], "n_hops": 1}),
        "upsert": Call(version.upsert, {"items": items[:2], "encoder": ENCODER}),
        "delete": Call(version.delete, {"ids": ["nowhere"]}),
        "Retriever": Call(
            Retriever,
            {
                "version": version,
                "encoder": ENCODER,
                "graph": GRAPH,
                "top_k": 3,
                "graph_weight": 0.3,
                "n_hops": 2,
                "decay": 0.5,
                "spread": "hops",
                "relation_weights": None,
            },
        ),
        "retrieve": Call(
            retriever.retrieve,
            {
                "queries": QUERIES[:2],
                "top_k": 3,
                "graph_weight": 0.5,
                "filter": condition,
                "vectors": None,
                "with_paths": True,
            },
        ),
        "related_concepts": Call(retriever.related_concepts, {"queries": QUERIES[:2], "top_k": 3}),
        "evidence": Call(retriever.evidence, {"queries": QUERIES[:2], "top_k": 3, "n_concepts": 2}),
    }


def _models(place: Place) -> dict[str, Call]:
    items = stock(range(24))
    texts = [item.text or "" for item in items]
    labels = [item.concepts[0] for item in items]
    numbers = [float(n % 5) for n in range(24)]
    classifier = fitted_classifier()
    regressor = ZeroShotRegressor(ENCODER, GRAPH, top_k=5).fit(items, numbers)
    detector = NoveltyDetector(ENCODER).fit(texts)
    ranker = ZeroShotRanker(ENCODER, _diseases()).fit()
    folder = place.folder / "model"
    classifier.save(folder)
    learner = fitted_classifier()

    def fit_classifier(X: Any, y: Any, labels: Any, unlabelled: Any, **parameters: Any) -> Any:
        return ZeroShotClassifier(**parameters).fit(X, y, labels, unlabelled=unlabelled)

    def fit_regressor(X: Any, y: Any, groups: Any, **parameters: Any) -> Any:
        return ZeroShotRegressor(**parameters).fit(X, y, groups)

    return {
        "ZeroShotClassifier.fit": Call(
            fit_classifier,
            {
                "X": texts,
                "y": labels,
                "labels": None,
                "unlabelled": None,
                "encoder": ENCODER,
                "graph": GRAPH,
                "index": None,
                "template": None,
                "top_k": 3,
                "tune": "none",
                "false_alarm_rate": 0.05,
                "budget_s": None,
                "checkpoints": None,
                "random_state": 0,
                "show_progress": False,
            },
        ),
        "ZeroShotRegressor.fit": Call(
            fit_regressor,
            {
                "X": items,
                "y": numbers,
                "groups": None,
                "encoder": ENCODER,
                "graph": GRAPH,
                "index": None,
                "top_k": 5,
                "n_hops": 2,
                "graph_weight": 0.3,
                "target": "auto",
                "tune": "none",
                "budget_s": None,
                "random_state": 0,
            },
        ),
        "NoveltyDetector.fit": Call(
            lambda X, encoder: NoveltyDetector(encoder).fit(X), {"X": texts, "encoder": ENCODER}
        ),
        "partial_fit": Call(learner.partial_fit, {"X": texts[:2], "y": labels[:2], "labels": None}),
        "predict": Call(classifier.predict, {"X": QUERIES, "reject": False, "confidence": None}),
        "predict_proba": Call(classifier.predict_proba, {"X": QUERIES}),
        "novelty_score": Call(classifier.novelty_score, {"X": QUERIES}),
        "classifier.explain": Call(
            classifier.explain,
            {
                "X": QUERIES[:2],
                "top_k": 2,
                "coverage": None,
                "reject": False,
                "confidence": 0.5,
                "evidence": True,
            },
        ),
        "forecast": Call(regressor.predict, {"X": QUERIES}),
        "predict_interval": Call(regressor.predict_interval, {"X": QUERIES, "coverage": 0.8}),
        "predict_quantile": Call(regressor.predict_quantile, {"X": QUERIES, "q": 0.5}),
        "regressor.explain": Call(
            regressor.explain,
            {"X": QUERIES[:2], "top_k": 2, "coverage": 0.9, "graph_weight": None, "evidence": True},
        ),
        "detector.predict": Call(detector.predict, {"X": QUERIES}),
        "detector.novelty_score": Call(detector.novelty_score, {"X": QUERIES}),
        "rank": Call(ranker.rank, {"X": [Findings(present=("fever",))], "top_k": 2, "databases": ()}),
        "ranker.explain": Call(ranker.explain, {"X": ["fever and cough"]}),
        "save": Call(classifier.save, {"folder": "saved", "overwrite": True, "extra": None}),
        "load_model": Call(
            lambda **a: load_model(**a).close(),
            {"folder": folder, "encoder": None, "uri": None, "token": None},
        ),
    }


def _diseases() -> KnowledgeGraph:
    findings = ("fever", "cough", "rash", "pain")
    concepts = [Concept(id="f:all", name="finding", type="finding")]
    concepts += [Concept(id=f"f:{name}", name=name, type="finding") for name in findings]
    concepts += [Concept(id=f"d:{n}", name=f"disease {n}", type="disease") for n in range(4)]
    relations = [Relation(head=f"f:{name}", type="is_a", tail="f:all") for name in findings]
    relations += [
        Relation(head=f"d:{n}", type="has_phenotype", tail=f"f:{findings[(n + k) % 4]}")
        for n in range(4)
        for k in range(2)
    ]
    return KnowledgeGraph(concepts, relations)


def case(case: Attempts, calls: dict[str, Call]) -> None:
    """Try one call."""
    name = case.draw(st.sampled_from(list(calls)))
    call = calls[name]
    places = case.draw(st.lists(st.sampled_from(list(call.arguments)), min_size=1, max_size=2, unique=True))
    odd = {place: case.draw(ODD) for place in places}
    what = f"{name}({', '.join(f'{place}={shown(value)}' for place, value in odd.items())})"
    is_done, given = case.attempt(what, lambda: call.function(**{**call.arguments, **odd}))
    if (
        is_done
        and isinstance(given, ZeroShotClassifier | ZeroShotRegressor | NoveltyDetector)
        and name.endswith("fit")
    ):
        case.attempt(f"close after {what}", given.close)
