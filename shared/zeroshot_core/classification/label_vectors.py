"""Labels as concepts of the graph, and their vectors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core.checks import has_control_character, shown
from zeroshot_core.classification.class_labels import LABEL_TYPE
from zeroshot_core.encoders.text_languages import language_code, script_of, scripts_of
from zeroshot_core.encoders.wrappers import KnownVectors
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.vectors import concept_texts
from zeroshot_core.types import Concept, Item

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Floats, Vectors

__all__ = [
    "Template",
    "check_template",
    "label_graph",
    "label_texts",
    "label_vectors",
    "label_words",
    "linked",
    "named_by_examples",
]

# Text around names, one for all or by language; None for the mean over six.
Template: TypeAlias = str | Mapping[str, str] | None

# What the index takes as an id.
_MOST_BYTES = 512
# The name alone, as the subject of a text, and as what somebody asks for.
_TEMPLATES = (
    "{}",
    "This text is about {}.",
    "I have a question about {}",
    "a request concerning {}",
    "Tell me about {}.",
    "I want to know about {}.",
)


def label_graph(
    labels: Iterable[str | Concept] | None, y: Sequence[str] | None, graph: KnowledgeGraph | None
) -> tuple[list[str], KnowledgeGraph]:
    """Settle which labels there are, each a concept of the graph.

    Parameters
    ----------
    labels
        Ids of concepts, names that become concepts of type ``"label"``, or concepts. None takes those of `y`;
        without `y` the graph's concepts of type ``"label"``, or all of them if it has none of that type. A
        bare label with a description describes the graph's concept of that id, if nothing else does.
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
    new = {concept.id: concept for concept in concepts if known.concepts.get(concept.id) != concept}
    if not new:
        return ids, known
    return ids, known.replace(concepts={**known.concepts, **new}.values())


def named_by_examples(
    encoder: Encoder,
    concepts: Iterable[Concept],
    labels: Collection[str],
    examples: Sequence[Item],
    links: Sequence[Collection[str]],
    template: Template,
) -> Encoder:
    """Have an encoder of images alone give the names of labels the mean of their examples, as a prototype.

    Parameters
    ----------
    concepts, labels
        Whose names are encoded, and which of them are labels. A concept without examples has the mean of all.
    links
        Shape (n,): the concepts of each example.

    Returns
    -------
    Encoder
        The encoder itself, if it reads texts.

    Raises
    ------
    InvalidInputError
        If a label has no examples.
    """
    if "text" in encoder.modalities:
        return encoder
    without = sorted(set(labels).difference(*links)) if links else sorted(labels)
    if without:
        raise InvalidInputError(
            f"expected examples of each label, since encoder {encoder.name!r} takes images only, got none of "
            f"{shown(without[0])}; give some, or use an encoder of texts and images, such as fit_bridge makes"
        )
    vectors = encoder.encode([item.content for item in examples])
    known: dict[str, list[float]] = {}
    for concept in concepts:
        own = vectors[[concept.id in linked_to for linked_to in links]]
        groups = _text_groups(concept, template)
        texts = {*concept_texts(concept), *chain.from_iterable(groups)}
        known |= dict.fromkeys(texts, (own if len(own) else vectors).mean(axis=0).tolist())
    return KnownVectors(encoder, known)


def label_vectors(concepts: Sequence[Concept], encoder: Encoder, template: Template) -> Vectors:
    """Encode each label as the mean of its names and of its description.

    Parameters
    ----------
    template
        Text around each name; None takes the mean over six, alike for all labels and data. Of templates by
        language each name takes the one whose language is written in its script, or stands alone.

    Returns
    -------
    Vectors
        Shape (n, d), unit rows.
    """
    groups = [group for concept in concepts for group in _text_groups(concept, template)]
    vectors = encoder.encode(list(chain.from_iterable(groups)))
    own = _means(vectors, [len(group) for group in groups])
    means = _means(own, [len(_text_groups(concept, template)) for concept in concepts])
    units: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return units


def label_texts(concept: Concept, template: Template) -> list[str]:
    """Names of a label in the template, or alone without one, and its description."""
    return [group[0] for group in _text_groups(concept, template)]


def label_words(name: str) -> str:
    """Write a name in words: ``card_arrival`` and ``CardArrival`` are two each."""
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name.replace("_", " ")).split())


def linked(item: Item, label: str) -> Item:
    """Link an example to its label."""
    return replace(item, concepts=tuple(dict.fromkeys((*item.concepts, label))))


