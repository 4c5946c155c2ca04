"""What a fitted classifier answers: labels, wider concepts, none of these, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.classification.label_hierarchy import check_confidence
from zeroshot_core.classification.rejection import NONE_OF_THESE, fit_index_scorer
from zeroshot_core.errors import NotFittedError
from zeroshot_core.estimators.calibration_split import has_calibration_split
from zeroshot_core.estimators.indexing import as_items
from zeroshot_core.novelty.scorer import nearest_similarities
from zeroshot_core.types import Evidence, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zeroshot_core.classification.label_head import LabelHead
    from zeroshot_core.classification.label_hierarchy import LabelHierarchy
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.novelty.scorer import NoveltyScorer
    from zeroshot_core.retrieval import Retriever
    from zeroshot_core.types import Floats, Item, Vectors

__all__ = ["AnsweringClassifier"]

_N_CONCEPTS_SHOWN = 5


class AnsweringClassifier:
    """A fitted classifier that is asked."""

    classes_: npt.NDArray[np.str_]
    encoder_: Encoder
    false_alarm_rate: float | str
    graph_: KnowledgeGraph
    head_: LabelHead
    hierarchy_: LabelHierarchy
    random_state: int
    retriever_: Retriever
    show_progress: bool
    tune: str
    version_: OpenVersion
    _novelty: NoveltyScorer | None

    def predict(
        self, X: Sequence[Item | str], *, reject: bool = False, confidence: float | None = None
    ) -> npt.NDArray[np.str_]:
        """Most probable label of each item or text, shape (q,).

        Parameters
        ----------
        reject
            Whether to answer ``""``, none of these, where a text is newer than all but the share
            `false_alarm_rate` of the known texts.
        confidence
            Least probability of an answer, above 0 and at most 1. The answer is then the narrowest concept
            that reaches it: a label, or the id of what labels are by the graph's ``is_a`` relations, which
            has the sum of their probabilities; and ``""`` if none does. None takes the best label.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If a text is empty, or something is neither a text nor an item; if the confidence is out of
            bounds; to reject, if `fit` had fewer than 10 texts, or `false_alarm_rate` is neither above 0 and
            below 1 nor ``"auto"``.
        """
        check_confidence(confidence)
        vectors = self._encoded(self._checked_items(X))
        return self._answers(vectors, self.head_.probabilities(vectors), reject, confidence)

    def novelty_score(self, X: Sequence[Item | str]) -> Floats:
        """How new each item or text is beside those of `fit`, with labels or without, shape (q,).

        The higher, the newer; 0 is usual, and 1 about a standard deviation above it. Texts of a label without
        examples are new in this sense.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If something is neither a text nor an item, or `fit` had fewer than 10 texts.
        """
        items = self._checked_items(X)
        vectors = self._encoded(items)
        return self._usual().score(vectors, nearest_similarities(self.version_, vectors))

    def predict_proba(self, X: Sequence[Item | str]) -> Floats:
        """Probability of each label, shape (q, n_classes) in the order of `classes_`; rows sum to 1."""
        items = self._checked_items(X)
        return self.head_.probabilities(self._encoded(items))

    def explain(
        self,
        X: Sequence[Item | str],
        *,
        top_k: int | None = None,
        coverage: float | None = None,
        reject: bool = False,
        confidence: float | None = None,
    ) -> list[Prediction]:
        """Label with probabilities, nearest known items, concepts, and the paths that lead to them.

        Parameters
        ----------
        top_k
            Known items shown for each text.
        coverage
            For callers that don't know what kind of model they hold: a label has no interval, and so it
            changes nothing.
        reject, confidence
            As in `predict`; the probabilities are those of the labels all the same.
        """
        check_confidence(confidence)
        items = self._checked_items(X)
        vectors = self._encoded(items)
        is_taught, retriever = self.head_.has_examples.any(), self.retriever_
        hits = retriever.retrieve(items, top_k=top_k, vectors=vectors) if is_taught else [[] for _ in items]
        concepts = retriever.related_concepts(items, top_k=_N_CONCEPTS_SHOWN, vectors=vectors)
        shares = self.head_.probabilities(vectors)
        answers = self._answers(vectors, shares, reject, confidence)
        return [
            Prediction(
                id=item.id,
                value=str(answers[row]),
                probabilities=dict(zip(self.classes_.tolist(), shares[row].tolist(), strict=True)),
                evidence=Evidence(items=tuple(hits[row]), concepts=tuple(concepts[row])),
            )
            for row, item in enumerate(items)
        ]

    def _answers(
        self, vectors: Vectors, shares: Floats, reject: bool, confidence: float | None
    ) -> npt.NDArray[np.str_]:
        """Labels, wider concepts or none of these, for vectors (q, d) with probabilities (q, c)."""
        if confidence is None:
            found: npt.NDArray[np.str_] = self.classes_[shares.argmax(axis=1)]
        else:
            found = self.hierarchy_.narrowest(shares, confidence)
        return np.where(self._is_new(vectors), NONE_OF_THESE, found) if reject else found

    def _usual(self) -> NoveltyScorer:
        """Learn what is usual from the index when first asked for."""
        if self._novelty is None:
            self._novelty = fit_index_scorer(
                self.version_,
                self.classes_.tolist(),
                has_calibration_split=has_calibration_split(self.tune),
                random_state=self.random_state,
            )
        return self._novelty

    def _is_new(self, vectors: Vectors) -> npt.NDArray[np.bool_]:
        """Whether texts are newer than all but the share `false_alarm_rate` of the known ones, shape (q,)."""
        usual = self._usual()
        scores = usual.score(vectors, nearest_similarities(self.version_, vectors))
        return np.asarray(scores > usual.threshold(self.false_alarm_rate))

    def _encoded(self, items: Sequence[Item]) -> Vectors:
        contents = [item.content for item in items]
        return self.encoder_.encode(contents, role="query", show_progress=self.show_progress)

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
