"""How well texts of a user's own are found and sorted in other languages: translations, and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.encoders import CentredEncoder, Encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.cross_lingual import Recall, mean_recall, recall_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from zeroshot_core.types import Ints

__all__ = ["MultilingualReport", "MultilingualText", "evaluate_multilingual_texts"]

_ENGLISH = ("en", "eng", "english")
_MOST_PAIRS = 5000
_FEWEST_TEXTS = 10
# What is left of two texts that only happen to have one number in two languages.
_MOST_DISAGREEING = 0.1


@dataclass(frozen=True, kw_only=True)
class MultilingualText:
    """A text, its language, and what is known of it.

    Parameters
    ----------
    meaning
        The same for texts that are translations of each other; None where nobody says.
    label
        None without one.
    is_training
        Whether it is there to learn from; None where the data have no split.
    """

    language: str
    text: str
    meaning: Hashable = None
    label: str | None = None
    is_training: bool | None = None


@dataclass(frozen=True, kw_only=True)
class MultilingualReport:
    """Recalls and accuracies by language.

    Parameters
    ----------
    pivot
        English where it is there, else the language of most texts.
    into, back
        From a text to its translation in the pivot among all of these, and the other way round; empty where
        no texts are translations.
    chance
        Of a guess, of `into`.
    classes
        Share of texts that get their label by a classifier that learned from the pivot's; empty without
        labels.
    class_names
        The same by one that knows the names of the labels alone; empty where these are numbers.
    class_chance
        Of a guess.
    n_pairs, n_examples, n_labels
        How many were asked for by language, learned from, and chosen among.
    baseline
        The same by another encoder.
    """

    encoder: str
    pivot: str
    into: Mapping[str, Recall]
    back: Mapping[str, Recall]
    chance: Mapping[str, Recall]
    n_pairs: Mapping[str, int]
    classes: Mapping[str, float]
    class_names: Mapping[str, float]
    class_chance: float
    n_examples: int
    n_labels: int
    baseline: MultilingualReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the means over languages but the pivot."""
        means: dict[str, Any] = {}
        for part in ("into", "back"):
            mean = mean_recall(getattr(self, part))
            means[part] = mean and asdict(mean)
        for part in ("classes", "class_names"):
            others = [share for code, share in getattr(self, part).items() if code != self.pivot]
            means[part] = float(np.mean(others)) if others else None
        baseline = None if self.baseline is None else self.baseline.to_dict()
        return {**asdict(replace(self, baseline=None)), "means": means, "baseline": baseline}


def evaluate_multilingual_texts(
    encoder: Encoder,
    texts: Sequence[MultilingualText],
    *,
    baseline: Encoder | None = None,
    is_centred: bool = False,
    seed: int = 0,
) -> MultilingualReport:
    """Search for translations in both directions, and sort texts by labels that one language taught.

    What the data say is for training teaches labels and centring, the rest is asked for. Without such a split
    a random half of the meanings does, where there is something to learn. At most 5,000 pairs of a language
    are asked for.

    Parameters
    ----------
    baseline
        What to compare with.
    is_centred
        Centre by language, learned from texts that are not asked for.
    seed
        Of the halves.

    Raises
    ------
    InvalidInputError
        If there is one language only, or neither translations nor labels.
    """
    pivot = _pivot(texts)
    has_labels = any(text.label is not None for text in texts)
    known, asked = _parts(texts, needs_learning=has_labels or is_centred, seed=seed)
    report = _measured(encoder, known, asked, pivot, is_centred)
    if not report.into and not report.classes:
        raise InvalidInputError(
            f"expected translations or labels of texts in {pivot} and another language, got neither; give "
            "pairs by an id or in one row, or labels"
        )
    if baseline is None:
        return report
    return replace(report, baseline=_measured(baseline, known, asked, pivot, False))


def _measured(
    encoder: Encoder,
    known: Sequence[MultilingualText],
    asked: Sequence[MultilingualText],
    pivot: str,
    is_centred: bool,
) -> MultilingualReport:
    if is_centred:
        encoder = CentredEncoder.fit(encoder, _by_language(known))
    into, back, n_pairs = {}, {}, {}
    for language, pairs in _pairs(asked, pivot).items():
        own, other = ([pair[side] for pair in pairs] for side in (0, 1))
        into[language], n_pairs[language] = _recall(encoder, own, other), len(pairs)
        back[language] = _recall(encoder, other, own)
    return MultilingualReport(
        encoder=encoder.name,
        pivot=pivot,
        into=into,
        back=back,
        chance={code: Recall(at_1=1 / n, at_10=min(1.0, 10 / n)) for code, n in n_pairs.items()},
        n_pairs=n_pairs,
        **_class_shares(encoder, known, asked, pivot),
    )


