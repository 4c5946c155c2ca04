"""Items like those that somebody likes: similar items, items for a profile, and a mix of different ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import ImageSource, image_digest, is_image
from zeroshot_core.retrieval.queries import content_of
from zeroshot_core.types import Hit, Item

if TYPE_CHECKING:
    from zeroshot_core.index import Collection, Filter
    from zeroshot_core.retrieval.retriever import Retriever
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Profile", "diversify", "recommend", "similar_items"]

# Rocchio's usual .15 to .75.
_DISLIKE_WEIGHT = 0.2
# Hits among which the different ones are chosen, for each that is wanted.
_POOL = 5
_FLAT = 1e-6
_QUERIES_PER_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What somebody likes and dislikes: ids of items in the index, or items or images that are not in it.

    Raises
    ------
    InvalidInputError
        If nothing is liked, or something is both liked and disliked.
    """

    liked: Sequence[str | Item]
    disliked: Sequence[str | Item] = ()

    def __post_init__(self) -> None:
        for name in ("liked", "disliked"):
            given = checks.sequence(name, getattr(self, name), of="items")
            object.__setattr__(self, name, tuple(_seen(one) if is_image(one) else one for one in given))
        wrong = [member for member in self.members if not isinstance(member, str | Item)]
        if wrong:
            raise InvalidInputError(f"expected ids or items in a profile, got {checks.shown(wrong[0])}")
        if not self.liked:
            raise InvalidInputError("expected at least one item that is liked, got none")
        both = sorted(set(map(_id, self.liked)) & set(map(_id, self.disliked)))
        if both:
            raise InvalidInputError(f"expected items to be liked or disliked, got both for {both[:3]}")

    @property
    def members(self) -> tuple[str | Item, ...]:
        """The liked, then the disliked."""
        return (*self.liked, *self.disliked)


def similar_items(
    retriever: Retriever,
    items: Sequence[str | Item],
    *,
    top_k: int | None = None,
    filter: Filter | None = None,
    diversity: float = 0.0,
) -> list[list[Hit]]:
    """Find the items most like each of the given ones, ids of the index or new items, without itself.

    Parameters and errors are those of `recommend`.
    """
    profiles = [Profile(liked=(item,)) for item in checks.sequence("items", items, of="ids or Items")]
    return recommend(retriever, profiles, top_k=top_k, filter=filter, diversity=diversity)


def recommend(
    retriever: Retriever,
    profiles: Sequence[Profile],
    *,
    top_k: int | None = None,
    filter: Filter | None = None,
    diversity: float = 0.0,
    dislike_weight: float = _DISLIKE_WEIGHT,
) -> list[list[Hit]]:
    """Find items for each profile, by one search for all of them.

    The query vector is ``unit(mean(liked) - dislike_weight * mean(disliked))`` over the vectors that are
    stored [1]_, and its concepts are those of the liked items that no disliked one has.

    Parameters
    ----------
    filter
        Which items may be found.
    diversity
        As in `diversify`, from 0 (by score alone) to 1.
    dislike_weight
        Weight of what is disliked, at least 0.

    Returns
    -------
    list of list of Hit
        For each profile `top_k` hits (or all that are left, if fewer), as of `Retriever.retrieve`, without
        the items of the profile.

    Raises
    ------
    InvalidInputError
        If an id is not in the index, a parameter is out of range, or what is liked and what is disliked
        cancel out.

    References
    ----------
    .. [1] Rocchio, "Relevance Feedback in Information Retrieval", in: The SMART Retrieval System, 1971.
    """
    top_k = retriever.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
    diversity = checks.real("diversity", diversity, least=0, most=1)
    dislike_weight = checks.real("dislike_weight", dislike_weight, least=0)
    profiles = checks.sequence("profiles", profiles, of="Profiles")
    for row, profile in enumerate(profiles):
        if not isinstance(profile, Profile):
            raise InvalidInputError(
                f"expected profiles of type Profile, got {checks.shown(profile)} in row {row}; wrap liked "
                "items as Profile(liked=[...])"
            )
    if not profiles:
        return []
    known = _Known.of(retriever, profiles)
    n_wanted = top_k * (_POOL if diversity > 0 else 1)
    found = retriever.retrieve(
        [_query(profile, known) for profile in profiles],
        top_k=n_wanted + max(len(profile.members) for profile in profiles),
        lexical_weight=0.0,  # a profile has no words
        filter=filter,
        vectors=_profile_vectors(profiles, known, dislike_weight),
    )
    skipped = [set(map(_id, profile.members)) for profile in profiles]
    hits = [
        [hit for hit in row if hit.id not in own][:n_wanted] for row, own in zip(found, skipped, strict=True)
    ]
    return diversify(retriever.version, hits, top_k=top_k, diversity=diversity)


