"""What a joint run learns from: items, distinct texts with labels or targets, and the held-out part."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.examples import Examples, check_examples, with_label_texts
from zeroshot_core.training.joint_gain import Gain, held_out_scores, paired_gain, unseen_labels
from zeroshot_core.training.joint_neighbours import Neighbourhoods, mine_neighbours
from zeroshot_core.training.joint_training import Mined
from zeroshot_core.training.mining import mine_far_targets, mine_hard_negatives
from zeroshot_core.training.probing import split_examples, split_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.training.joint_training import JointSettings
    from zeroshot_core.types import Ints, Item

__all__ = ["JointTask", "mine", "mine_others", "mine_rows"]

_N_CANDIDATES, _MOST_CANDIDATES = 100, 1000
# Texts among which a round's gain is measured, at most.
_MOST_PROBED = 5000


@dataclass(frozen=True, kw_only=True)
class JointTask:
    """The input of a joint run, checked.

    Parameters
    ----------
    examples
        Distinct texts of the items, then label texts.
    ids
        For each distinct text of the items the id of the first one that says it.
    labels
        For each of them its label; empty with targets.
    others
        Distinct texts without a label, by the id of the first item that says it. If there are any, the texts
        of labels that are held out as a whole are among them, to show what such texts bring.
    held_out
        Of the examples and label texts, shape (n,).
    probed
        Texts among which gains are measured: all, or a sample of many.
    is_unseen
        Which of the held-out ones among them have a label that no training text has, shape (n,).
    digest
        16 hex digits over all of it.
    """

    items: list[Item]
    graph: KnowledgeGraph | None
    examples: Examples
    ids: list[str]
    labels: list[str]
    others: dict[str, str]
    held_out: npt.NDArray[np.bool_]
    probed: Ints
    is_unseen: npt.NDArray[np.bool_]
    digest: str

    @classmethod
    def of(
        cls,
        items: Sequence[Item],
        labels_or_targets: Sequence[str | None] | Any,
        graph: KnowledgeGraph | None,
        random_state: int,
        *,
        label_texts: Mapping[str, str | Sequence[str]] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> JointTask:
        """Check the input and hold a part out.

        Raises
        ------
        InvalidInputError
            See `optimise_jointly`.
        UnknownConceptError
            If the graph lacks a label.
        """
        texts = _checked_texts(items, labels_or_targets)
        examples = _known_examples(texts, labels_or_targets)
        first = {text: place for place, text in reversed(list(enumerate(texts)))}
        places = [first[text] for text in examples.texts]
        labels = [examples.names[code] for code in examples.values.tolist()] if examples.is_labelled else []
        if graph is not None:
            graph.require(sorted(set(labels)))
        if label_texts:
            examples = with_label_texts(examples, label_texts)
        if groups is not None and len(groups) != len(texts):
            raise InvalidInputError(f"expected {len(texts)} groups, one for each item, got {len(groups)}")
        rng = np.random.default_rng(random_state)
        held_out = split_examples(examples, rng)
        if groups is not None:
            held_out = split_groups(examples, [groups[place] for place in places], rng)
        n = examples.n_examples
        probed = np.sort(rng.permutation(n)[:_MOST_PROBED])
        is_unseen = unseen_labels(examples.take(np.arange(n)), held_out[:n])
        ids = [items[place].id for place in places]
        labelled = set(examples.texts[:n])
        others = {items[place].id: text for text, place in first.items() if text not in labelled}
        if others:
            others |= {ids[row]: examples.texts[row] for row in np.flatnonzero(is_unseen).tolist()}
        return cls(
            items=list(items),
            graph=graph,
            examples=examples,
            ids=ids,
            labels=labels,
            others=others,
            held_out=held_out,
            probed=probed,
            is_unseen=is_unseen[probed[held_out[probed]]],
            digest=_digest(items, examples, held_out, others, graph),
        )

    def whole(self) -> JointTask:
        """Hold nothing out."""
        labelled = set(self.ids)
        others = {id_: text for id_, text in self.others.items() if id_ not in labelled}
        return replace(self, held_out=np.zeros_like(self.held_out), others=others)

    @property
    def rows(self) -> Ints:
        """Places of the texts of items to train on."""
        return np.flatnonzero(~self.held_out[: self.examples.n_examples])

    @property
    def training(self) -> Examples:
        """Examples to train on: those rows, then all label texts."""
        examples = self.examples
        names = np.arange(examples.n_examples, len(examples.texts))
        return replace(examples.take(np.r_[self.rows, names]), n_label_texts=len(names))

    def gain(self, version: OpenVersion, after: Encoder, rng: np.random.Generator) -> Gain:
        """Compare an encoder on the held-out texts with that of a version, whose vectors are there."""
        examples, held_out = self.examples.take(self.probed), self.held_out[self.probed]
        ids = [self.ids[row] for row in self.probed.tolist()]
        return paired_gain(
            held_out_scores(version.item_vectors(ids), examples, held_out),
            held_out_scores(after.encode(examples.texts), examples, held_out),
            self.is_unseen,
            rng,
        )


def mine(version: OpenVersion, task: JointTask, settings: JointSettings) -> Mined:
    """Ask a version for negatives and unlabelled neighbours."""
    return Mined(
        negatives=mine_rows(version, task, settings), neighbourhoods=mine_others(version, task, settings)
    )


def mine_rows(version: OpenVersion, task: JointTask, settings: JointSettings) -> list[list[int]]:
    """For each training text the places of its negatives among the training texts, hardest first."""
    rows = task.rows.tolist()
    if not settings.n_negatives:
        return [[] for _ in rows]
    ids = [task.ids[row] for row in rows]
    vectors = version.item_vectors(ids)
    if task.examples.is_labelled:
        labels = [task.labels[row] for row in rows]
        # As many texts of its own label may be nearer than the first negative.
        most = int(np.bincount(task.examples.values.astype(np.int64)).max())
        mined = mine_hard_negatives(
            version,
            vectors,
            dict(zip(ids, labels, strict=True)),
            graph=task.graph,
            among=frozenset(ids),
            n_negatives=settings.n_negatives,
            n_candidates=min(_N_CANDIDATES + most, _MOST_CANDIDATES, len(task.items)),
            margin=settings.margin,
        )
    else:
        mined = mine_far_targets(
            version,
            vectors,
            {id_: task.examples.values[row] for id_, row in zip(ids, rows, strict=True)},
            n_negatives=settings.n_negatives,
            n_candidates=min(_N_CANDIDATES, len(task.items)),
        )
    place = {id_: number for number, id_ in enumerate(ids)}
    return [[place[id_] for id_ in found] for found in mined.ids]


def mine_others(version: OpenVersion, task: JointTask, settings: JointSettings) -> Neighbourhoods:
    """Neighbourhoods of the unlabelled texts; their rows come after those of `task.training`."""
    if not settings.n_neighbours or not task.others:
        return Neighbourhoods()
    row_of = {task.ids[row]: place for place, row in enumerate(task.rows.tolist())}
    start = len(task.training.texts)
    row_of |= {id_: start + place for place, id_ in enumerate(task.others)}
    return mine_neighbours(version, list(task.others), row_of, n_neighbours=settings.n_neighbours)


def _known_examples(texts: Sequence[str], labels_or_targets: Any) -> Examples:
    known = [place for place, value in enumerate(labels_or_targets) if value is not None]
    if len(known) == len(texts):
        return check_examples(texts, labels_or_targets)
    return check_examples([texts[place] for place in known], [labels_or_targets[place] for place in known])


def _checked_texts(items: Sequence[Item], labels_or_targets: Any) -> list[str]:
    """Texts of all items, of which some have a label or a target."""
    texts = []
    for row, item in enumerate(items):
        if not isinstance(item.text, str) or not item.text.strip():
            raise InvalidInputError(f"text {row}: expected a non-empty text, got {item.text!r}; drop it")
        texts.append(item.text)
    if len(labels_or_targets) != len(texts):
        raise InvalidInputError(
            f"expected one label or target for each of {len(texts)} items, got {len(labels_or_targets)}; "
            "None stands for no label"
        )
    if all(value is None for value in labels_or_targets):
        raise InvalidInputError("expected labels of some items, got none; learn without any by self_train")
    return texts


def _digest(
    items: Sequence[Item],
    examples: Examples,
    held_out: npt.NDArray[np.bool_],
    others: Mapping[str, str],
    graph: KnowledgeGraph | None,
) -> str:
    hasher = hashlib.sha256(b"" if graph is None else graph.digest.encode())
    for item in items:
        hasher.update(f"{item.id}\0{item.text}\0{item.concepts}\0{dict(item.metadata)}\0".encode())
    hasher.update("\0".join([*examples.texts[examples.n_examples :], *others]).encode())
    hasher.update(np.ascontiguousarray(examples.values).tobytes() + held_out.tobytes())
    return hasher.hexdigest()[:16]
