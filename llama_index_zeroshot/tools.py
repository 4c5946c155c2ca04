"""Tools for an agent or a router: predict, explain, and look up what is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.tools import QueryEngineTool, RetrieverTool, ToolMetadata, ToolOutput
from pydantic import SecretStr
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.wording import evidence_in_words
from zeroshot_core.serving.argument_names import known_keywords
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.threads import method_in_thread
from zeroshot_core.serving.tool_inputs import tool_inputs
from zeroshot_core.serving.tools import ModelTools, described_tools
from zeroshot_core.types import Prediction

from llama_index_zeroshot._convert import to_node, to_query, to_response
from llama_index_zeroshot.predictor import ZeroShotQueryEngine
from llama_index_zeroshot.retriever import ZeroShotRetriever


@known_keywords
def zero_shot_tools(
    model: ModelLike,
    *,
    prefix: str = "zero_shot",
    descriptions: Mapping[str, str] | None = None,
    uri: str | None = None,
    token: SecretStr | str | None = None,
) -> list[QueryEngineTool | RetrieverTool]:
    """Tools ``zero_shot_predict``, ``_retrieve``, ``_explain`` and ``_related_concepts`` over one model.

    All answer in words, with the Response or the nodes as raw output; a router asks their engine or
    retriever. Arguments are those of LangChain's tools; a single one, or ``input``, is the text.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model. Its labels and target are told to the agent, and of its
        notes the unit and examples: ``save(folder, extra={"unit": "bottles a week", "examples": [...]})``.
    prefix
        What the names begin with, so that the tools of several models have several names.
    descriptions
        What an agent is told of ``predict``, ``retrieve``, ``explain`` or ``related_concepts``, in the place
        of what the model says of itself.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """
    source: dict[str, Any] = {"model": model, "uri": uri, "token": token}
    tools = ModelTools(handle=ModelHandle(model, uri, token))
    schemas = tool_inputs(model)
    told = {
        does: ToolMetadata(description, name, fn_schema=schemas[does])
        for does, (name, description) in described_tools(model, prefix, descriptions).items()
    }
    return [
        _Predict(tools.predict, ZeroShotQueryEngine(**source), told["predict"]),
        _LookUp(tools.retrieve, ZeroShotRetriever(k=5, **source), told["retrieve"]),
        _Predict(tools.explain, _ExplainingEngine(top_k=10, **source), told["explain"]),
        _LookUp(tools.related_concepts, _ConceptRetriever(k=5, **source), told["related_concepts"]),
    ]


class _ExplainingEngine(ZeroShotQueryEngine):
    _words = staticmethod(evidence_in_words)


class _ConceptRetriever(ZeroShotRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._handle.retriever.related_concepts([to_query(query_bundle)], top_k=self.k)
        return [*map(to_node, hits[0])]

    _aretrieve = method_in_thread(_retrieve)


class _Answering:
    """A tool that takes the arguments of its schema; LlamaIndex's own take one text."""

    metadata: ToolMetadata

    def __init__(self, ask: Any, *parts: Any) -> None:
        super().__init__(*parts)
        self._ask = ask

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        given = self._given(args, kwargs)
        arguments = dict(self.metadata.fn_schema.model_validate(given))  # type: ignore[union-attr]
        words, found = self._ask(**arguments)
        is_prediction = isinstance(found, Prediction)
        return ToolOutput(
            content=words,
            tool_name=self.metadata.get_name(),
            raw_input=given,
            raw_output=to_response(found, lambda _: words) if is_prediction else [*map(to_node, found)],
        )

    acall = method_in_thread(call)

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name: a mapping is all of them, a text the first one."""
        if len(args) > 1:
            raise InvalidInputError(
                f"{self.metadata.name}: expected one text, and all else by name, got {len(args)} arguments"
            )
        given = {**({"input": args[0]} if args else {}), **kwargs}
        if "input" in given:
            inner = given.pop("input")
            first = next(iter(self.metadata.fn_schema.model_fields))  # type: ignore[union-attr]
            given |= {**inner} if isinstance(inner, Mapping) else {first: inner}
        return given


class _Predict(_Answering, QueryEngineTool):
    pass


class _LookUp(_Answering, RetrieverTool):
    pass
