"""A classifier whose label a language model chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.checks import whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prompting.label_prompts import label_questions
from zeroshot_core.prompting.prompt_settings import Prompting
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.prompting.label_question import LabelQuestion
    from zeroshot_core.retrieval import Retriever

__all__ = ["PromptedClassifier"]


class PromptedClassifier:
    """A classifier whose label a language model chooses by the evidence; served as the plain one is.

    The probabilities remain the classifier's. Where the model raises, is down or answers with none of the
    candidates, the label is the classifier's too, and the prediction says in `fallback` why.

    Parameters
    ----------
    classifier
        A fitted classifier.
    ask
        Prompt and JSON schema of the answer in, the answer out; a text that is not held to the schema is read
        as well as may be. Errors that it raises are recorded, not raised.
    stream
        The same, but it yields the answer piece by piece.
    prompting
        What goes into the prompts.
    max_concurrency
        Most calls of `ask` at a time, from threads.
    """

    def __init__(
        self,
        classifier: ZeroShotClassifier,
        ask: Callable[[str, dict[str, Any]], str],
        *,
        stream: Callable[[str, dict[str, Any]], Iterator[str]] | None = None,
        prompting: Prompting | None = None,
        max_concurrency: int = 4,
    ) -> None:
        self.classifier = classifier
        self.prompting = prompting
        self.max_concurrency = max_concurrency
        self._ask = ask
        self._stream = stream

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The classifier's labels."""
        return self.classifier.classes_

    @property
    def retriever_(self) -> Retriever:
        """What finds the evidence."""
        return self.classifier.retriever_

    def predict(self, X: Sequence[Item | str], *, reject: bool = False) -> npt.NDArray[Any]:
        """Label of each item or text, shape (q,); to `reject` is to allow ``""``, none of these."""
        predictions = self.explain(X, reject=reject)
        ids = np.array([str(prediction.value) for prediction in predictions], dtype=np.str_)
        return self.classifier.labels_.of_ids(ids)

    def explain(
        self,
        X: Sequence[Item | str],
        *,
        top_k: int | None = None,
        coverage: float | None = None,
        reject: bool = False,
        evidence: bool = True,
    ) -> list[Prediction]:
        """Label of each item or text with the model's reason and the classifier's evidence.

        Parameters
        ----------
        top_k
            Known items retrieved for each text.
        coverage
            Changes nothing, as in `ZeroShotClassifier.explain`.
        reject
            Whether the model may choose "none of these", whose label is ``""``; where it does not answer, the
            classifier decides as its own `predict` does.
        evidence
            Whether the predictions hold the evidence; the prompts do all the same.

        Raises
        ------
        InvalidInputError
            If a text is wrong, or `max_concurrency` is no whole number of at least 1; never for what the
            model does.
        """
        remedy = "it is how many calls of ask run at a time"
        n_threads = whole("max_concurrency", self.max_concurrency, least=1, remedy=remedy)
        questions = label_questions(
            self.classifier, X, top_k=top_k, prompting=self.prompting, reject=reject, evidence=evidence
        )
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(lambda question: question.ask(self._answer), questions))

    def stream(
        self, x: Item | str, *, top_k: int | None = None, reject: bool = False
    ) -> Iterator[Prediction]:
        """Give drafts of one prediction while the model writes its reason, and the prediction last.

        Raises
        ------
        InvalidInputError
            If the classifier was not given a `stream`.
        """
        if self._stream is None:
            raise InvalidInputError(
                "expected a language model that streams, got only ask; give stream=... as well"
            )
        (question,) = label_questions(
            self.classifier, [x], top_k=top_k, prompting=self.prompting, reject=reject
        )
        stream = self._stream
        return question.stream(lambda asked: accumulate(stream(asked.text_prompt, asked.schema)))

    def _answer(self, question: LabelQuestion) -> str:
        return self._ask(question.text_prompt, question.schema)
