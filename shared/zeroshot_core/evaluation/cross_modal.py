"""What images and texts find of each other over a bridge between encoders that never met."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders import Encoder, Role
from zeroshot_core.encoders.wrappers import RememberingEncoder, WrappingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.cross_lingual import Recall, mean_recall, recall_of
from zeroshot_core.training import fit_bridge

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.datasets.emoji_pictures import EmojiPictures
    from zeroshot_core.encoders import BridgeEncoder
    from zeroshot_core.training import BridgeReport
    from zeroshot_core.types import Content, Ints, Vectors

__all__ = ["ImagesReport", "evaluate_images", "fitted_bridge", "split_pictures"]

# A third of the pictures, or of their groups, is held out and searched.
_HELD_OUT = 3
# Held-out groups are searched together, and in so many parts.
_N_PARTS = 3
_PENALTY = 30.0


@dataclass(frozen=True, kw_only=True)
class ImagesReport:
    """Means over seeds of what is found among the held-out pictures or their captions.

    Parameters
    ----------
    captions
        From a picture to its caption.
    nearest
        The same by the caption of the nearest picture of a pair, which needs no bridge.
    unseen
        From a picture to its caption where whole groups were held out, among the captions of these groups.
    unseen_parts
        The same, where the held-out groups are searched in three parts; mean over these.
    search
        From a name to its picture, by language.
    labels
        Share of the pictures whose group is that of the nearest name of a group.
    labelled
        The same by a logistic regression on the pictures of the pairs, labelled by their groups.
    chance, chance_parts
        Recall of a guess among all that is held out, and among a part.
    n_documents
        Pictures held out and searched.
    bridge
        What the bridge of the first seed was chosen by; None without pairs.
    """

    encoder: str
    n_pairs: int
    seeds: tuple[int, ...]
    captions: Recall
    nearest: Recall | None
    unseen: Recall | None
    unseen_parts: Recall | None
    search: Mapping[str, Recall]
    labels: float
    labelled: float | None
    chance: Recall
    chance_parts: Recall
    n_documents: int
    bridge: BridgeReport | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the mean over the languages but English."""
        mean = self.mean_search
        return {**asdict(self), "mean_search": mean and asdict(mean)}

    @property
    def mean_search(self) -> Recall | None:
        """Mean of `search` over the languages but English; None without any."""
        return mean_recall({code: recall for code, recall in self.search.items() if code != "en"})


