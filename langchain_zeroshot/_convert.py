"""The only mapping between LangChain's records and the core's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.attributes import hit_reasons, own_attributes, prediction_attributes
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.images import ImageSource, is_uri
from zeroshot_core.serving.argument_names import known_keywords
from zeroshot_core.serving.inputs import item_from_attributes, takes_images, to_item
from zeroshot_core.types import Hit, Item, Prediction

from langchain_zeroshot.schemas import PredictionOutput

PredictorInput: TypeAlias = (
    str | dict[str, Any] | Document | Item | BaseMessage | PromptValue | Sequence[BaseMessage]
)


@known_keywords
def from_documents(documents: Iterable[Document], *, concept_fields: Sequence[str] = ()) -> list[Item]:
    """Items of Documents, such as those of a loader; the Documents stay as they are.

    Plain metadata are the item's, a list of ids under ``concepts`` its links to the graph. A Document without
    an id gets one by its place, such as ``document-0``.

    Parameters
    ----------
    concept_fields
        Metadata that link a Document to more concepts: values such as `KnowledgeGraph.from_table` makes ids
        of (``kind`` links ``wine`` to ``kind:wine``), or these ids, one or several.

    Raises
    ------
    InvalidInputError
        If a Document has no text, or its concepts are no list of ids.
    """
    return [
        item_from_attributes(one.id or f"document-{row}", one.page_content, one.metadata, concept_fields)
        for row, one in enumerate(documents)
    ]


def to_items(
    inputs: Sequence[PredictorInput], model: object = None, input_key: str | None = None
) -> list[Item]:
    """Items of what a Runnable may be given, numbered where they have no id.

    Parameters
    ----------
    model
        Who is asked. Where it was fitted on a table, a mapping may be a row of one.
    input_key
        Where in a mapping the input is; by default the mapping is one itself, or holds ``messages``.

    Raises
    ------
    InvalidInputError
        If there is neither a text nor an image in one of them, or it is wrong.
    """
    return [_to_item(value, f"query-{row}", model, input_key) for row, value in enumerate(inputs)]


def _to_item(value: Any, default_id: str, model: object, input_key: str | None) -> Item:
    if isinstance(value, Mapping) and input_key is not None:
        if input_key not in value:
            raise InvalidInputError(
                f"expected an input under {input_key!r}, got the keys {shown([*value])}; "
                "input_key names where it is"
            )
        return _to_item(value[input_key], default_id, model, None)
    if isinstance(value, Mapping) and "text" not in value and "messages" in value:
        value = value["messages"]
    if isinstance(value, PromptValue):
        value = value.to_messages()
    if isinstance(value, list | tuple):
        value = _last_said(value)
    if isinstance(value, BaseMessage):
        image = _image_of(value) if takes_images(model) else None
        text = str(value.text)
        return Item(id=default_id, text=text if image is None else text.strip() or None, image=image)
    if isinstance(value, Document):
        return item_from_attributes(value.id or default_id, value.page_content, value.metadata)
    return to_item(value, default_id, model, sent=False)


def _image_of(message: BaseMessage) -> ImageSource | None:
    """Image of a message, if it has one; a path in it is never opened, for anybody may have written it."""
    blocks: list[Any] = [block for block in message.content_blocks if block["type"] == "image"]
    if not blocks:
        return None
    data, url = blocks[0].get("base64"), blocks[0].get("url")
    if len(blocks) > 1 or not (isinstance(data, str) or is_uri(url)):
        raise InvalidInputError(
            f"expected one image in a message, as base64, a data URI or a URL, got {shown(blocks)}; ask of "
            "each image by a message of its own"
        )
    return f"data:{blocks[0].get('mime_type') or ''};base64,{data}" if isinstance(data, str) else url


def _last_said(messages: Sequence[Any]) -> HumanMessage:
    """Find the last message that a human wrote."""
    try:
        if any(isinstance(one, str) for one in messages):
            raise TypeError("several texts, of which none is the last that was said")
        said = [one for one in convert_to_messages(messages) if isinstance(one, HumanMessage)]
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InvalidInputError(
            "expected a text, a mapping with 'text', messages, a Document or an item, got "
            f"{shown(messages)}; batch takes a list of inputs"
        ) from error
    if not said:
        raise InvalidInputError(f"expected a message of a human, got none among {len(messages)} messages")
    return said[-1]


def to_document(hit: Hit, found: Document | None = None) -> Document:
    """Document of a hit; its metadata are the item's, with score, parts, path and concepts added.

    Parameters
    ----------
    found
        The Document that the hit ranks, which is copied.
    """
    document = Document(id=hit.id, page_content=hit.text) if found is None else found.model_copy()
    own = hit.metadata if found is None else own_attributes(found.metadata)
    document.metadata = _HitMetadata({**own, **hit_reasons(hit)})  # pydantic would make a plain dict of it
    return document


class _HitMetadata(dict[str, Any]):
    """Metadata that are equal where the item's own are, however a query found it.

    What unites the Documents of several queries compares them as a whole.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and own_attributes(self) == own_attributes(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def to_output(prediction: Prediction) -> PredictionOutput:
    """Typed output of a prediction."""
    return PredictionOutput(
        id=prediction.id,
        documents=[to_document(hit) for hit in prediction.evidence.items],
        concepts=[to_document(hit) for hit in prediction.evidence.concepts],
        explanation=prediction_in_words(prediction),
        **prediction_attributes(prediction),
    )
