"""Selector of query engines or tools, without a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.schema import QueryBundle
from llama_index.core.tools import ToolMetadata
from pydantic import SecretStr
from zeroshot_core.checks import choice, known_arguments, real, whole
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.option_ranker import OptionRanker, options_of
from zeroshot_core.serving.threads import run_in_thread


@known_arguments
class ZeroShotSelector(BaseSelector):
    """Chooses among choices, such as those of a `RouterQueryEngine`, by meaning, from names and descriptions.

    Each choice is encoded once, for as long as the selector lives.

    Parameters
    ----------
    model
        Name of an encoder, or what `ZeroShotEmbedding` takes.
    top_k
        How many are chosen at most.
    threshold
        Least score of a choice, from -1 to 1; None chooses `top_k` always.
    fallback
        Name of the choice that is taken where none has the threshold; without one none is chosen then.
    past_calls
        By the name of a choice, queries for which it was the right one.
    uri, token
        Milvus address of a saved model, where it is a server or not the saved one, and its credentials.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, or, in `select`, no choice has a name.
    """

    def __init__(
        self,
        model: Any = "all-MiniLM-L6-v2",
        *,
        top_k: int = 1,
        threshold: float | None = None,
        fallback: str | None = None,
        past_calls: Mapping[str, Sequence[str]] | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
    ) -> None:
        self.top_k = whole("top_k", top_k, least=1)
        self.threshold = None if threshold is None else real("threshold", threshold, least=-1, most=1)
        self.fallback = fallback
        self.past_calls = past_calls
        self._ranker = OptionRanker(ModelHandle(model, uri, token))

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        names = [one.name or "" for one in choices]
        told = [(name, one.description or "") for name, one in zip(names, choices, strict=True)]
        options = options_of(told, self.past_calls)
        found = self._ranker.rank(query.query_str, options, top_k=self.top_k, threshold=self.threshold)
        chosen = [(place, f"score {score:.2f}") for place, score in found]
        if not chosen and self.fallback is not None:
            place = names.index(choice("fallback", self.fallback, names))
            chosen = [(place, f"fallback: no score of {self.threshold:g}")]
        return SelectorResult(
            selections=[
                SingleSelection(index=place, reason=f"{names[place]}: {why}") for place, why in chosen
            ]
        )

    async def _aselect(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        return await run_in_thread(self._select)(choices, query)

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts_dict: dict[str, Any]) -> None:
        pass