def check_template(template: object) -> Template:
    """Check a template: None, a text with one ``{}`` for the label, or such a text by language.

    Raises
    ------
    InvalidInputError
        If it is something else, or names of two of the languages cannot be told apart by their script.
    """
    if template is None:
        return None
    if isinstance(template, str) and _has_one_place(template):
        return template
    if isinstance(template, Mapping) and template:
        return _checked_templates(template)
    raise InvalidInputError(
        "expected a template with one {} for the label, such as 'a text about {}', or such texts by "
        f"language, got {shown(template)}"
    )


def _checked_templates(templates: Mapping[Any, Any]) -> dict[str, str]:
    by_script: dict[str, str] = {}
    for language, template in templates.items():
        if not isinstance(template, str) or not _has_one_place(template):
            raise InvalidInputError(
                f"expected a template with one {{}} for the label in {shown(language)}, got {shown(template)}"
            )
        code = language_code(language) if isinstance(language, str) else None
        if code is None:
            raise InvalidInputError(
                f"expected templates by codes of languages, such as 'en', got {shown(language)}"
            )
        script = scripts_of(code)[0]
        if script in by_script:
            raise InvalidInputError(
                f"expected templates of languages in different scripts, got {by_script[script]!r} and "
                f"{language!r}, whose names look alike; keep one of them"
            )
        by_script[script] = language
    return dict(templates)


def _has_one_place(template: str) -> bool:
    try:
        return template.count("{}") == 1 and template.format("label") == template.replace("{}", "label")
    except (IndexError, KeyError, ValueError):
        return False


def _text_groups(concept: Concept, template: Template) -> list[list[str]]:
    """Each name in every template, and the description."""
    names = map(label_words, (concept.name, *concept.synonyms))
    groups = [[each.format(name) for each in _templates_of(name, template)] for name in names]
    return groups + ([[concept.description]] if concept.description.strip() else [])


def _templates_of(name: str, template: Template) -> Sequence[str]:
    """Templates for a name; of several languages that of its script, or the name alone where none is."""
    if template is None or isinstance(template, str):
        return _TEMPLATES if template is None else (template,)
    script = script_of(name)
    scripts = {language: scripts_of(language_code(language) or "") for language in template}
    # Japanese names may be of Chinese characters alone.
    own = [language for language, known in scripts.items() if known[0] == script]
    own += [language for language, known in scripts.items() if script in known]
    return (template[own[0]] if own else "{}",)


def _means(vectors: Vectors | Floats, sizes: Sequence[int]) -> Floats:
    """Mean of each run of rows, shape (len(sizes), d)."""
    sums = np.add.reduceat(vectors, np.cumsum([0, *sizes])[:-1], axis=0, dtype=np.float64)
    return np.asarray(sums / np.array(sizes)[:, None])


def _implied(y: Sequence[str] | None, graph: KnowledgeGraph) -> list[str | Concept]:
    if y is not None:
        return list(dict.fromkeys(y))
    labels = [concept for concept in graph.concepts.values() if concept.type == LABEL_TYPE]
    return list(labels or graph.concepts.values())


def _concept(label: Any, graph: KnowledgeGraph) -> Concept:
    if isinstance(label, Concept):
        own = graph.concepts.get(label.id)
        if own is not None and not own.description and label == _bare(label.id, label.description):
            return replace(own, description=label.description)
        if graph.concepts.get(label.id, label) != label:
            raise InvalidInputError(
                f"expected the graph's own concept {label.id!r} as a label, got one with other fields; "
                "give its id"
            )
        return label
    if not isinstance(label, str) or not label.strip():
        raise InvalidInputError(
            f"expected labels that are non-empty strings or Concepts, got {shown(label)}; convert it with "
            "str()"
        )
    if has_control_character(label):
        raise InvalidInputError(
            f"expected labels without control characters, got {shown(label)}; give a Concept with another "
            "id, and this as its name"
        )
    if len(label.encode()) > _MOST_BYTES:
        raise InvalidInputError(
            f"expected labels of at most {_MOST_BYTES} bytes, got one of {len(label.encode())}: "
            f"{label[:40]!r}...; give a Concept with a short id, and this as its name or description"
        )
    return graph.concepts.get(label) or _bare(label)


def _bare(id_: str, description: str = "") -> Concept:
    return Concept(id=id_, name=id_, type=LABEL_TYPE, description=description)


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
