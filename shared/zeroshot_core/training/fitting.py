"""The training loop, the same for whatever is trained: steps, schedule, early stop, budget, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.training.checkpoints import Checkpoints, Progress
from zeroshot_core.training.learners import Learner
from zeroshot_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.training.tasks import Step
    from zeroshot_core.types import Ints

__all__ = ["descend", "fit_learner"]

_WARM_UP = 0.1
_MAX_NORM = 1.0
_WEIGHT_DECAY = 0.01


def fit_learner(
    learner: Learner,
    steps: Callable[[np.random.Generator], Iterator[Step]],
    score: Callable[[], float] | None,
    plan: TrainingPlan,
    checkpoints: Checkpoints,
) -> Progress:
    """Train to the best epoch by `score`, from the last checkpoint if there is one.

    Parameters
    ----------
    steps
        Gives the steps of one pass over the texts; the same for the same generator.
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
    progress = checkpoints.resume(parameters, optimizer)
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
                losses.append(_stepped(learner, step, optimizer, schedule(now), bar))
            learner.set_training(False)
            found = score() if score is not None else float(epoch)
            progress = progress.after(
                parameters, float(np.mean(losses)), found, time.perf_counter() - started
            )
            checkpoints.write(progress, parameters, optimizer)
    return progress


def descend(learner: Learner, step: Step, optimizer: Any) -> float:
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
        loss.backward()  # type: ignore[no-untyped-call]
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
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
    pieces = torch.split(gradient, [len(part) for part in parts])
    for part, (state, device_state), piece in zip(parts, states, pieces, strict=True):
        torch.set_rng_state(state)
        if device_state is not None:
            torch.cuda.set_rng_state(device_state)
        learner.vectors(part).backward(piece)  # type: ignore[no-untyped-call]
    return loss


def _device_state(learner: Learner) -> Tensor | None:
    import torch

    first = next(iter(learner.parameters().values()))
    return torch.cuda.get_rng_state(first.device) if first.is_cuda else None


def _optimizer(parameters: list[Any], highest: float, total: int) -> tuple[Any, Callable[[float], float]]:
    """AdamW, and a rate that rises over the first tenth of all steps and then falls, both linearly."""
    import torch

    optimizer = torch.optim.AdamW(parameters, lr=highest, weight_decay=_WEIGHT_DECAY)
    warm = max(1, round(_WARM_UP * total))

    def rate(step: float) -> float:
        return highest * min((step + 1) / warm, max(0.0, total - step) / max(1, total - warm))

    return optimizer, rate


def _stepped(learner: Learner, step: Step, optimizer: Any, rate: float, bar: Any) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    bar.update()
    return descend(learner, step, optimizer)


def _is_over(progress: Progress, plan: TrainingPlan) -> bool:
    """Whether the last epochs brought nothing, or the budget is spent."""
    if progress.epoch == 0:
        return False
    waited = progress.epoch - 1 - int(np.argmax(progress.scores))
    is_spent = plan.budget_s is not None and progress.seconds >= plan.budget_s
    return waited >= plan.patience or is_spent
