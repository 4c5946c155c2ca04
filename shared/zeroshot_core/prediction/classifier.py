"""Zero-shot classification: labels for things of which no example, or few, are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.prediction.classifier_state import classifier_state, restore_classifier
from zeroshot_core.prediction.indexing import ModelIndex, as_items, resolve_encoder
from zeroshot_core.prediction.label_head import LabelHead, fit_label_head
from zeroshot_core.prediction.label_vectors import (
    check_template,
    label_graph,
    label_texts,
    label_vectors,
)
from zeroshot_core.prediction.persistence import SavedModel
from zeroshot_core.prediction.tuned import check_tune, holds_encoder, settled, tuned_encoder, untaught
from zeroshot_core.prediction.tuned_jointly import clear_rounds
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Evidence, Item, Prediction

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.prediction.saved import ModelState, Opened
    from zeroshot_core.types import Floats, Vectors

__all__ = ["ZeroShotClassifier"]

_N_CONCEPTS_SHOWN = 5


class ZeroShotClassifier(SavedModel, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a label for a text from what the labels mean and from the examples that there are.

    Each label is a concept of the graph, and its vector the mean of its names in the template and of its
    description. Without examples a text's score for a label is the cosine between the two; with examples, a
    logistic regression on the vectors of examples and labels joins in (`label_head`). Labels without
    examples can be predicted beside those with many.

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`.
    graph
        Concepts and relations; label concepts that it lacks are added to a copy, `graph_`.
    index
        An open `VectorIndex`, a URI, or None for a temporary Milvus Lite file. The examples are indexed
        there, linked to their labels.
    template
        Text around a label's name, with one ``{}`` for it, such as ``"This text is about {}."``.
    top_k
        Known items that `explain` shows for each text.
    tune
        ``"none"`` leaves the encoder as it is; ``"head"`` trains a small head over it, ``"full"`` and
        ``"lora"`` its upper layers, and ``"joint"`` either together with the index (`optimise_jointly`), on
        the examples and the labels' texts. What is trained is kept only where
        held-out examples gain by it; `tuning_` says whether they did, and the model is saved with it.
    budget_s
        Seconds after which no further epoch of tuning begins; None for no bound.
    checkpoints
        Folder of this model's own in which joint tuning keeps what each round left, so that a fit that was
        killed goes on from there; None takes one beside a local index, ``<index>-joint``, and none with a
        server or a temporary index. It is removed when the fit ends.
    random_state
        Seed of the folds and of tuning; the same data and seed give the same model.
    show_progress
        Whether `fit` and `predict` draw progress bars on standard error.
    """

    _kind: ClassVar[str] = "classifier"

    def __init__(
        self,
        encoder: str | Encoder = "all-MiniLM-L6-v2",
        graph: KnowledgeGraph | None = None,
        *,
        index: VectorIndex | str | Path | None = None,
        template: str = "{}",
        top_k: int = 10,
        tune: str = "none",
        budget_s: float | None = None,
        checkpoints: str | Path | None = None,
        random_state: int = 0,
        show_progress: bool = False,
    ) -> None:
        self.encoder = encoder
        self.graph = graph
        self.index = index
        self.template = template
        self.top_k = top_k
        self.tune = tune
        self.budget_s = budget_s
        self.checkpoints = checkpoints
        self.random_state = random_state
        self.show_progress = show_progress

    def fit(
        self,
        X: Sequence[Item | str] | None = None,
        y: Sequence[str] | None = None,
        labels: Iterable[str | Concept] | None = None,
    ) -> ZeroShotClassifier:
        """Settle the labels, and learn from examples if there are any.

        Parameters
        ----------
        X
            Examples, items or texts, shape (n,); None without any.
        y
            Labels of the examples, strings, shape (n,).
        labels
            Names, ids of the graph's concepts, or concepts. None takes those of `y`; without `y` the graph's
            concepts of type ``"label"``, or all of them if it has none of that type.

        Raises
        ------
        InvalidInputError
            If labels or examples are wrong, or their numbers differ; nothing has been changed then.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        items, y = _checked_examples(X, y)
        self._check_parameters()
        ids, graph = label_graph(labels, y, self.graph)
        graph.require(concept for item in items for concept in item.concepts)
        base = resolve_encoder(self.encoder)
        check_tune(self.tune, self.budget_s, base)
        concepts = [graph.concepts[id_] for id_ in ids]
        linked = [_linked(item, label) for item, label in zip(items, y or (), strict=True)]
        model_index = ModelIndex(self.index)
        encoder, report = tuned_encoder(
            base,
            self.tune,
            linked,
            y,
            label_texts={c.id: label_texts(c, self.template) for c in concepts},
            graph=graph,
            model_index=model_index,
            checkpoints=self.checkpoints,
            budget_s=self.budget_s,
            random_state=self.random_state,
            show_progress=self.show_progress,
        )
        version = model_index.build(linked, encoder, graph, show_progress=self.show_progress)
        is_tuned = encoder.fingerprint != base.fingerprint
        head = fit_label_head(
            label_vectors(concepts, encoder, self.template),
            version.item_vectors([item.id for item in items]),
            np.searchsorted(ids, y or []).astype(np.int64),
            self.random_state,
            untaught=self._vectors_of(untaught(encoder, base), concepts, items) if is_tuned else None,
        )
        model_index.publish(version)
        clear_rounds(report, model_index, version, self.checkpoints)
        self.holds_encoder_ = holds_encoder(encoder, report, self.encoder_ if self.holds_encoder_ else None)
        self.tuning_ = report
        self._adopt(model_index, version, settled(encoder, base), graph, ids, head)
        return self

    def predict(self, X: Sequence[Item | str]) -> npt.NDArray[np.str_]:
        """Most probable label of each item or text, shape (q,).

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If a text is empty, or something is neither a text nor an item.
        """
        best = self.predict_proba(X).argmax(axis=1)
        labels: npt.NDArray[np.str_] = self.classes_[best]
        return labels

    def predict_proba(self, X: Sequence[Item | str]) -> Floats:
        """Probability of each label, shape (q, n_classes) in the order of `classes_`; rows sum to 1."""
        items = self._checked_items(X)
        contents = [item.content for item in items]
        vectors = self.encoder_.encode(contents, role="query", show_progress=self.show_progress)
        return self.head_.probabilities(vectors)

    def explain(
        self, X: Sequence[Item | str], *, top_k: int | None = None, coverage: float | None = None
    ) -> list[Prediction]:
        """Label with probabilities, nearest known items, concepts, and the paths that lead to them.

        Parameters
        ----------
        top_k
            Known items shown for each text.
        coverage
            For callers that don't know what kind of model they hold: a label has no interval, and so it
            changes nothing.
        """
        items = self._checked_items(X)
        is_taught = self.head_.has_examples.any()
        hits = self.retriever_.retrieve(items, top_k=top_k) if is_taught else [[] for _ in items]
        concepts = self.retriever_.related_concepts(items, top_k=_N_CONCEPTS_SHOWN)
        return [
            Prediction(
                id=item.id,
                value=str(self.classes_[shares.argmax()]),
                probabilities=dict(zip(self.classes_.tolist(), shares.tolist(), strict=True)),
                evidence=Evidence(items=tuple(hits[row]), concepts=tuple(concepts[row])),
            )
            for row, (item, shares) in enumerate(zip(items, self.predict_proba(items), strict=True))
        ]

    def _state(self) -> ModelState:
        return classifier_state(self.get_params(deep=False), self.classes_.tolist(), self.head_)

    def _saved_graph(self) -> KnowledgeGraph | None:
        return self.graph_

    @classmethod
    def _restored(cls, state: ModelState, parts: Opened) -> ZeroShotClassifier:
        parameters, ids, head = restore_classifier(state)
        model = cls(parts.encoder, parts.graph, index=parts.model_index.index, **parameters)
        model._adopt(parts.model_index, parts.version, parts.encoder, parts.graph, ids, head)
        return model

    def _vectors_of(
        self, encoder: Encoder, concepts: Sequence[Concept], items: Sequence[Item]
    ) -> tuple[Vectors, Vectors]:
        """Vectors of labels and of examples."""
        own = label_vectors(concepts, encoder, self.template)
        return own, encoder.encode([item.content for item in items])

    def _adopt(
        self,
        model_index: ModelIndex,
        version: OpenVersion,
        encoder: Encoder,
        graph: KnowledgeGraph | None,
        ids: Sequence[str],
        head: LabelHead,
    ) -> None:
        """Take over everything learned, all at once."""
        self.retriever_ = Retriever(version, encoder, graph, top_k=self.top_k)
        self.model_index_, self.version_, self.encoder_ = model_index, version, encoder
        self.graph_ = self.retriever_.graph
        self.classes_ = np.array(ids)
        self.head_ = head

    def _check_parameters(self) -> None:
        check_template(self.template)
        if isinstance(self.top_k, bool) or not isinstance(self.top_k, int) or self.top_k < 1:
            raise InvalidInputError(f"expected top_k as a whole number of at least 1, got {self.top_k!r}")

    def _check_fitted(self) -> None:
        if not hasattr(self, "head_"):
            raise NotFittedError(
                "expected a fitted classifier, got one before fit; call fit(labels=[...]) or fit(X, y)"
            )

    def _checked_items(self, X: Any) -> list[Item]:
        self._check_fitted()
        items = as_items(X, prefix="query-")
        self.graph_.require(concept for item in items for concept in item.concepts)
        return items


def _checked_examples(X: Any, y: Any) -> tuple[list[Item], list[str] | None]:
    """Examples as items with their labels; nothing without examples."""
    if X is None and y is None:
        return [], None
    if X is None or y is None:
        raise InvalidInputError(
            f"expected examples X with their labels y, got only {'y' if X is None else 'X'}; "
            "give both, or neither and labels=[...]"
        )
    items, names = as_items(X, prefix="example-"), list(y)
    if len(names) != len(items):
        raise InvalidInputError(f"expected {len(items)} labels in y, one for each example, got {len(names)}")
    if not items:
        raise InvalidInputError(
            "expected at least 1 example in X, got none; leave X and y out, and give labels"
        )
    for row, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidInputError(
                f"y, row {row}: expected a label that is a string, got {name!r}; convert it with str()"
            )
    return items, [str(name) for name in names]


def _linked(item: Item, label: str) -> Item:
    """Link an example to its label."""
    return replace(item, concepts=tuple(dict.fromkeys((*item.concepts, label))))