def evaluate_images(
    images: Encoder,
    texts: Encoder,
    data: EmojiPictures,
    *,
    n_pairs: int = 1000,
    free_pairs: Sequence[tuple[Vectors, str]] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
) -> ImagesReport:
    """Learn a joint space from pairs of a picture and its English name and caption, and search in it.

    A third of the pictures is held out and searched; then a third of the pictures again, by whole groups.

    Parameters
    ----------
    images, texts
        An encoder of each.
    n_pairs
        Pictures to learn from, of those that are not held out; without any, the free pairs are all.
    free_pairs
        Rows of the image encoder's classifier, and what they name.
    seeds
        Of the pictures held out.

    Raises
    ------
    InvalidInputError
        If there are fewer pictures than asked for.
    """
    n_pairs = checks.whole("n_pairs", n_pairs)
    texts = RememberingEncoder(texts)
    vectors = images.encode(data.pictures, show_progress=True)
    known = _KnownPictures(images, dict(zip(map(os.fspath, data.pictures), vectors, strict=True)))
    parts, reports = [], []
    for seed in checks.sequence("seeds", seeds, of="seeds"):
        rows, held_out = split_pictures(data, n_pairs, seed)
        bridge, report = fitted_bridge(known, texts, data, rows, free_pairs, seed)
        reports.append(report)
        found = _searched(bridge, data, held_out) | _sorted_by_group(bridge, data, vectors, rows, held_out)
        if n_pairs:
            rows, held_out = split_pictures(data, n_pairs, seed, of_groups=True)
            bridge, _ = fitted_bridge(known, texts, data, rows, free_pairs, seed, of_groups=True)
            found["unseen"] = _captions_found(bridge, data, held_out)
            pieces = np.array_split(held_out, _N_PARTS)
            found["unseen parts"] = np.mean([_captions_found(bridge, data, each) for each in pieces], axis=0)
        parts.append(found)
    means = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    n = len(data.pictures) // _HELD_OUT
    return ImagesReport(
        encoder=f"{images.name} -> {texts.name}",
        n_pairs=n_pairs,
        seeds=tuple(seeds),
        captions=_recall(means["captions"]),
        nearest=_recall(means["nearest"]) if n_pairs else None,
        unseen=_recall(means["unseen"]) if n_pairs else None,
        unseen_parts=_recall(means["unseen parts"]) if n_pairs else None,
        search={code: _recall(means[f"search {code}"]) for code in data.names},
        labels=float(means["labels"]),
        labelled=float(means["labelled"]) if n_pairs else None,
        chance=_chance(n),
        chance_parts=_chance(n // _N_PARTS),
        n_documents=n,
        bridge=reports[0] if n_pairs else None,
    )


class _KnownPictures(WrappingEncoder):
    """An encoder of images that takes their vectors from a table, by path."""

    def __init__(self, encoder: Encoder, vectors: Mapping[str, Vectors]) -> None:
        super().__init__(encoder)
        self._vectors = vectors

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        paths = [str(getattr(content, "image", content)) for content in contents]
        return np.stack([self._vectors[path] for path in paths])


def split_pictures(
    data: EmojiPictures, n_pairs: int, seed: int, *, of_groups: bool = False
) -> tuple[Ints, Ints]:
    """Give rows to learn from and rows to search, single pictures or whole groups held out at random.

    Raises
    ------
    InvalidInputError
        If there are fewer pictures than asked for.
    """
    rng, n = np.random.default_rng(seed), len(data.pictures)
    n_held_out = n // _HELD_OUT
    order = rng.permutation(n)
    if of_groups:
        place = {name: i for i, name in enumerate(rng.permutation(sorted(set(data.groups))).tolist())}
        order = order[np.argsort([place[data.groups[row]] for row in order], kind="stable")]
        last = data.groups[order[n_held_out - 1]]
        n_held_out = max(i for i, row in enumerate(order) if data.groups[row] == last) + 1
    held_out, rest = order[:n_held_out], rng.permutation(order[n_held_out:])
    if len(rest) < n_pairs and not of_groups:
        raise InvalidInputError(
            f"expected at most {len(rest)} pairs beside the {n_held_out} pictures held out, got {n_pairs}"
        )
    return rest[:n_pairs], held_out


def fitted_bridge(
    images: Encoder,
    texts: Encoder,
    data: EmojiPictures,
    rows: Ints,
    free_pairs: Sequence[tuple[Vectors, str]] | None,
    seed: int,
    *,
    of_groups: bool = False,
) -> tuple[BridgeEncoder, BridgeReport]:
    """Learn from the English names and the captions of pictures; into the space of `texts` without any.

    The map is chosen on single pictures held out of these, or on whole groups.
    """
    pairs = [(data.pictures[row], said[row]) for said in (data.names["en"], data.captions) for row in rows]
    return fit_bridge(
        images,
        texts,
        pairs,
        free_pairs=free_pairs,
        space="joint" if pairs else "right",
        groups=[data.groups[row] if of_groups else int(row) for row in (*rows, *rows)],
        random_state=seed,
    )


def _searched(bridge: BridgeEncoder, data: EmojiPictures, held_out: Ints) -> dict[str, Any]:
    """Recalls from a picture to its caption, and from names in each language to their pictures."""
    pictures = bridge.encode([data.pictures[row] for row in held_out])
    found: dict[str, Any] = {"captions": _captions_found(bridge, data, held_out)}
    for code, names in data.names.items():
        asked = [place for place, row in enumerate(held_out) if names[row].strip()]
        queries = bridge.encode([names[held_out[place]] for place in asked], role="query")
        found[f"search {code}"] = _pair(recall_of(queries, pictures, np.array(asked)))
    return found


def _sorted_by_group(
    bridge: BridgeEncoder, data: EmojiPictures, vectors: Vectors, rows: Ints, held_out: Ints
) -> dict[str, Any]:
    """Accuracies by groups, and what needs no bridge: the nearest known picture."""
    labels = sorted(set(data.groups))
    group_of = np.array([labels.index(group) for group in data.groups])
    pictures = bridge.encode([data.pictures[row] for row in held_out])
    nearest_label = (pictures @ bridge.encode(labels).T).argmax(axis=1)
    found: dict[str, Any] = {"labels": float((nearest_label == group_of[held_out]).mean())}
    if len(rows):
        nearest = rows[(vectors[held_out] @ vectors[rows].T).argmax(axis=1)]
        captions = bridge.encode([data.captions[row] for row in nearest])
        goals = bridge.encode([data.captions[row] for row in held_out])
        found["nearest"] = _pair(recall_of(captions, goals, np.arange(len(held_out))))
        found["labelled"] = _labelled(vectors, group_of, rows, held_out)
    return found


def _captions_found(bridge: BridgeEncoder, data: EmojiPictures, rows: Ints) -> tuple[float, float]:
    pictures = bridge.encode([data.pictures[row] for row in rows])
    captions = bridge.encode([data.captions[row] for row in rows])
    return _pair(recall_of(pictures, captions, np.arange(len(rows))))


def _labelled(vectors: Vectors, group_of: Ints, rows: Ints, held_out: Ints) -> float:
    from sklearn.linear_model import LogisticRegression

    centred = vectors - vectors[rows].mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    model = LogisticRegression(C=_PENALTY, max_iter=300)
    with warnings.catch_warnings():
        # Few pictures have nearly as many groups, which are no numbers for all that.
        warnings.filterwarnings("ignore", "The number of unique classes")
        model.fit(centred[rows], group_of[rows])
    guessed: npt.NDArray[np.bool_] = model.predict(centred[held_out]) == group_of[held_out]
    return float(guessed.mean())


def _pair(recall: Recall) -> tuple[float, float]:
    return recall.at_1, recall.at_10


def _recall(pair: Sequence[float]) -> Recall:
    return Recall(at_1=float(pair[0]), at_10=float(pair[1]))


def _chance(n: int) -> Recall:
    return Recall(at_1=1 / n, at_10=min(1.0, 10 / n))
