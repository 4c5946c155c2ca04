"""What a joint run learns from, and how: items, distinct texts with labels or targets, the held-out part."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.checks import groups as checked_groups
from zeroshot_core.checks import real, sequence, text, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.files import digest
from zeroshot_core.training.examples import Examples, check_examples, with_label_texts
from zeroshot_core.training.guard import Guard, hold_out, unseen_labels
from zeroshot_core.training.learners import Method, check_method
from zeroshot_core.training.plan import TrainingPlan, make_plain

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Ints, Item

__all__ = ["HEAD_SETTINGS", "JointSettings", "JointTask"]


@dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How each round mines and trains; the defaults suit a transformer, `HEAD_SETTINGS` any other encoder.

    Parameters
    ----------
    rounds
        At most this many, at least 1.
    epochs, learning_rate, batch_size
        Of a round, see `TrainingPlan`.
    method
        ``"full"`` trains the weights of a transformer, ``"lora"`` low-rank changes of them.
    trained_layers
        How many of the upper layers of a transformer are trained, at least 1; None trains all.
    refit
        Whether the rounds that gained are gone through once more in the end, from the base and on all texts,
        those that were held out included.
    n_negatives
        Mined for each text; with 0 nothing is mined, and the batch alone brings negatives.
    n_neighbours
        Items without a label that are among each other's nearest so many are taken to be alike, and half as
        many of them as there are examples join each batch; with 0 such items are indexed only.
    margin
        See `mine_hard_negatives`; it does not apply to targets.

    Raises
    ------
    InvalidInputError
        If a value is out of range.
    """

    rounds: int = 3
    epochs: int = 1
    learning_rate: float = 5e-5
    batch_size: int = 64
    method: Method = "full"
    trained_layers: int | None = None
    refit: bool = False
    n_negatives: int = 5
    n_neighbours: int = 10
    margin: float = 0.05

    def __post_init__(self) -> None:
        make_plain(self)
        whole("epochs", self.epochs, least=1)
        self.plan(random_state=0)
        whole("rounds", self.rounds, least=1)
        whole("n_negatives", self.n_negatives)
        whole("n_neighbours", self.n_neighbours)
        real("margin", self.margin, least=0, below=1)
        check_method(self.method, self.trained_layers)

    def plan(
        self, *, random_state: int, budget_s: float | None = None, show_progress: bool = False
    ) -> TrainingPlan:
        """Plan the training of one round."""
        return TrainingPlan(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            budget_s=budget_s,
            random_state=random_state,
            show_progress=show_progress,
        )


HEAD_SETTINGS = JointSettings(epochs=20, learning_rate=1e-3)


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
    guard
        Compares the held-out texts, label texts left out.
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
    guard: Guard
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
        items = sequence("items", items, of="Items")
        labels_or_targets = sequence("labels", labels_or_targets, of="labels or targets")
        texts = _checked_texts(items, labels_or_targets)
        examples = _known_examples(texts, labels_or_targets)
        first = {text: place for place, text in reversed(list(enumerate(texts)))}
        places = [first[text] for text in examples.texts]
        labels = [examples.names[code] for code in examples.values.tolist()] if examples.is_labelled else []
        if graph is not None:
            graph.require(sorted(set(labels)))
        if label_texts:
            examples = with_label_texts(examples, label_texts)
        if groups is not None:
            of_item = checked_groups(groups, len(texts), of="item")
            groups = [of_item[place] for place in places]
        rng = np.random.default_rng(random_state)
        held_out = hold_out(examples, rng, groups)
        n = examples.n_examples
        guard = Guard(examples.take(np.arange(n)), held_out[:n], rng)
        ids = [items[place].id for place in places]
        labelled = set(examples.texts[:n])
        others = {items[place].id: text for text, place in first.items() if text not in labelled}
        if others:
            unseen = np.flatnonzero(unseen_labels(examples, held_out)[:n])
            others |= {ids[row]: examples.texts[row] for row in unseen.tolist()}
        return cls(
            items=list(items),
            graph=graph,
            examples=examples,
            ids=ids,
            labels=labels,
            others=others,
            held_out=held_out,
            guard=guard,
            digest=digest(*_digested(items, examples, held_out, others, graph)),
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

    @property
    def guarded_ids(self) -> list[str]:
        """Ids of the items whose texts the guard compares."""
        return [self.ids[row] for row in self.guard.rows.tolist()]


def _known_examples(texts: Sequence[str], labels_or_targets: Any) -> Examples:
    known = [place for place, value in enumerate(labels_or_targets) if value is not None]
    if len(known) == len(texts):
        return check_examples(texts, labels_or_targets)
    return check_examples([texts[place] for place in known], [labels_or_targets[place] for place in known])


def _checked_texts(items: Sequence[Item], labels_or_targets: Any) -> list[str]:
    """Texts of all items, of which some have a label or a target."""
    pictured = next((item for item in items if item.image is not None), None)
    if pictured is not None:
        raise InvalidInputError(
            f"expected items of texts alone for joint rounds, got item {pictured.id!r} with an image; tune a "
            'head for them, by tune="head" or tune_head'
        )
    texts = [text(f"text {row}", item.text, remedy="drop it") for row, item in enumerate(items)]
    if len(labels_or_targets) != len(texts):
        raise InvalidInputError(
            f"expected one label or target for each of {len(texts)} items, got {len(labels_or_targets)}; "
            "None stands for no label"
        )
    if all(value is None for value in labels_or_targets):
        raise InvalidInputError("expected labels of some items, got none; learn without any by self_train")
    return texts


def _digested(
    items: Sequence[Item],
    examples: Examples,
    held_out: npt.NDArray[np.bool_],
    others: Mapping[str, str],
    graph: KnowledgeGraph | None,
) -> Iterator[str | bytes]:
    """Everything that the rounds depend on; a checkpoint of the version before has the same digest."""
    yield "" if graph is None else graph.digest
    for item in items:
        yield f"{item.id}\0{item.text}\0{item.concepts}\0{dict(item.metadata)}\0"
    yield "\0".join([*examples.texts[examples.n_examples :], *others])
    yield np.ascontiguousarray(examples.values).tobytes() + held_out.tobytes()
