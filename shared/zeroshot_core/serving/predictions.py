"""Predictions for those who serve a model, final or as questions to a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from zeroshot_core.checks import real, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prompting.answers import Answer
from zeroshot_core.prompting.label_question import LabelQuestion
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.prompting.prompt_settings import Prompting
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier
    from zeroshot_core.serving.loading import ServedModel

__all__ = ["Explainer", "FinalPrediction", "PredictionSettings", "Question", "predictions", "questions"]


@dataclass(frozen=True, kw_only=True)
class PredictionSettings:
    """How a prediction is made, and what is told of it.

    Parameters
    ----------
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    reject
        Whether ``""``, none of the labels, may be the answer.
    prompting
        What goes into the prompts of a language model that chooses the label.
    evidence
        Whether the known items and concepts behind a prediction are told. If not, none are searched for, but
        for the prompt of a language model.

    Raises
    ------
    InvalidInputError
        If a number is out of range.
    """

    coverage: float
    top_k: int
    reject: bool = False
    prompting: Prompting | None = None
    evidence: bool = True

    def __post_init__(self) -> None:
        real("coverage", self.coverage, above=0, below=1)
        whole("top_k", self.top_k, least=1)


@runtime_checkable
class Explainer(Protocol):
    """A model that predicts with reasons: of any kind but a novelty detector."""

    def explain(
        self, X: Sequence[Item | str], *, top_k: int = ..., coverage: float = ..., evidence: bool = ...
    ) -> list[Prediction]:
        """Predict with the evidence behind each prediction."""


@dataclass(frozen=True, kw_only=True)
class FinalPrediction:
    """A prediction that no language model is asked about; used as a `LabelQuestion` is."""

    prediction: Prediction

    def ask(self, model: Callable[[LabelQuestion], Answer | None]) -> Prediction:
        """Give the prediction."""
        return self.prediction

    async def aask(self, model: Callable[[LabelQuestion], Awaitable[Answer | None]]) -> Prediction:
        """Give the prediction."""
        return self.prediction

    def stream(self, model: Callable[[LabelQuestion], Iterator[Answer | None]]) -> Iterator[Prediction]:
        """Give the prediction once."""
        yield self.prediction

    async def astream(
        self, model: Callable[[LabelQuestion], AsyncIterator[Answer | None]]
    ) -> AsyncIterator[Prediction]:
        """Give the prediction once."""
        yield self.prediction


Question: TypeAlias = LabelQuestion | FinalPrediction


def questions(
    model: ServedModel, items: Sequence[Item], settings: PredictionSettings, *, is_prompted: bool
) -> list[Question]:
    """Predict for all items by one call of the model; if prompted, as questions to a language model.

    Raises
    ------
    InvalidInputError
        As `predictions`; or if a language model is to choose among the labels of what is no classifier.
    """
    if not is_prompted:
        return [FinalPrediction(prediction=one) for one in predictions(model, items, settings)]
    from zeroshot_core.prompting.label_prompts import check_classifier, label_questions

    return [
        *label_questions(
            check_classifier(model),
            items,
            top_k=settings.top_k,
            prompting=settings.prompting,
            reject=settings.reject,
            evidence=settings.evidence,
        )
    ]


def predictions(model: ServedModel, items: Sequence[Item], settings: PredictionSettings) -> list[Prediction]:
    """Predict for all items by one call of the model.

    Raises
    ------
    InvalidInputError
        If an item is wrong, the model is a novelty detector, or something else than a classifier is to
        reject.
    """
    if not isinstance(model, Explainer):
        raise InvalidInputError(
            f"expected a model that predicts a value, labels or a ranking, got a {type(model).__name__}; "
            "call its own predict"
        )
    if settings.reject:
        return _rejecting(model).explain(items, top_k=settings.top_k, reject=True, evidence=settings.evidence)
    return model.explain(items, top_k=settings.top_k, coverage=settings.coverage, evidence=settings.evidence)


def _rejecting(model: object) -> ZeroShotClassifier | PromptedClassifier:
    """Check that there are labels of which a text can be none."""
    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier

    if not isinstance(model, ZeroShotClassifier | PromptedClassifier):
        raise InvalidInputError(
            f"expected a classifier, whose labels a text can be none of, got {type(model).__name__}; "
            "leave reject out"
        )
    return model
