"""Tuning a copy of an encoder on labelled or graded texts, kept only where held-out texts gain by it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders import TransformerEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.examples import Examples, check_examples
from zeroshot_core.training.objectives import graded_similarity_loss, supervised_contrastive_loss
from zeroshot_core.training.probing import probe, split_examples

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from zeroshot_core.types import Ints

__all__ = ["TuningReport", "tune_encoder"]

_TEMPERATURE = 0.07
_WARM_UP = 0.1
_MAX_NORM = 1.0


@dataclass(frozen=True, kw_only=True)
class TuningReport:
    """What tuning did to the order of held-out texts.

    Parameters
    ----------
    is_improved
        Whether the tuned encoder was kept; otherwise the base came back.
    score
        Of the base on the held-out part, as `probe` says; higher is better.
    epoch_scores
        The same after each epoch; the best epoch is the one that is kept.
    losses
        Mean loss of each epoch.
    n_training, n_held_out
        Number of distinct texts in both parts.
    """

    is_improved: bool
    score: float
    epoch_scores: tuple[float, ...]
    losses: tuple[float, ...]
    n_training: int
    n_held_out: int


@dataclass(frozen=True, kw_only=True)
class _Plan:
    epochs: int
    learning_rate: float
    batch_size: int
    random_state: int
    show_progress: bool


def tune_encoder(
    encoder: TransformerEncoder,
    texts: Sequence[str],
    labels_or_targets: Sequence[str] | Any,
    *,
    epochs: int = 3,
    learning_rate: float = 2e-5,
    batch_size: int = 64,
    random_state: int = 0,
    show_progress: bool = False,
) -> tuple[TransformerEncoder, TuningReport]:
    """Train a copy of an encoder so that texts of one label, or of near targets, become near.

    A fifth of the texts is held out, and with ten or more labels a tenth of the labels as a whole, so that
    unseen labels have a say too. The weights of the best epoch are kept if they beat the base there; else
    the base comes back. The given encoder stays as it is.

    Parameters
    ----------
    texts
        Shape (n,); one that comes several times counts once.
    labels_or_targets
        Labels as strings, shape (n,); or targets as numbers, shape (n,) or (n, horizon), whose mean counts
        for a text that comes several times.
    batch_size
        Distinct texts in one step, at least 2; each is encoded once.
    random_state
        Seed of split, batches and dropout: the same input and seed give the same encoder on one machine.

    Returns
    -------
    TransformerEncoder, TuningReport
        Write the encoder with `save(folder)`; `load_encoder(folder)` opens it.

    Raises
    ------
    InvalidInputError
        If lengths differ, a text is empty, a text has two labels, or there is too little to hold out a part.
    """
    plan = _Plan(
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        random_state=random_state,
        show_progress=show_progress,
    )
    _check(encoder, plan)
    examples = check_examples(texts, labels_or_targets)
    rng = np.random.default_rng(random_state)
    held_out = split_examples(examples, rng)

    def score(candidate: TransformerEncoder) -> float:
        return probe(candidate.encode(examples.texts), examples, held_out)

    before = score(encoder)
    training = examples.take(np.flatnonzero(~held_out))
    tuned, losses, scores = _train(
        encoder,
        training,
        score,
        rng,
        plan,
    )
    report = TuningReport(
        is_improved=max(scores) > before,
        score=before,
        epoch_scores=scores,
        losses=losses,
        n_training=len(training.texts),
        n_held_out=int(held_out.sum()),
    )
    return (tuned if report.is_improved else encoder), report


def _train(
    encoder: TransformerEncoder,
    training: Examples,
    score: Callable[[TransformerEncoder], float],
    rng: np.random.Generator,
    plan: _Plan,
) -> tuple[TransformerEncoder, tuple[float, ...], tuple[float, ...]]:
    """Train a copy; the encoder of the best epoch, with the loss and score of each epoch."""
    import torch
    from tqdm import tqdm

    model = copy.deepcopy(encoder.model)
    n_steps = plan.epochs * len(list(_batches(training, plan.batch_size, np.random.default_rng(0))))
    optimizer, schedule = _optimizer(model, plan.learning_rate, n_steps)
    best, losses, scores = model, [], []
    devices = [model.device] if model.device.type == "cuda" else []
    bar = tqdm(total=n_steps, unit="step", disable=not plan.show_progress)
    with torch.random.fork_rng(devices), bar:
        torch.manual_seed(plan.random_state)
        for _ in range(plan.epochs):
            model.train()
            steps = []
            for batch in _batches(training, plan.batch_size, rng):
                steps.append(_step(encoder, model, training.take(batch), optimizer))
                schedule.step()
                bar.update()
            losses.append(float(np.mean(steps)))
            model.eval()
            scores.append(score(_as_encoder(model, encoder)))
            if scores[-1] > max(scores[:-1], default=-np.inf):
                best = copy.deepcopy(model)
    return _as_encoder(best, encoder), tuple(losses), tuple(scores)


def _step(encoder: TransformerEncoder, model: SentenceTransformer, batch: Examples, optimizer: Any) -> float:
    """Take one step down the loss; the loss before it."""
    import torch

    loss = _loss(encoder, model, batch)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_NORM)
    optimizer.step()
    return float(loss.detach())


def _optimizer(model: SentenceTransformer, learning_rate: float, n_steps: int) -> tuple[Any, Any]:
    """AdamW with a rate that rises over the first tenth of the steps and then falls, both linearly."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    warm = max(1, round(_WARM_UP * n_steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (n_steps - step) / max(1, n_steps - warm))
    )
    return optimizer, schedule


def _loss(encoder: TransformerEncoder, model: SentenceTransformer, batch: Examples) -> Tensor:
    """Loss of one step, over the distinct texts of the batch, each encoded once."""
    import torch

    features = model.preprocess(batch.texts, prompt=encoder.prompts["document"] or None)
    moved = {
        key: value.to(model.device) if hasattr(value, "to") else value for key, value in features.items()
    }
    rows = model(moved)["sentence_embedding"][:, : encoder.dimension]
    vectors = torch.nn.functional.normalize(rows, dim=1)
    values = torch.as_tensor(batch.values, device=vectors.device)
    loss = supervised_contrastive_loss if batch.is_labelled else graded_similarity_loss
    return loss(vectors, values, _TEMPERATURE)


def _batches(training: Examples, batch_size: int, rng: np.random.Generator) -> Iterator[Ints]:
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


def _as_encoder(model: SentenceTransformer, base: TransformerEncoder) -> TransformerEncoder:
    return TransformerEncoder(model, name=f"{base.name} (tuned)")


def _check(encoder: TransformerEncoder, plan: _Plan) -> None:
    if not isinstance(encoder, TransformerEncoder):
        raise InvalidInputError(
            f"expected a TransformerEncoder, whose weights can be trained, got {type(encoder).__name__}; "
            "open one with load_encoder"
        )
    if plan.epochs < 1 or plan.batch_size < 2 or not plan.learning_rate > 0:
        raise InvalidInputError(
            "expected at least 1 epoch, 2 texts in a batch and a learning rate above 0, "
            f"got {plan.epochs}, {plan.batch_size} and {plan.learning_rate}"
        )
