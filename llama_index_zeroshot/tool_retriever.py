"""Retriever of the tools that fit a request, for agents that have hundreds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.objects import ObjectRetriever, SimpleToolNodeMapping
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import BaseTool
from pydantic import SecretStr
from zeroshot_core.checks import choice, real, sequence, shown, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.serving.argument_names import named_arguments
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.option_ranker import Option, OptionRanker, options_of
from zeroshot_core.serving.threads import method_in_thread


@named_arguments({"similarity_top_k": "top_k", "max_tools": "top_k"})
class ZeroShotToolRetriever(ObjectRetriever[BaseTool]):
    """Gives an agent the tools that fit its request: ``FunctionAgent(tool_retriever=...)``.

    Each tool is encoded once, for as long as the retriever lives.

    Parameters
    ----------
    tools
        All that there are, each with a name of its own.
    model
        Name of an encoder, or what `ZeroShotEmbedding` takes.
    top_k
        How many are given at most, beside those that always are; also as ``similarity_top_k``
        or ``max_tools``.
    always_include
        Names of tools that are always given.
    threshold
        Least score of a tool that is given, from -1 to 1; None gives `top_k` always.
    past_calls
        By the name of a tool, requests in which it was the right one.
    uri, token
        Milvus address of a saved model, where it is a server or not the saved one, and its credentials.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, two tools have one name, or a name is of no tool.
    """

    def __init__(
        self,
        tools: Sequence[BaseTool],
        model: Any = "all-MiniLM-L6-v2",
        *,
        top_k: int = 8,
        always_include: Sequence[str] = (),
        threshold: float | None = None,
        past_calls: Mapping[str, Sequence[str]] | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
    ) -> None:
        given = sequence("tools", tools, of="tools")
        names = [tool.metadata.get_name() for tool in given]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InvalidInputError(f"expected tools with distinct names, got {shown(twice)} twice")
        for name in sequence("always_include", always_include, of="names of tools"):
            choice("always_include", name, names)
        free = [tool.metadata for tool in given if tool.metadata.get_name() not in always_include]
        ranked = _RankedTools(
            OptionRanker(ModelHandle(model, uri, token)),
            options_of([(one.get_name(), one.description) for one in free], past_calls),
            always=tuple(always_include),
            top_k=whole("top_k", top_k, least=1),
            threshold=None if threshold is None else real("threshold", threshold, least=-1, most=1),
        )
        super().__init__(ranked, SimpleToolNodeMapping.from_objects(given))


class _RankedTools(BaseRetriever):
    """Nodes that name tools, as `SimpleToolNodeMapping` reads them."""

    def __init__(
        self,
        ranker: OptionRanker,
        options: Sequence[Option],
        *,
        always: Sequence[str],
        top_k: int,
        threshold: float | None,
    ) -> None:
        self._ranker, self._options, self._always = ranker, options, always
        self._top_k, self._threshold = top_k, threshold
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = query_bundle.query_str
        is_asked = bool(self._options and query.strip())
        ranked = (
            self._ranker.rank(query, self._options, top_k=self._top_k, threshold=self._threshold)
            if is_asked
            else []
        )
        found: list[tuple[str, float | None]] = [(name, None) for name in self._always]
        found += [(self._options[place].name, score) for place, score in ranked]
        return [
            NodeWithScore(node=TextNode(id_=name, text=name, metadata={"name": name}), score=score)
            for name, score in found
        ]

    _aretrieve = method_in_thread(_retrieve)