def _pivot(texts: Sequence[MultilingualText]) -> str:
    sizes: dict[str, int] = {}
    for text in texts:
        sizes[text.language] = sizes.get(text.language, 0) + 1
    if len(sizes) < 2:
        raise InvalidInputError(
            f"expected texts in at least two languages, got {checks.listed(sizes) if sizes else 'none'}; "
            "give files or columns of each"
        )
    english = [code for code in sizes if code.lower().replace("_", "-").split("-")[0] in _ENGLISH]
    return max(english or sizes, key=lambda code: sizes[code])


def _parts(
    texts: Sequence[MultilingualText], *, needs_learning: bool, seed: int
) -> tuple[list[MultilingualText], list[MultilingualText]]:
    """Texts to learn from, and texts that are asked for."""
    known = [text for text in texts if text.is_training]
    asked = [text for text in texts if text.is_training is False]
    if known and asked:
        return known, asked
    if not needs_learning:
        return [], list(texts)
    # Where no meanings are told, those of one place in two languages may be one.
    places: dict[str, int] = {}
    meanings: list[Hashable] = []
    for text in texts:
        places[text.language] = places.get(text.language, -1) + 1
        meanings.append(places[text.language] if text.meaning is None else text.meaning)
    distinct = list(dict.fromkeys(meanings))
    order = np.random.default_rng(seed).permutation(len(distinct))
    half = {distinct[place] for place in order[: len(distinct) // 2]}
    parts: tuple[list[MultilingualText], list[MultilingualText]] = [], []
    for text, meaning in zip(texts, meanings, strict=True):
        parts[meaning not in half].append(text)
    return parts


def _by_language(texts: Sequence[MultilingualText]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text.language, []).append(text.text)
    return {language: own for language, own in found.items() if len(set(own)) >= _FEWEST_TEXTS}


def _pairs(texts: Sequence[MultilingualText], pivot: str) -> dict[str, list[tuple[str, str]]]:
    """Texts of each language with their translation in the pivot."""
    there = {text.meaning: text for text in texts if text.language == pivot and text.meaning is not None}
    found: dict[str, list[tuple[MultilingualText, MultilingualText]]] = {}
    for text in texts:
        if text.language != pivot and text.meaning in there:
            found.setdefault(text.language, []).append((text, there[text.meaning]))
    return {
        language: [(own.text, other.text) for own, other in pairs[:: -(-len(pairs) // _MOST_PAIRS)]]
        for language, pairs in found.items()
        if np.mean([own.label != other.label for own, other in pairs]) <= _MOST_DISAGREEING
    }


def _recall(encoder: Encoder, queries: Sequence[str], documents: Sequence[str]) -> Recall:
    """Search each query's own document; documents that say the same are one."""
    place: dict[str, int] = {}
    own: Ints = np.array([place.setdefault(text, len(place)) for text in documents], dtype=np.int64)
    return recall_of(encoder.encode(queries, role="query"), encoder.encode([*place]), own)


def _class_shares(
    encoder: Encoder,
    known: Sequence[MultilingualText],
    asked: Sequence[MultilingualText],
    pivot: str,
) -> dict[str, Any]:
    """Shares of the texts that get their label, by language."""
    examples = {text.text: text.label for text in known if text.language == pivot and text.label is not None}
    labels = sorted({label for label in examples.values() if label is not None})
    shares: dict[str, Any] = {"classes": {}, "class_names": {}, "class_chance": 0.0}
    shares |= {"n_examples": len(examples), "n_labels": len(labels)}
    if len(labels) < 2:
        return shares
    shares["class_chance"] = 1 / len(labels)
    tests: dict[str, list[MultilingualText]] = {}
    for text in asked:
        if text.label in labels:
            tests.setdefault(text.language, []).append(text)
    has_words = not all(label.replace(".", "").isdigit() for label in labels)
    for part, given in (("classes", examples), ("class_names", None)):
        if given is None and not has_words:
            continue
        classifier = ZeroShotClassifier(encoder).fit(
            None if given is None else [*given], None if given is None else [*given.values()], labels
        )
        with closing(classifier):
            for language, own in tests.items():
                found = classifier.predict([text.text for text in own])
                shares[part][language] = float(np.mean(found == np.array([text.label for text in own])))
    return shares
