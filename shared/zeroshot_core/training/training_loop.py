"""The training loop, the same for whatever is trained: steps, schedule, early stop, budget, checkpoints.

Why not `SentenceTransformerTrainer` or `accelerate`: neither joins several tasks in one step that encodes
each text once, trains a head over vectors that stay, or stops by a budget of seconds with the rate fallen to
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.training.learners import Learner, parameter_values, set_parameters
from zeroshot_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

    from zeroshot_core.training.checkpoints import Checkpoints
    from zeroshot_core.training.steps import Step
    from zeroshot_core.types import Ints

__all__ = ["Progress", "descend", "fit_learner"]

_WARM_UP = 0.1
_MAX_NORM = 1.0
_WEIGHT_DECAY = 0.01
# What AdamW keeps of each parameter.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run has done.

    Parameters
    ----------
    losses, scores
        Of each epoch.
    best
        Values of the parameters after the epoch of the best score, by name.
    seconds
        Spent so far, in all runs together.
    """

    losses: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    best: Mapping[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.losses)

    @property
    def best_epoch(self) -> int:
        """The epoch of the best score, from 0; the first of equally good ones."""
        return int(np.argmax(self.scores))


def fit_learner(
    learner: Learner,
    steps: Callable[[np.random.Generator], Iterator[Step]],
    score: Callable[[], float] | None,
    plan: TrainingPlan,
    checkpoints: Checkpoints | None = None,
) -> Progress:
    """Train to the best epoch by `score`, from the last checkpoint if there is one.

    Parameters
    ----------
    steps
        The steps of one pass over the texts; the same for the same generator.
    score
        Of the learner as it is, higher is better; None trains to the end and keeps the last epoch.

    Returns
    -------
    Progress
        With the parameters of the best epoch.
    """
    import torch
    from tqdm import tqdm

    parameters = learner.parameters()
    n_in_pass = len(list(steps(np.random.default_rng(0))))
    epochs, n_passes = plan.n_epochs(n_in_pass), plan.n_passes(n_in_pass)
    n_steps = n_in_pass * n_passes
    total = epochs * n_steps
    optimizer, schedule = _optimizer(list(parameters.values()), plan.learning_rate, total)
    progress = _resumed(checkpoints, learner, optimizer)
    started = time.perf_counter() - progress.seconds

    def place_in_run(step: int) -> float:
        """Count a step as later where more of the budget is spent than of the steps is done."""
        if plan.budget_s is None:
            return step
        return max(step, total * (time.perf_counter() - started) / plan.budget_s)

    devices = sorted({each.device.index for each in parameters.values() if each.is_cuda})
    bar = tqdm(total=total, initial=progress.epoch * n_steps, unit="step", disable=not plan.show_progress)
    with torch.random.fork_rng(devices), bar:
        while progress.epoch < epochs and not _is_over(progress, plan):
            epoch = progress.epoch
            # Seeds of its own for each epoch, so that a resumed run goes on exactly as it would have.
            seeds = np.random.SeedSequence([plan.random_state, epoch])
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            learner.set_training(True)
            losses: list[float] = []
            rng = np.random.default_rng(seeds)
            passes = chain.from_iterable(steps(rng) for _ in range(n_passes))
            for place, step in enumerate(passes):
                now = place_in_run(epoch * n_steps + place)
                if losses and now >= total:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = schedule(now)
                losses.append(descend(learner, step, optimizer))
                bar.update()
            learner.set_training(False)
            found = score() if score is not None else float(epoch)
            progress = _after(progress, learner, float(np.mean(losses)), found, time.perf_counter() - started)
            if checkpoints is not None:
                _write(checkpoints, progress, parameters, optimizer)
    return progress


def descend(learner: Learner, step: Step, optimizer: Optimizer) -> float:
    """Take one step down the loss, each text encoded once; the loss before it.

    Where the texts don't fit at once, vectors are made first without gradients, then part by part with the
    gradient that the loss gave them [1]_; each part sees the same dropout twice.

    References
    ----------
    .. [1] Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021.
    """
    import torch

    optimizer.zero_grad()
    parts = learner.parts(step.rows)
    loss = step.loss(learner.vectors(step.rows)) if len(parts) == 1 else _cached(learner, step, parts)
    if len(parts) == 1:
        torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(list(learner.parameters().values()), _MAX_NORM)
    optimizer.step()
    return float(loss.detach())


