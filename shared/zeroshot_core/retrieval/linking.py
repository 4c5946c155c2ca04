"""Linking: free text to the concepts of an indexed graph, or honestly to none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.collection import require_graph
from zeroshot_core.retrieval.link_choice import LinkChoice, candidate_features, fit_choice
from zeroshot_core.retrieval.windows import Window, find_windows

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.index import Collection, ConceptName
    from zeroshot_core.types import Floats

__all__ = ["Link", "Linker", "Mention"]

_N_CANDIDATES = 10
_N_TO_LEARN_FROM = 800
# Of the runs of words in a text, few are names.
_WINDOW_PRIOR = 0.1


@dataclass(frozen=True, kw_only=True)
class Link:
    """A concept that a text may mean.

    Parameters
    ----------
    concept
        Its id.
    name
        The name or synonym that matched best; the id itself where the text was that.
    score
        Cosine similarity of text and name, 1 where they differ in case and spaces alone.
    probability
        Of this concept being meant; those of all concepts and of 'no concept' sum to 1.
    """

    concept: str
    name: str
    score: float
    probability: float


@dataclass(frozen=True, kw_only=True)
class Mention(Window):
    """A run of words in a text, and the concept that it means."""

    link: Link


class Linker:
    """Links texts to concepts by the vectors and the letters of their names.

    Candidates are the concepts with the nearest names. A conditional logit (`link_choice.LinkChoice`) weighs
    them against each other and against 'no concept'. It is learned from the graph alone, once, before the
    first link: synonyms are held out, which should lead to their concepts by the other names; and concepts
    with all their names, after which those synonyms should lead to none.

    Parameters
    ----------
    version
        The opened version of the index.
    encoder
        The one that the version was built with.
    threshold
        Least probability of the best link; a text below has no links. 0 links everything.
    prior
        Share of texts that are expected to mean a concept of the graph, above 0 and below 1. The others are
        taken to be hard ones, which mean something that the graph might hold, but lacks.
    choice
        What an earlier linker for this version has learned (its `choice`); learned anew by default.
    random_state
        Chooses the names to learn from.

    Raises
    ------
    InvalidInputError
        If the threshold or the prior is out of range, the version has no concepts, or it is a collection of
        another library, beside which no names are indexed.
    FingerprintMismatchError
        If the encoder is not that of the version.
    """

    def __init__(
        self,
        version: Collection,
        encoder: Encoder,
        *,
        threshold: float = 0.5,
        prior: float = 0.9,
        choice: LinkChoice | None = None,
        random_state: int = 0,
    ) -> None:
        version.info.check(encoder)
        self.threshold = checks.real("threshold", threshold, least=0, most=1, remedy="0 links everything")
        self.prior = checks.real("prior", prior, above=0, below=1)
        stored = require_graph(version, "a Linker")
        if not version.info.counts["concepts"]:
            raise InvalidInputError(
                f"expected a version with concepts, got {version.info.id} without; build it with a graph"
            )
        self.version = stored
        self.encoder = encoder
        self.random_state = random_state
        if choice is not None:
            self.choice = choice

    @cached_property
    def choice(self) -> LinkChoice:
        """The weights of the choice between concepts and 'no concept', learned from the graph."""
        names = self.version.sample_names(_N_TO_LEARN_FROM, random_state=self.random_state)
        concepts = self.version.known_concepts({name.concept for name in names})
        # A text to come is like one more synonym of a concept whose name is known.
        names = [name for name in names if name.text != concepts[name.concept].name]
        if not names:
            return LinkChoice()
        texts = [name.text for name in names]
        vectors = self.encoder.encode(texts, role="query")
        held_out = self.version.search_names(vectors, _N_CANDIDATES + 1, without=names)
        features, truths = [], []
        for name, ids, scores, records in zip(
            names, held_out.ids, held_out.scores, held_out.records, strict=True
        ):
            table = candidate_features(name.text, [record.text for record in records], scores)
            others = [place for place, id_ in enumerate(ids) if id_ != name.concept]
            features += [table[:_N_CANDIDATES], table[others[:_N_CANDIDATES]]]
            truths += [ids.index(name.concept) if name.concept in ids[:_N_CANDIDATES] else -1, -1]
        shares = np.tile([self.prior, 1 - self.prior], len(names))
        return fit_choice(features, np.array(truths, dtype=np.int64), shares, prior=self.prior)

    def link(self, texts: Sequence[str], *, top_k: int = 1) -> list[list[Link]]:
        """Link each text as a whole.

        Parameters
        ----------
        texts
            Names as people write them, or ids of concepts, which are taken as they are. A text that is the
            name or a synonym of one concept alone leads to that one, without being encoded.
        top_k
            Links for each other text.

        Returns
        -------
        list of list of Link
            For each text at most `top_k`, likeliest first; none where the best is below the threshold.

        Raises
        ------
        InvalidInputError
            If a text is empty or of another type, or `top_k` is wrong.
        """
        checks.whole("top_k", top_k, least=1)
        links = self._links(_checked(texts), top_k, prior=self.prior)
        return [found if found and found[0].probability >= self.threshold else [] for found in links]

    def link_mentions(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Find the concepts that each text mentions, in order.

        All runs of at most eight words within a clause are linked; of those that overlap the nearest to its
        name is kept, the longer of two about as near.

        Returns
        -------
        list of list of Mention
            Mentions with the place in the text, and whether they are negated, as "fever" in "no fever".

        Raises
        ------
        InvalidInputError
            If a text is empty or of another type.
        """
        windows = [find_windows(text) for text in _checked(texts)]
        distinct = list(dict.fromkeys(window.text for found in windows for window in found))
        best = dict(zip(distinct, self._links(distinct, 1, prior=_WINDOW_PRIOR), strict=True))
        return [
            _not_overlapping(
                [
                    Mention(**vars(window), link=best[window.text][0])
                    for window in found
                    if best[window.text] and best[window.text][0].probability >= self.threshold
                ]
            )
            for found in windows
        ]

    def _links(self, texts: Sequence[str], top_k: int, *, prior: float) -> list[list[Link]]:
        """Likeliest links of each text, whatever their probability."""
        if not texts:
            return []
        known = self.version.known_concepts(set(texts))
        links = {text: [Link(concept=text, name=text, score=1.0, probability=1.0)] for text in known}
        for text, name in self.version.sole_names(set(texts) - links.keys()).items():
            # A run of words that is a name is no rarer a link than a text.
            links[text] = self._chosen(text, [name], np.ones(1), self.prior)
        open_texts = list(dict.fromkeys(text for text in texts if text not in links))
        if open_texts:
            vectors = self.encoder.encode(open_texts, role="query")
            found = self.version.search_names(vectors, max(top_k, _N_CANDIDATES))
            for text, records, scores in zip(open_texts, found.records, found.scores, strict=True):
                links[text] = self._chosen(text, records, scores, prior)[:top_k]
        return [links[text] for text in texts]

    def _chosen(self, text: str, names: Sequence[ConceptName], scores: Floats, prior: float) -> list[Link]:
        """Candidates of one text by their probability."""
        features = candidate_features(text, [name.text for name in names], scores)
        shares = self.choice.probabilities(features, prior=prior)
        return [
            Link(
                concept=names[place].concept,
                name=names[place].text,
                score=float(scores[place]),
                probability=float(shares[place]),
            )
            for place in np.argsort(-shares, kind="stable").tolist()
        ]


def _checked(texts: Sequence[str]) -> list[str]:
    return [
        checks.text(f"text {number}", text).strip()
        for number, text in enumerate(checks.sequence("texts", texts, of="texts"))
    ]


def _not_overlapping(mentions: Sequence[Mention]) -> list[Mention]:
    """Keep of mentions that overlap the one nearest to its name, of two about as near the longer one."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=_rank):
        if all(mention.end <= other.start or other.end <= mention.start for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


def _rank(mention: Mention) -> tuple[float, int, int]:
    return -round(mention.link.score, 1), mention.start - mention.end, mention.start
