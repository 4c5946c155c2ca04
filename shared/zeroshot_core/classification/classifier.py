"""Zero-shot classification: labels for things of which no example, or few, are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from zeroshot_core.classification.classifier_answering import AnsweringClassifier
from zeroshot_core.classification.classifier_fitting import LabelTask
from zeroshot_core.classification.classifier_growing import GrowingClassifier
from zeroshot_core.classification.classifier_inputs import (
    check_settings,
    checked_examples,
    checked_unlabelled,
    linked,
)
from zeroshot_core.classification.classifier_state import classifier_state, restore_classifier
from zeroshot_core.classification.label_hierarchy import label_hierarchy
from zeroshot_core.classification.label_vectors import label_graph
from zeroshot_core.estimators.base import SavedModel
from zeroshot_core.estimators.encoder_tuning import Tuning, clear_rounds, holds_encoder, without_memory
from zeroshot_core.estimators.indexing import ModelIndex, resolve_encoder
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Item

if TYPE_CHECKING:
    from zeroshot_core.classification.label_head import LabelHead
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.saving import ModelParts, ModelState
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.novelty.scorer import NoveltyScorer

__all__ = ["ZeroShotClassifier"]


class ZeroShotClassifier(
    AnsweringClassifier,
    GrowingClassifier,
    SavedModel,
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Predicts a label for a text from what the labels mean and from the examples that there are.

    Each label is a concept of the graph, and its vector the mean of its names in the template and of its
    description, each as far as the encoder reads. Without examples a text's score for a label is the cosine
    between the two; with examples, a logistic regression on their vectors joins in (`label_head`), and so it
    does with texts without labels (`transduction`). Labels without examples can be predicted beside those
    with many. Where the graph says by ``is_a`` relations what labels are, kin lend each other meaning, and
    wider concepts are answers too (`label_hierarchy`).

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
        Text around a label's name, with one ``{}`` for it; None takes the mean over six of them.
    top_k
        Known items that `explain` shows for each text.
    tune
        ``"none"`` leaves the encoder as it is; ``"head"`` trains a small head over it, ``"full"`` and
        ``"lora"`` its upper layers, and ``"joint"`` either together with the index (`optimise_jointly`), on
        the examples and the labels' texts. It is kept and saved only where held-out examples gain by it;
        `tuning_` says whether they did.
    false_alarm_rate
        Share of texts such as the known ones that ``predict(..., reject=True)`` may take for none of the
        labels, above 0 and below 1. With a tuned encoder it holds from about 1,000 examples on, of which a
        tenth is kept from tuning; with fewer, or ``tune="joint"``, more are taken for none. Or ``"auto"``,
        the share at which labels that are held out are told best (macro-F1 with "none of these" as one more
        label): fewer misses, for more false alarms.
    budget_s
        Seconds of training, which then ends at the next step; None for no bound.
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
        template: str | None = None,
        top_k: int = 10,
        tune: str = "none",
        false_alarm_rate: float | str = 0.05,
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
        self.false_alarm_rate = false_alarm_rate
        self.budget_s = budget_s
        self.checkpoints = checkpoints
        self.random_state = random_state
        self.show_progress = show_progress

    def fit(
        self,
        X: Sequence[Item | str] | None = None,
        y: Sequence[str] | None = None,
        labels: Iterable[str | Concept] | None = None,
        *,
        unlabelled: Sequence[Item | str] | None = None,
    ) -> ZeroShotClassifier:
        """Settle the labels, and learn from examples and from texts without labels, if there are any.

        Parameters
        ----------
        X
            Examples, items or texts, shape (n,); None without any.
        y
            Labels of the examples, strings, shape (n,).
        labels
            Names, ids of the graph's concepts, or concepts. None takes those of `y`; without `y` the graph's
            concepts of type ``"label"``, or all of them if it has none of that type.
        unlabelled
            Items or texts such as will be asked, whose labels nobody has given, shape (m,); at least as many
            as the labels, which are taken to be about equally frequent in them. They are indexed too, and
            what they teach (`transduction`) serves for all texts. With `tune`, the surest guesses are
            examples for the encoder.

        Raises
        ------
        InvalidInputError
            If labels or texts are wrong, or their numbers differ; nothing has been changed then.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        items, y = checked_examples(X, y)
        check_settings(template=self.template, false_alarm_rate=self.false_alarm_rate, top_k=self.top_k)
        ids, graph = label_graph(labels, y, self.graph)
        others = checked_unlabelled(unlabelled, items, len(ids))
        graph.require(concept for item in (*items, *others) for concept in item.concepts)
        base = resolve_encoder(self.encoder)
        tuning = Tuning(
            method=self.tune,
            budget_s=self.budget_s,
            checkpoints=self.checkpoints,
            random_state=self.random_state,
            show_progress=self.show_progress,
        )
        tuning.check_encoder(base)
        task = LabelTask(
            concepts=[graph.concepts[id_] for id_ in ids],
            hierarchy=label_hierarchy(ids, graph),
            template=self.template,
            examples=[linked(item, label) for item, label in zip(items, y or (), strict=True)],
            y=y or (),
            others=others,
        )
        model_index = ModelIndex(self.index)
        taught = task.tune(base, tuning, graph=graph, model_index=model_index)
        encoder, report = taught.encoder, taught.report
        version = model_index.build(task.items, encoder, graph, show_progress=self.show_progress)
        head = task.head(version, taught, base, self.random_state)
        model_index.publish(version)
        clear_rounds(report, model_index, version, self.checkpoints)
        self.holds_encoder_ = holds_encoder(encoder, report, self.encoder_ if self.holds_encoder_ else None)
        self.tuning_ = report
        self._adopt(model_index, version, without_memory(encoder, base), graph, ids, head)
        return self

    def _state(self) -> ModelState:
        return classifier_state(self.get_params(deep=False), self.classes_.tolist(), self.head_)

    def _saved_graph(self) -> KnowledgeGraph | None:
        # Without labels that came later, as the version is.
        return self.retriever_.graph

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> ZeroShotClassifier:
        parameters, ids, head = restore_classifier(state)
        model = cls(parts.encoder, parts.graph, index=parts.model_index.index, **parameters)
        model._adopt(parts.model_index, parts.version, parts.encoder, parts.graph, ids, head)
        return model

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
        self.classes_, self.hierarchy_ = np.array(ids), label_hierarchy(ids, self.graph_)
        self.head_ = head
        self._novelty: NoveltyScorer | None = None