def _cached(learner: Learner, step: Step, parts: Sequence[Ints]) -> Tensor:
    """Leave the gradient of a step in the parameters, part by part; the loss."""
    import torch

    states, vectors = [], []
    for part in parts:
        states.append((torch.get_rng_state(), _device_state(learner)))
        with torch.no_grad():
            vectors.append(learner.vectors(part))
    place_of = {row: place for place, row in enumerate(np.concatenate(parts).tolist())}
    order = torch.as_tensor([place_of[row] for row in step.rows.tolist()])
    leaf = torch.cat(vectors).requires_grad_()
    loss = step.loss(leaf[order.to(leaf.device)])
    torch.autograd.backward(loss)
    gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
    pieces = torch.split(gradient, [len(part) for part in parts])
    for part, (state, device_state), piece in zip(parts, states, pieces, strict=True):
        torch.set_rng_state(state)
        if device_state is not None:
            torch.cuda.set_rng_state(device_state)
        torch.autograd.backward(learner.vectors(part), piece)
    return loss


def _device_state(learner: Learner) -> Tensor | None:
    import torch

    first = next(iter(learner.parameters().values()))
    return torch.cuda.get_rng_state(first.device) if first.is_cuda else None


def _optimizer(
    parameters: list[Parameter], highest: float, total: int
) -> tuple[Optimizer, Callable[[float], float]]:
    """AdamW, and a rate that rises over the first tenth of all steps and then falls, both linearly."""
    import torch

    optimizer = torch.optim.AdamW(parameters, lr=highest, weight_decay=_WEIGHT_DECAY)
    warm = max(1, round(_WARM_UP * total))

    def rate(step: float) -> float:
        return highest * min((step + 1) / warm, max(0.0, total - step) / max(1, total - warm))

    return optimizer, rate


def _is_over(progress: Progress, plan: TrainingPlan) -> bool:
    """Whether the last epochs brought nothing, or the budget is spent."""
    if progress.epoch == 0:
        return False
    waited = progress.epoch - 1 - progress.best_epoch
    is_spent = plan.budget_s is not None and progress.seconds >= plan.budget_s
    return waited >= plan.patience or is_spent


def _after(progress: Progress, learner: Learner, loss: float, score: float, seconds: float) -> Progress:
    """Add an epoch; the first of equally good ones stays the best."""
    is_best = not progress.scores or score > max(progress.scores)
    return replace(
        progress,
        losses=(*progress.losses, loss),
        scores=(*progress.scores, score),
        best=parameter_values(learner) if is_best else progress.best,
        seconds=seconds,
    )


def _write(
    checkpoints: Checkpoints, progress: Progress, parameters: Mapping[str, Parameter], optimizer: Optimizer
) -> None:
    tensors: dict[str, Tensor] = {f"now.{name}": each for name, each in parameters.items()}
    tensors |= {f"best.{name}": each for name, each in progress.best.items()}
    for name, each in parameters.items():
        tensors |= {f"{key}.{name}": moment for key, moment in optimizer.state.get(each, {}).items()}
    notes = {"losses": progress.losses, "scores": progress.scores, "seconds": progress.seconds}
    checkpoints.write(notes, tensors, progress.epoch)


def _resumed(checkpoints: Checkpoints | None, learner: Learner, optimizer: Optimizer) -> Progress:
    """Read the last state into parameters and optimizer; without one, a run begins."""
    parameters = learner.parameters()

    def values(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensors[f"{part}.{name}"].to(each.device) for name, each in parameters.items()}

    def parse(notes: dict[str, Any], tensors: dict[str, Tensor]) -> Progress:
        set_parameters(learner, values("now", tensors))
        for name, each in parameters.items():
            moments = {key: tensors[f"{key}.{name}"] for key in _MOMENTS if f"{key}.{name}" in tensors}
            if moments:
                # AdamW counts its steps on the processor.
                optimizer.state[each] = {
                    key: value if key == "step" else value.to(each.device) for key, value in moments.items()
                }
        return Progress(
            losses=tuple(notes["losses"]),
            scores=tuple(notes["scores"]),
            best=values("best", tensors),
            seconds=notes["seconds"],
        )

    found = None if checkpoints is None else checkpoints.read(parse)
    return found or Progress()