def diversify(
    version: Collection, hits: Sequence[Sequence[Hit]], *, top_k: int, diversity: float
) -> list[list[Hit]]:
    """Choose hits that are relevant and unlike each other, by maximal marginal relevance [1]_.

    The next hit is always that of the largest ``(1 - diversity) * score - diversity * similarity``, where
    similarity is the cosine to the nearest hit that has been chosen.

    Parameters
    ----------
    version
        The one whose items the hits are; their vectors are read at once.
    hits
        For each query, more than `top_k` to choose from.
    diversity
        From 0 (by score alone) to 1.

    Returns
    -------
    list of list of Hit
        For each query `top_k` hits (or all, if fewer) in the order of choice, their scores as they were.

    References
    ----------
    .. [1] Carbonell & Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and
       Producing Summaries", SIGIR 1998.
    """
    top_k = checks.whole("top_k", top_k, least=1)
    diversity = checks.real("diversity", diversity, least=0, most=1)
    if diversity == 0 or not any(hits):
        return [list(row[:top_k]) for row in hits]
    ids = list(dict.fromkeys(hit.id for row in hits for hit in row))
    vectors, place = version.item_vectors(ids), {id_: row for row, id_ in enumerate(ids)}
    shape = len(hits), max(map(len, hits))
    rows, scores = np.zeros(shape, dtype=np.int64), np.full(shape, -np.inf)
    for query, row in enumerate(hits):
        rows[query, : len(row)] = [place[hit.id] for hit in row]
        scores[query, : len(row)] = [hit.score for hit in row]
    blocks = [slice(at, at + _QUERIES_PER_BLOCK) for at in range(0, len(hits), _QUERIES_PER_BLOCK)]
    chosen = chain.from_iterable(_chosen(scores[b], vectors[rows[b]], top_k, diversity) for b in blocks)
    return [[row[at] for at in order[: len(row)].tolist()] for row, order in zip(hits, chosen, strict=True)]


def _chosen(scores: Floats, vectors: Vectors, top_k: int, diversity: float) -> Ints:
    """Places of the hits in the order of choice, shapes (q, p) and (q, p, d) to (q, min(top_k, p)).

    Places without a hit have a score of minus infinity, and come after all others.
    """
    n_queries, n_hits = scores.shape
    order = np.zeros((n_queries, min(top_k, n_hits)), dtype=np.int64)
    is_left, queries = np.isfinite(scores), np.arange(n_queries)
    relevance, nearest = (1 - diversity) * np.where(is_left, scores, 0.0), np.full(scores.shape, -np.inf)
    gains = scores
    for step in range(order.shape[1]):
        best = np.where(is_left, gains, -np.inf).argmax(axis=1)
        order[:, step] = best
        is_left[queries, best] = False
        similarities = np.einsum("qpd,qd->qp", vectors, vectors[queries, best])
        nearest = np.maximum(nearest, similarities)
        gains = relevance - diversity * nearest
    return order


@dataclass(frozen=True, kw_only=True)
class _Known:
    """Items of all profiles, each once, with their vectors."""

    items: dict[str, Item]
    rows: dict[str, int]
    vectors: Vectors

    @classmethod
    def of(cls, retriever: Retriever, profiles: Sequence[Profile]) -> _Known:
        members = [member for profile in profiles for member in profile.members]
        new = {item.id: item for item in members if isinstance(item, Item)}
        stored = list(dict.fromkeys(id_ for id_ in members if isinstance(id_, str) and id_ not in new))
        vectors = [retriever.version.item_vectors(stored)] if stored else []
        if new:
            vectors.append(retriever.encoder.encode([content_of(item) for item in new.values()]))
        items = dict(zip(stored, retriever.version.items(stored), strict=True)) | new
        return cls(
            items=items, rows={id_: row for row, id_ in enumerate(items)}, vectors=np.concatenate(vectors)
        )

    def mean(self, members: Sequence[str | Item]) -> Floats:
        """Mean vector, shape (d,); zeros of nothing."""
        rows = self.vectors[[self.rows[_id(member)] for member in members]]
        return np.asarray(rows.sum(axis=0, dtype=np.float64) / max(1, len(members)))


def _profile_vectors(profiles: Sequence[Profile], known: _Known, dislike_weight: float) -> Vectors:
    """Move from what is disliked to what is liked, shape (q, d), unit rows."""
    means = np.array(
        [known.mean(each.liked) - dislike_weight * known.mean(each.disliked) for each in profiles]
    )
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    flat = np.flatnonzero(lengths < _FLAT)
    if len(flat):
        raise InvalidInputError(
            f"profile {flat[0]}: expected likes and dislikes that leave a direction, got some that cancel "
            "out; lower dislike_weight"
        )
    units: Vectors = (means / lengths).astype(np.float32)
    return units


def _query(profile: Profile, known: _Known) -> Item:
    """Stand for a profile in a search: with its concepts, since the vector is given."""
    against = {id_ for member in profile.disliked for id_ in known.items[_id(member)].concepts}
    liked = [id_ for member in profile.liked for id_ in known.items[_id(member)].concepts]
    concepts = tuple(id_ for id_ in dict.fromkeys(liked) if id_ not in against)
    return Item(id="profile", text="profile", concepts=concepts)


def _seen(image: ImageSource) -> Item:
    """Make an item of an image, told by what it shows: several profiles are answered at once."""
    return Item(id=f"image {image_digest(image)}", image=image)


def _id(member: str | Item) -> str:
    return member.id if isinstance(member, Item) else member
