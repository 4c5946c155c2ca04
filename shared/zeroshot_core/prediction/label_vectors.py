"""Labels as concepts of the graph, and their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Vectors

__all__ = ["LABEL_TYPE", "check_template", "label_graph", "label_texts", "label_vectors"]

LABEL_TYPE = "label"


def label_graph(
    labels: Iterable[str | Concept] | None, y: Sequence[str] | None, graph: KnowledgeGraph | None
) -> tuple[list[str], KnowledgeGraph]:
    """Settle which labels there are, each a concept of the graph.

    Parameters
    ----------
    labels
        Ids of concepts, names that become concepts of type ``"label"``, or concepts. None takes those of `y`;
        without `y` the graph's concepts of type ``"label"``, or all of them if it has none of that type.
    y
        Labels of the examples.

    Returns
    -------
    list of str, KnowledgeGraph
        Ids of the labels, sorted; and the graph with the concepts that it lacked.

    Raises
    ------
    InvalidInputError
        If there are fewer than two labels, two are the same but for case, one is empty or not what the graph
        says it is, or `y` holds another one.
    """
    known = KnowledgeGraph() if graph is None else graph
    if isinstance(labels, str):
        raise InvalidInputError(f"expected a list of labels, got one: {labels!r}; wrap it in a list")
    given = list(labels) if labels is not None else _implied(y, known)
    concepts = [_concept(label, known) for label in given]
    ids = sorted(concept.id for concept in concepts)
    _check_ids(ids)
    stray = sorted(set(y or ()) - set(ids))
    if stray:
        raise InvalidInputError(
            f"expected y to hold only the labels given, got {len(stray)} others: {stray[:3]}; "
            "add them to labels"
        )
    missing = [concept for concept in concepts if concept.id not in known]
    if not missing:
        return ids, known
    return ids, KnowledgeGraph([*known.concepts.values(), *missing], known.relations)


def label_vectors(concepts: Sequence[Concept], encoder: Encoder, template: str) -> Vectors:
    """Encode each label as the mean of its names in the template, and of its description.

    Returns
    -------
    Vectors
        Shape (n, d), unit rows.
    """
    texts = [label_texts(concept, template) for concept in concepts]
    vectors = encoder.encode(list(chain.from_iterable(texts)))
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    means = np.add.reduceat(vectors, starts, axis=0, dtype=np.float64)
    units: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return units


def label_texts(concept: Concept, template: str) -> list[str]:
    """Names of a label in the template, and its description."""
    names = [template.format(name) for name in (concept.name, *concept.synonyms)]
    return names + ([concept.description] if concept.description.strip() else [])


def check_template(template: Any) -> None:
    """Refuse a template without a place for the label.

    Raises
    ------
    InvalidInputError
        If it isn't a text with one ``{}``.
    """
    try:
        is_good = template.count("{}") == 1 and template.format("label") == template.replace("{}", "label")
    except (AttributeError, IndexError, KeyError, ValueError):
        is_good = False
    if not is_good:
        raise InvalidInputError(
            f"expected a template with one {{}} for the label, such as 'a text about {{}}', got {template!r}"
        )


def _implied(y: Sequence[str] | None, graph: KnowledgeGraph) -> list[str | Concept]:
    if y is not None:
        return list(dict.fromkeys(y))
    labels = [concept for concept in graph.concepts.values() if concept.type == LABEL_TYPE]
    return list(labels or graph.concepts.values())


def _concept(label: Any, graph: KnowledgeGraph) -> Concept:
    if isinstance(label, Concept):
        if graph.concepts.get(label.id, label) != label:
            raise InvalidInputError(
                f"expected the graph's own concept {label.id!r} as a label, got one with other fields; "
                "give its id"
            )
        return label
    if not isinstance(label, str) or not label.strip():
        raise InvalidInputError(
            f"expected labels that are non-empty strings or Concepts, got {label!r}; convert it with str()"
        )
    return graph.concepts.get(label) or Concept(id=label, name=label, type=LABEL_TYPE)


def _check_ids(ids: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for id_ in ids:
        folded = id_.casefold()
        if folded in seen:
            raise InvalidInputError(
                f"expected labels that differ in more than case, got {seen[folded]!r} and {id_!r}; merge them"
            )
        seen[folded] = id_
    if len(ids) < 2:
        found = f"only {ids[0]!r}" if ids else "none"
        raise InvalidInputError(
            f"expected at least 2 labels to choose from, got {found}; "
            "give them as labels, as y, or in the graph"
        )
