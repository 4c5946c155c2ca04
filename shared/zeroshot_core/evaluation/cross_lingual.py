"""How well an encoder finds the same meaning in another language, and over a bridge in an English index."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.encoders import CentredEncoder, Encoder, SideBySideEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval.query_bank import QueryBank, hubness
from zeroshot_core.training import fit_bridge

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.datasets.emoji_names import EmojiNames
    from zeroshot_core.training import BridgeReport
    from zeroshot_core.types import Vectors

__all__ = ["LanguagesReport", "Recall", "evaluate_languages", "mean_recall", "recall_of"]


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Share of the texts whose own document is the nearest, or among the ten nearest, of all."""

    at_1: float
    at_10: float


@dataclass(frozen=True, kw_only=True)
class LanguagesReport:
    """Recalls by language; English names, or keywords, are what is searched.

    Parameters
    ----------
    names
        From a name to the English name, by language.
    keywords
        From a name to the keywords in the same language; empty where there are none.
    baseline
        As `names`, by the encoder that it is compared with; of a live index, asked without the bridge.
    chance
        Of a guess.
    bridge
        What the bridge was chosen by, where the index of the baseline was asked.
    classes
        Share of the names put into their group by a classifier that learned from English names of other
        things, by language; empty where that was not asked for.
    banked
        As `names`, with a bank of queries (`QueryBank`): names of the things that are not asked for; empty
        where that was not asked for.
    alone, banked_alone
        As `names` and `banked`, but what is searched are the English names of the things asked for alone. A
        bank speaks against the English names of its own things, which are no answers: only here that is no
        help.
    class_names
        The same by one that knows the names of the groups, and the names of the things without their groups.
    """

    encoder: str
    names: Mapping[str, Recall]
    keywords: Mapping[str, Recall]
    baseline: Mapping[str, Recall]
    chance: Recall
    n_documents: int
    bridge: BridgeReport | None
    classes: Mapping[str, float] = field(default_factory=dict)
    class_names: Mapping[str, float] = field(default_factory=dict)
    banked: Mapping[str, Recall] = field(default_factory=dict)
    alone: Mapping[str, Recall] = field(default_factory=dict)
    banked_alone: Mapping[str, Recall] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the means over languages."""
        parts = {
            part: getattr(self, part)
            for part in ("names", "keywords", "baseline", "banked", "alone", "banked_alone")
        }
        means: dict[str, Any] = {part: mean_recall(recalls) for part, recalls in parts.items()}
        means = {part: mean and asdict(mean) for part, mean in means.items()}
        for part, shares in (("classes", self.classes), ("class_names", self.class_names)):
            means[part] = float(np.mean([*shares.values()])) if shares else None
        return {**asdict(self), "means": means}


def evaluate_languages(
    encoder: Encoder,
    data: EmojiNames,
    *,
    baseline: Encoder | None = None,
    is_live: bool = False,
    is_centred: bool = False,
    has_classes: bool = False,
    has_query_bank: bool = False,
    seed: int = 0,
) -> LanguagesReport:
    """Find the English name of a thing by its name in each other language.

    Parameters
    ----------
    baseline
        What to compare with; None compares with chance alone.
    is_live
        Search an index of the baseline, over a bridge that is learned from English names and keywords.
    is_centred
        Learn to centre by language from the names of a random half of the things; only the other half is
        asked for then, among all.
    has_classes
        Sort names into their groups too: `ZeroShotClassifier` learns from the English names of a random half
        of the things, or from names without groups; the other half is asked for.
    has_query_bank
        Search with a bank of the names of a random half of the things too; only the other half is asked for.
    seed
        Of the halves, and of the bridge.

    Raises
    ------
    InvalidInputError
        If there are no languages but English, or a live index is asked for without a baseline.
    """
    languages = [language for language in data.names if language != "en"]
    if not languages:
        raise InvalidInputError("expected at least one language beside English, got none; give some")
    if is_live and baseline is None:
        raise InvalidInputError("expected a baseline, whose index is asked, got None; give an encoder")
    english = data.names["en"]
    asked = np.ones(len(english), dtype=bool)
    if is_centred or has_query_bank:
        asked[np.random.default_rng(seed).permutation(len(english))[: len(english) // 2]] = False
    others = _named(data.names, ~asked)
    if is_centred:
        encoder = _centred(encoder, others)
    report: BridgeReport | None = None
    if is_live and baseline is not None:
        texts = [text for text in (*english, *data.keywords.get("en", ())) if text]
        encoder, report = fit_bridge(encoder, baseline, list(dict.fromkeys(texts)), random_state=seed)
    more: dict[str, Any] = {
        **(_class_shares(encoder, data, languages, seed) if has_classes else {}),
        **(_banked(encoder, data.names, others, languages, asked) if has_query_bank else {}),
    }
    return LanguagesReport(
        encoder=encoder.name,
        names=_recalls(encoder, data.names, english, languages, asked),
        keywords={
            code: recall
            for code in ([] if is_live else languages)
            if any(data.keywords.get(code, ()))
            for recall in _recalls(encoder, data.names, data.keywords[code], [code], asked).values()
        },
        baseline={} if baseline is None else _recalls(baseline, data.names, english, languages, asked),
        chance=Recall(at_1=1 / len(english), at_10=min(1.0, 10 / len(english))),
        n_documents=len(english),
        bridge=report,
        **more,
    )


def _centred(encoder: Encoder, texts: Mapping[str, list[str]]) -> Encoder:
    """Centre an encoder by language, or each of several side by side: their cones lie apart."""
    if isinstance(encoder, SideBySideEncoder):
        return SideBySideEncoder([_centred(each, texts) for each in encoder.encoders], encoder.weights)
    return CentredEncoder.fit(encoder, texts)


def _named(names: Mapping[str, tuple[str, ...]], chosen: npt.NDArray[np.bool_]) -> dict[str, list[str]]:
    """Names of some of the things, by language, where there are any."""
    rows = np.flatnonzero(chosen)
    return {code: [texts[row] for row in rows if texts[row].strip()] for code, texts in names.items()}


def _banked(
    encoder: Encoder,
    names: Mapping[str, tuple[str, ...]],
    others: Mapping[str, list[str]],
    languages: list[str],
    asked: npt.NDArray[np.bool_],
) -> dict[str, dict[str, Recall]]:
    """Search English names by the names of each language, with and without a bank of those not asked for."""
    rows = encoder.encode(names["en"])
    found: dict[str, dict[str, Recall]] = {"banked": {}, "alone": {}, "banked_alone": {}}
    places = np.cumsum(asked) - 1
    for language in languages:
        own = np.array([row for row, text in enumerate(names[language]) if text.strip() and asked[row]])
        queries = encoder.encode([names[language][row] for row in own], role="query")
        bank = QueryBank.fit(encoder, others[language])
        # The same from each cosine, as one more product.
        longer = np.column_stack([queries, np.ones(len(queries))])
        less = np.column_stack([rows, -hubness(rows, bank.vectors)])
        found["banked"][language] = recall_of(longer, less, own)
        found["alone"][language] = recall_of(queries, rows[asked], places[own])
        found["banked_alone"][language] = recall_of(longer, less[asked], places[own])
    return found


def _class_shares(
    encoder: Encoder, data: EmojiNames, languages: list[str], seed: int
) -> dict[str, dict[str, float]]:
    """Shares of names put into their group, learned from English examples, and from names of groups."""
    if not data.groups:
        raise InvalidInputError(
            "expected groups of the things, got none; read names from a folder of npm packages"
        )
    groups = [group.replace("-", " ") for group in data.groups]
    order = np.random.default_rng(seed).permutation(len(groups))
    known, rest = order[: len(order) // 2], order[len(order) // 2 :]
    shares: dict[str, dict[str, float]] = {"classes": {}, "class_names": {}}
    examples = [data.names["en"][row] for row in known], [groups[row] for row in known]
    with closing(ZeroShotClassifier(encoder).fit(*examples)) as learned:
        for language in languages:
            names = {row: data.names[language][row] for row in rest if data.names[language][row].strip()}
            truth, texts = np.array([groups[row] for row in names]), [*names.values()]
            shares["classes"][language] = float(np.mean(learned.predict(texts) == truth))
            named = ZeroShotClassifier(encoder).fit(labels=sorted(set(groups)), unlabelled=texts)
            with closing(named):
                shares["class_names"][language] = float(np.mean(named.predict(texts) == truth))
    return shares


def mean_recall(recalls: Mapping[str, Recall]) -> Recall | None:
    """Mean over languages; None of none."""
    if not recalls:
        return None
    values = recalls.values()
    return Recall(
        at_1=float(np.mean([each.at_1 for each in values])),
        at_10=float(np.mean([each.at_10 for each in values])),
    )


def _recalls(
    encoder: Encoder,
    names: Mapping[str, tuple[str, ...]],
    documents: tuple[str, ...],
    languages: list[str],
    asked: npt.NDArray[np.bool_],
) -> dict[str, Recall]:
    """Search the documents by the names of each language; what has no document is not asked for."""
    there = np.array([bool(text.strip()) for text in documents])
    rows = encoder.encode([text for text in documents if text.strip()])
    place = np.cumsum(there) - 1
    found = {}
    for language in languages:
        kept = [row for row, text in enumerate(names[language]) if text.strip() and there[row] and asked[row]]
        if not kept:
            raise InvalidInputError(f"expected names in {checks.shown(language)}, got none; leave it out")
        queries = encoder.encode([names[language][row] for row in kept], role="query")
        found[language] = recall_of(queries, rows, place[kept])
    return found


def recall_of(queries: Vectors, documents: Vectors, own: npt.NDArray[np.int64]) -> Recall:
    """Rank each query's own document by cosine; one as near as it counts as before it.

    Parameters
    ----------
    own
        Shape (n_queries,): which document is each query's.
    """
    cosines = queries @ documents.T
    ranks = (cosines >= cosines[np.arange(len(own)), own][:, None]).sum(axis=1)
    return Recall(at_1=float((ranks <= 1).mean()), at_10=float((ranks <= 10).mean()))
