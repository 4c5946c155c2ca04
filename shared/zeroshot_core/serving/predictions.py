"""Predictions for those who serve a model, final or as questions to a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from zeroshot_core.checks import choice, flag, real, sequence, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prompting.answers import Answer
from zeroshot_core.prompting.label_question import LabelQuestion
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.prompting.prompt_settings import Prompting
    from zeroshot_core.serving.loading import ServedModel

__all__ = [
    "STATISTICS",
    "Explainer",
    "FinalPrediction",
    "PredictionSettings",
    "Question",
    "predictions",
    "questions",
]

STATISTICS: Final = ("expectation", "median", "geometric")
"""What a regressor may forecast, as `ZeroShotRegressor.predict` says."""

_ONLY: Final = {
    "reject": "a classifier, whose labels a text can be none of",
    "confidence": "a ZeroShotClassifier, whose labels may have a concept above them",
    "statistic": "a ZeroShotRegressor, which forecasts numbers",
    "quantiles": "a ZeroShotRegressor, which forecasts numbers",
    "contributions": "a ZeroShotRegressor, which forecasts numbers",
}
"""What may be asked of some kinds of model only, by the name of the option."""


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
        Whether ``""``, none of the labels, may be a classifier's answer.
    confidence
        Least probability of a classifier's answer, in (0, 1]: where no label has it, the narrowest of the
        concepts above them that has it is the answer.
    statistic
        What a regressor forecasts, of `STATISTICS`; None is its own choice.
    quantiles
        Probabilities in (0, 1) for which a regressor gives the values that the truth stays below.
    contributions
        Whether a regressor says what moved its forecast.
    prompting
        What goes into the prompts of a language model that chooses the label.
    evidence
        Whether the known items and concepts behind a prediction are told. If not, none are searched for, but
        for the prompt of a language model.

    Raises
    ------
    InvalidInputError
        If a number is out of range, or a yes or no is neither.
    """

    coverage: float
    top_k: int
    reject: bool = False
    confidence: float | None = None
    statistic: str | None = None
    quantiles: Sequence[float] = ()
    contributions: bool = False
    prompting: Prompting | None = None
    evidence: bool = True

    def __post_init__(self) -> None:
        real("coverage", self.coverage, above=0, below=1)
        whole("top_k", self.top_k, least=1)
        if self.confidence is not None:
            real("confidence", self.confidence, above=0, most=1)
        if self.statistic is not None:
            choice("statistic", self.statistic, STATISTICS)
        for each in sequence("quantiles", self.quantiles, of="probabilities"):
            real("quantiles", each, above=0, below=1)
        for name in ("reject", "contributions", "evidence"):
            flag(name, getattr(self, name))

    @property
    def options(self) -> dict[str, Any]:
        """What only some kinds of model can do, where it is asked for."""
        asked = {name: getattr(self, name) for name in _ONLY}
        return {name: value for name, value in asked.items() if value not in (None, False, (), [])}


@runtime_checkable
class Explainer(Protocol):
    """A model that predicts with reasons: of any kind but a novelty detector."""

    def explain(
        self,
        X: Sequence[Item | str],
        *,
        top_k: int = ...,
        coverage: float = ...,
        evidence: bool = ...,
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
        As `predictions`; or if a language model is to choose among the labels of what is no classifier, or
        with a least confidence.
    """
    if not is_prompted:
        return [FinalPrediction(prediction=one) for one in predictions(model, items, settings)]
    from zeroshot_core.prompting.label_prompts import check_classifier, label_questions

    if settings.confidence is not None:
        raise InvalidInputError(
            "expected no confidence where a language model chooses the label, got "
            f"{settings.confidence}; leave it or llm out"
        )
    classifier = check_classifier(model)
    _check_options(classifier, settings)
    return [
        *label_questions(
            classifier,
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
        If an item is wrong, the model is a novelty detector, or it is not of a kind that an option applies
        to.
    """
    if not isinstance(model, Explainer):
        raise InvalidInputError(
            f"expected a model that predicts a value, labels or a ranking, got a {type(model).__name__}; "
            "call its own predict"
        )
    _check_options(model, settings)
    explain: Callable[..., list[Prediction]] = model.explain
    return explain(
        items,
        top_k=settings.top_k,
        coverage=settings.coverage,
        evidence=settings.evidence,
        **settings.options,
    )


def _check_options(model: Explainer, settings: PredictionSettings) -> None:
    """Refuse what a model of this kind can't do."""
    options = settings.options
    # Most requests have none, and a signature takes longer than a small head.
    known = signature(model.explain).parameters if options else ()
    for name in options:
        if name not in known:
            raise InvalidInputError(f"expected {_ONLY[name]}, got {type(model).__name__}; leave {name} out")
