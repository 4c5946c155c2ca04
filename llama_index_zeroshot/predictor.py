"""Query engine: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from inspect import getattr_static
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.schema import QueryBundle
from pydantic import SecretStr
from zeroshot_core.checks import known_arguments
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.prompting.label_question import LabelQuestion
from zeroshot_core.prompting.prompt_settings import Prompting
from zeroshot_core.serving.language_model import Call, LanguageModel
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.predictions import PredictionSettings, Question, questions
from zeroshot_core.serving.threads import run_in_thread

from llama_index_zeroshot._convert import to_async_stream, to_class, to_item, to_response, to_stream


@known_arguments
class ZeroShotQueryEngine(BaseQueryEngine):
    """Prediction for the thing that a query describes.

    The response is the prediction in words; its source nodes are the known items and the concepts behind it,
    and its metadata hold `value`, `interval`, `coverage`, `probabilities`, `quantiles`, `paths`, `reason` and
    `fallback`.

    With `llm` a language model chooses among the classifier's most probable labels, by the evidence; where it
    fails, the label is the classifier's, and `fallback` says why. Its prompt is ``label_template``, of which
    ``{question}`` is what `prompting` says.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    llm
        Any LLM.
    prompting
        What goes into its prompts.
    evidence
        Whether source nodes are given. A caller that wants a label alone turns it off, and a classifier then
        searches for none.
    reject
        Whether a classifier may answer ``""``, none of the labels.
    confidence
        Least probability of a classifier's answer: where no label has it, the narrowest of the concepts above
        them that has it is the answer.
    statistic
        What a regressor forecasts: ``"expectation"``, ``"median"`` or ``"geometric"``.
    quantiles
        Probabilities for which a regressor gives the values that the truth stays below.
    contributions
        Whether a regressor says what moved its forecast, as metadata `contributions` and `typical`; it takes
        longer.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    streaming
        Whether responses are read as the language model writes them; the metadata that it decides are there
        when the text has been read to its end.
    """

    _words = staticmethod(prediction_in_words)

    def __init__(  # noqa: PLR0913  (as many as the twin has fields)
        self,
        model: ModelLike,
        *,
        coverage: float = 0.9,
        top_k: int = 5,
        llm: LLM | None = None,
        prompting: Prompting | None = None,
        evidence: bool = True,
        reject: bool = False,
        confidence: float | None = None,
        statistic: str | None = None,
        quantiles: Sequence[float] = (),
        contributions: bool = False,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
        streaming: bool = False,
    ) -> None:
        self.model = model
        self.coverage = coverage
        self.top_k = top_k
        self.llm = llm
        self.prompting = prompting
        self.evidence = evidence
        self.streaming = streaming
        self.reject = reject
        self.confidence = confidence
        self.statistic = statistic
        self.quantiles = quantiles
        self.contributions = contributions
        self._handle = ModelHandle(model, uri, token)
        self._settings()
        self._template: BasePromptTemplate = PromptTemplate("{question}")
        super().__init__(callback_manager=callback_manager)

    def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
        question, llm = self._look_up(query_bundle), _TemplatedModel(self.llm, self._template)
        if self.streaming:
            return to_stream(question.prediction.evidence, question.stream(llm.stream))
        return to_response(question.ask(llm.ask), self._words)

    async def _aquery(self, query_bundle: QueryBundle) -> Response | AsyncStreamingResponse:
        question = await run_in_thread(self._look_up)(query_bundle)
        llm = _TemplatedModel(self.llm, self._template)
        if self.streaming:
            return to_async_stream(question.prediction.evidence, question.astream(llm.astream))
        return to_response(await question.aask(llm.aask), self._words)

    def _look_up(self, query: QueryBundle) -> Question:
        items, is_prompted = [to_item(query)], self.llm is not None
        return questions(self._handle.model, items, self._settings(), is_prompted=is_prompted)[0]

    def _settings(self) -> PredictionSettings:
        return PredictionSettings(
            coverage=self.coverage,
            top_k=self.top_k,
            reject=self.reject,
            confidence=self.confidence,
            statistic=self.statistic,
            quantiles=self.quantiles,
            contributions=self.contributions,
            prompting=self.prompting,
            evidence=self.evidence,
        )

    def _get_prompts(self) -> dict[str, BasePromptTemplate]:
        return {} if self.llm is None else {"label_template": self._template}

    def _update_prompts(self, prompts_dict: dict[str, BasePromptTemplate]) -> None:
        template = prompts_dict.get("label_template", self._template)
        if "question" not in template.template_vars:
            raise InvalidInputError(f"expected label_template with 'question', got {template.template_vars}")
        self._template = template

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}


class _TemplatedModel(LanguageModel):
    def __init__(self, llm: LLM | None, template: BasePromptTemplate) -> None:
        self._llm: Any = llm
        self._template = template

    def _call(self, question: LabelQuestion, *, is_async: bool, is_streamed: bool) -> Call:
        """Hold the model to the schema where it can be: by tools or in a way of its own."""
        # A program writes into its template: each call has its own.
        template, prefix = self._template.model_copy(), "a" if is_async else ""
        structured = f"{prefix}{'stream_' if is_streamed else ''}structured_predict"
        is_its_own = getattr_static(type(self._llm), structured) is not getattr_static(LLM, structured)
        if self._llm.metadata.is_function_calling_model or is_its_own:
            schema = to_class(question.schema)
            return partial(getattr(self._llm, structured), schema, template, question=question.prompt), True
        ask = getattr(self._llm, prefix + ("stream" if is_streamed else "predict"))
        return partial(ask, template, question=question.text_prompt), False
