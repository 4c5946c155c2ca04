"""Items of what callers give, in the forms in which they have it; and many of them answered by one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from zeroshot_core.checks import sequence, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.attributes import CONCEPTS, own_attributes
from zeroshot_core.graph.tables import table_concepts
from zeroshot_core.images import is_image, sent_image
from zeroshot_core.types import Item

__all__ = ["answer_batch", "item_from_attributes", "item_to_store", "takes_images", "to_item"]

In = TypeVar("In")
Out = TypeVar("Out")

_KEYS = ("id", "text", "concepts", "metadata")
# Near enough to "concepts" is "concept", to "text" neither "texts" nor "context".
_MISSPELT = 0.9


def to_item(value: object, default_id: str, model: object = None, *, sent: bool = True) -> Item:
    """Item of a text, or of a mapping with ``text`` and, where known, ``concepts``, ``metadata`` and ``id``.

    Models that read images take ``image`` beside the text, or in its place. An item comes back as it is. A
    mapping may hold more, such as the state of a chain; only a key that is spelt almost as one of these is
    refused.

    Parameters
    ----------
    model
        Who is asked. Where it was fitted on a table, a mapping may be a row with the columns of that.
    sent
        Whether it came over a network or from an agent, who must not name files of this machine: an image is
        then a data URI (`images.sent_image`). Of the program itself it is anything that `Item` takes, alone
        or in a mapping.

    Raises
    ------
    InvalidInputError
        If it is of another type, or a part of it is missing, misspelt or wrong.
    """
    if isinstance(value, Item):
        return value
    if isinstance(value, str):
        return Item(id=default_id, text=value)
    if not sent and is_image(value):
        return Item(id=default_id, image=value)
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            "expected a text, an image as Path, bytes or PIL image, a mapping with 'text' or 'image', or an "
            f"item, got {type(value).__name__}"
        )
    asked: Any = getattr(model, "classifier", model)
    schema = getattr(asked, "schema_", None)
    column = getattr(schema, "image", None)
    if sent:
        for name in dict.fromkeys(("image", *filter(None, [column]))):
            _check_sent(value.get(name), model)
    image = value.get("image") if column != "image" else None
    if schema is not None and image is None and _is_row(value, {*schema.columns}):
        item: Item = asked.to_items([value])[0]
        return item if value.get(schema.id) else replace(item, id=default_id)
    keys = (*_KEYS, "image") if takes_images(model) else _KEYS
    problem = _problem(value if image is None else {"text": "", **value}, keys)
    if problem:
        raise InvalidInputError(
            f"expected 'text' or 'image' and, where known, 'concepts', 'metadata' and 'id', got {problem}"
        )
    return Item(
        id=value.get("id") or default_id,
        text=value["text"] if image is None else value.get("text") or None,
        image=image,
        concepts=tuple(value.get("concepts") or ()),
        metadata=dict(value.get("metadata") or {}),
    )


def takes_images(model: Any) -> bool:
    """Whether a model, a retriever, or what stands over one, has an encoder of images."""
    asked = getattr(model, "classifier", model)
    encoder = getattr(asked, "encoder_", None) or getattr(asked, "encoder", None)
    return "image" in getattr(encoder, "modalities", ())


def item_from_attributes(
    id_: str, text: str, attributes: Mapping[str, Any], concept_fields: Sequence[str] = ()
) -> Item:
    """Item with the attributes that are plain values as its metadata, and a list of concepts as its links.

    Of what `attributes.hit_reasons` adds to a hit's metadata, the concepts are links, as those under
    ``concepts`` are where it has added none, and the rest of what it adds is left out. ``concepts`` that are
    a plain value are metadata.

    Parameters
    ----------
    concept_fields
        Attributes that link the item to more concepts: values of which `KnowledgeGraph.from_table` makes ids
        (``kind`` links ``wine`` to ``kind:wine``), or these ids, one or several. They stay metadata where
        they are plain values.

    Raises
    ------
    InvalidInputError
        If the id or the text is empty, a list of concepts is not one of ids, or a field is no text.
    """
    concepts = attributes.get(CONCEPTS, attributes.get("concepts"))
    links = tuple(concepts) if isinstance(concepts, list | tuple) else ()
    if not all(isinstance(one, str) for one in links):
        raise InvalidInputError(f"item {id_!r}: expected a list of ids as concepts, got {shown(concepts)}")
    fields = sequence("concept_fields", concept_fields, of="names")
    named = [one for field in fields for one in _ids(attributes, field)]
    own = {k: v for k, v in own_attributes(attributes).items() if isinstance(v, str | int | float)}
    return Item(id=id_, text=text, concepts=tuple(dict.fromkeys([*links, *named])), metadata=own)


def _ids(attributes: Mapping[str, Any], field: str) -> Iterator[str]:
    """Ids of the concepts that a field names."""
    given: Any = attributes.get(field)
    values: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    for value in values:
        if isinstance(value, str) and value.startswith(f"{field}:"):
            yield value
        else:
            yield from table_concepts([{field: value}], [field])[0]


def item_to_store(
    id_: str, text: str, attributes: Mapping[str, Any], concept_fields: Sequence[str] = ()
) -> Item:
    """Item like that of `item_from_attributes`, to be written: nothing of its attributes may be lost.

    Raises
    ------
    InvalidInputError
        As `item_from_attributes`; or if an attribute is neither a string, a number, a boolean nor None.
    """
    for key, value in own_attributes(attributes).items():
        is_links = key in ("concepts", *concept_fields) and isinstance(value, list | tuple)
        if not (is_links or value is None or isinstance(value, str | int | float)):
            raise InvalidInputError(
                f"item {id_!r}: expected metadata of strings, numbers and booleans, got {key!r} of type "
                f"{type(value).__name__}; join it to a string, or leave it out"
            )
    return item_from_attributes(id_, text, attributes, concept_fields)


def answer_batch(
    answer: Callable[[list[In]], list[Out]], inputs: list[In], *, apart: bool
) -> list[Out | Exception]:
    """Answer all inputs by one call; an error stands in the place of every input that it concerns.

    Parameters
    ----------
    answer
        Answers in the order of the inputs.
    apart
        After an `InvalidInputError` answer again one by one, so that the good inputs are answered.
    """
    try:
        return [*answer(inputs)]
    except InvalidInputError as error:
        if apart and len(inputs) > 1:
            return [each for value in inputs for each in answer_batch(answer, [value], apart=True)]
        return [error] * len(inputs)
    except Exception as error:  # the caller reports it for every input
        return [error] * len(inputs)


def _check_sent(image: object, model: object) -> None:
    """Refuse an image that is no data URI, or that the model can't read."""
    if image is None:
        return
    if not takes_images(model):
        raise InvalidInputError(
            "expected a text, got an image, and the model reads texts only; say in 'text' what it shows"
        )
    sent_image(image)


def _is_row(value: Mapping[str, Any], columns: set[str]) -> bool:
    """Whether a mapping is meant as a row of a table, though perhaps not a whole one."""
    return columns <= value.keys() or "text" not in value or bool((columns - {*_KEYS}) & value.keys())


def _problem(value: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Say what is wrong with a mapping; the empty string if nothing is."""
    concepts, metadata = value.get("concepts") or [], value.get("metadata") or {}
    for name in sorted(map(str, value.keys() - {*keys})):
        if nearest := get_close_matches(name.casefold(), keys, n=1, cutoff=_MISSPELT):
            return f"an unknown {shown(name)}; did you mean {nearest[0]!r}?"
    if not isinstance(value.get("text"), str):
        given = shown(value.get("text", [*value]))
        return f"a text that is {given}" if "text" in value else f"no text in {given}"
    if not isinstance(concepts, list | tuple) or not all(isinstance(id_, str) for id_ in concepts):
        return f"concepts that are no list of ids: {shown(concepts)}"
    if not isinstance(metadata, Mapping) or not all(
        isinstance(one, str | int | float) for one in metadata.values()
    ):
        return f"metadata that are no plain values by name: {shown(metadata)}"
    return ""
