"""Steps of training: which texts are encoded, and the loss of their vectors; several tasks mixed into one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zeroshot_core.training.constraints import Constraints, SideExamples
from zeroshot_core.training.examples import Examples, check_examples
from zeroshot_core.training.objectives import (
    GRADED_TEMPERATURE,
    constraint_loss,
    graded_similarity_loss,
    supervised_contrastive_loss,
)

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.types import Floats, Ints

__all__ = ["SideTask", "Step", "example_steps", "mixed_steps", "side_texts"]

_TEMPERATURE = 0.07

Steps: TypeAlias = "Callable[[np.random.Generator], Iterator[Step]]"
SideTask: TypeAlias = "Constraints | SideExamples"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Texts to encode, each once, and what their vectors cost.

    Parameters
    ----------
    rows
        Distinct rows of the table of all texts, shape (n,).
    loss
        From vectors of shape (n, d), in the order of `rows`, to a number.
    """

    rows: Ints
    loss: Callable[[Tensor], Tensor]


def example_steps(examples: Examples, rows: Ints, batch_size: int) -> Steps:
    """Make steps over examples, with the texts of the labels of a batch as further texts of these labels.

    Parameters
    ----------
    examples
        Their rows are those of the table of all texts.
    rows
        Of the examples to learn from; the label texts of their labels come along.
    """
    training = examples.take(rows)
    names = np.arange(examples.n_examples, len(examples.texts))

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        for places in _random_batches(training, batch_size, rng):
            own = rows[places]
            if len(names):
                own = np.r_[own, names[np.isin(examples.values[names], training.values[places])]]
            yield _example_step(own, examples.values[own], examples.is_labelled)

    return steps


def mixed_steps(main: Steps, others: Sequence[SideTask], row_of: Mapping[str, int], batch_size: int) -> Steps:
    """Join each step of the main task with one of each other task; texts that they share are encoded once."""
    sides = [(_side_steps(each, row_of, batch_size), each.weight) for each in others]

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        endless = [(_endless(side, rng), weight) for side, weight in sides]
        for step in main(rng):
            yield _joined([(step, 1.0), *((next(side), weight) for side, weight in endless)])

    return steps if sides else main


def side_texts(task: SideTask) -> list[str]:
    """All texts that a task needs."""
    if isinstance(task, SideExamples):
        return list(task.texts)
    return [*task.anchors, *task.positives, *(text for texts in task.negatives for text in texts)]


def _random_batches(training: Examples, batch_size: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Cut the texts into shuffled batches; two of a label stay side by side, so that most have a positive."""
    order = rng.permutation(len(training.texts))
    if training.is_labelled:
        order = order[np.argsort(training.values[order], kind="stable")]
        codes = training.values[order]
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        within = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
        pair = np.cumsum(within % 2 == 0) - 1
        order = order[np.argsort(rng.permutation(pair[-1] + 1)[pair], kind="stable")]
    for start in range(0, len(order), batch_size):
        # One text alone has nothing to be compared with.
        if len(order) - start > 1:
            yield order[start : start + batch_size]


def _example_step(rows: Ints, values: Ints | Floats, is_labelled: bool) -> Step:
    def loss(vectors: Tensor) -> Tensor:
        import torch

        known = torch.as_tensor(values, device=vectors.device)
        if is_labelled:
            return supervised_contrastive_loss(vectors, known, _TEMPERATURE)
        return graded_similarity_loss(vectors, known, GRADED_TEMPERATURE)

    return Step(rows=rows, loss=loss)


def _side_steps(task: SideTask, row_of: Mapping[str, int], batch_size: int) -> Steps:
    if isinstance(task, Constraints):
        return _constraint_steps(task, row_of, batch_size)
    examples = check_examples(task.texts, task.labels_or_targets)
    rows = np.array([row_of[text] for text in examples.texts], dtype=np.int64)

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        for places in _random_batches(examples, batch_size, rng):
            yield _example_step(rows[places], examples.values[places], examples.is_labelled)

    return steps


def _constraint_steps(task: Constraints, row_of: Mapping[str, int], batch_size: int) -> Steps:
    """Make steps of about as many texts as a batch of examples has."""
    width = 2 + max(len(texts) for texts in task.negatives)
    table = np.full((len(task.anchors), width), -1, dtype=np.int64)
    for place, triple in enumerate(zip(task.anchors, task.positives, task.negatives, strict=True)):
        texts = (triple[0], triple[1], *triple[2])
        table[place, : len(texts)] = [row_of[text] for text in texts]
    n_each = max(1, batch_size // width)

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        order = rng.permutation(len(table))
        for start in range(0, len(order), n_each):
            yield _constraint_step(table[order[start : start + n_each]])

    return steps


def _constraint_step(table: Ints) -> Step:
    rows = np.unique(table[table >= 0])
    places = np.where(table >= 0, np.searchsorted(rows, table), -1)

    def loss(vectors: Tensor) -> Tensor:
        import torch

        where = torch.as_tensor(places, device=vectors.device)
        return constraint_loss(vectors @ vectors.T, where, _TEMPERATURE)

    return Step(rows=rows, loss=loss)


def _joined(weighed: Sequence[tuple[Step, float]]) -> Step:
    rows = np.unique(np.concatenate([step.rows for step, _ in weighed]))
    places = [np.searchsorted(rows, step.rows) for step, _ in weighed]

    def loss(vectors: Tensor) -> Tensor:
        parts = [
            weight * step.loss(vectors[own]) for (step, weight), own in zip(weighed, places, strict=True)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    return Step(rows=rows, loss=loss)


def _endless(steps: Steps, rng: np.random.Generator) -> Iterator[Step]:
    while True:
        yield from steps(rng)
