"""The guard: what is trained is compared with the base on held-out texts, and kept only where they gain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.checkpoints import Checkpoints, Progress, run_digest
from zeroshot_core.training.examples import Examples, check_examples, with_label_texts
from zeroshot_core.training.fitting import fit_learner
from zeroshot_core.training.judging import Judge
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.probing import split_examples, split_groups
from zeroshot_core.training.tasks import SideTask, example_steps, mixed_steps, side_texts

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from zeroshot_core.training.learners import Learner
    from zeroshot_core.types import Ints, Vectors

__all__ = ["Problem", "TuningReport", "fit_guarded", "pose"]

# With more texts than this, the fifth held out is not missed.
_MOST_REFITTED = 10_000
# Epochs in which the held-out texts are learned with the others, beside those without them.
_SHARE_OF_EPOCHS = 0.3

AnyLearner = TypeVar("AnyLearner", bound="Learner")


@dataclass(frozen=True, kw_only=True)
class TuningReport:
    """What tuning did to the order of held-out texts.

    Parameters
    ----------
    is_improved
        Whether what was trained is kept; otherwise the base came back.
    verdict
        The same in words, with the reason.
    score
        Of the base on the held-out part, as `probe` says; higher is better.
    epoch_scores
        The same after each epoch, of all that was trained; the first of the best ones counts.
    unseen_scores
        Of the labels held out as a whole, before and after; None where there are none.
    losses
        Mean loss of each epoch.
    n_training, n_held_out
        Number of distinct texts in both parts.
    seconds
        That it took, all runs together.
    """

    is_improved: bool
    verdict: str
    score: float
    epoch_scores: tuple[float, ...]
    unseen_scores: tuple[float, float] | None
    losses: tuple[float, ...]
    n_training: int
    n_held_out: int
    seconds: float = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What to learn: examples, of which some are held out, and other tasks.

    Parameters
    ----------
    examples
        Their texts are the first rows of `texts`.
    held_out
        Of the examples and label texts, shape (n,).
    texts
        Each distinct text of all tasks once.
    """

    examples: Examples
    held_out: npt.NDArray[np.bool_]
    side_tasks: tuple[SideTask, ...]
    texts: tuple[str, ...]


def pose(
    texts: Sequence[str],
    labels_or_targets: Sequence[str] | Any,
    label_texts: Mapping[str, str | Sequence[str]] | None,
    side_tasks: Sequence[SideTask],
    groups: Sequence[Hashable] | None,
    random_state: int,
) -> Problem:
    """Check what is given, and split it.

    Raises
    ------
    InvalidInputError
        If something is wrong with it.
    """
    examples = check_examples(texts, labels_or_targets)
    if label_texts:
        examples = with_label_texts(examples, label_texts)
    rng = np.random.default_rng(random_state)
    held_out = split_examples(examples, rng)
    if groups is not None:
        if len(groups) != len(texts):
            raise InvalidInputError(f"expected {len(texts)} groups, one for each text, got {len(groups)}")
        own = dict(zip(texts, groups, strict=True))
        held_out = split_groups(examples, [own[text] for text in examples.texts[: examples.n_examples]], rng)
    others = (text for task in side_tasks for text in side_texts(task))
    return Problem(
        examples=examples,
        held_out=held_out,
        side_tasks=tuple(side_tasks),
        texts=tuple(dict.fromkeys((*examples.texts, *others))),
    )


def fit_guarded(
    problem: Problem,
    make: Callable[[Problem], AnyLearner],
    plan: TrainingPlan,
    folder: str | os.PathLike[str] | None,
    run: Mapping[str, Any],
    *,
    share: float = 1.0,
) -> tuple[AnyLearner, Mapping[str, Tensor], TuningReport]:
    """Train with the guard; the learner, the values of its parameters that won, and the report.

    Parameters
    ----------
    make
        Of a fresh learner, which gives the vectors of the base.
    run
        What the learner depends on beside the problem and the plan, JSON-able.
    share
        How far to go from the base to what was trained, in (0, 1].
    """
    started = time.perf_counter()
    learner = make(problem)
    initial = {name: value.detach().clone() for name, value in learner.parameters().items()}
    judge = Judge(problem.examples, problem.held_out, plan.random_state)
    base = _vectors(learner, judge.rows)
    digest = _digest(problem, plan, run)
    n_examples = problem.examples.n_examples
    kept = np.flatnonzero(~problem.held_out[:n_examples])
    guarded = fit_learner(
        learner,
        _steps(problem, kept, plan),
        lambda: judge.score(_vectors(learner, judge.rows)),
        _bounded(plan, started, share=0.75),
        Checkpoints(folder, "guard", digest),
    )
    best = _between(initial, guarded.best, share)
    after = _vectors_with(learner, best, judge.rows)
    verdict = judge.verdict(base, after)
    if not verdict and n_examples <= _MOST_REFITTED:
        _put(learner, guarded.best)
        epochs = max(1, round(_SHARE_OF_EPOCHS * (1 + int(np.argmax(guarded.scores)))))
        refitted = fit_learner(
            learner,
            _steps(problem, np.arange(n_examples), plan),
            None,
            _bounded(replace(plan, epochs=epochs), started, share=1.0),
            Checkpoints(folder, "refit", digest),
        )
        best = _between(initial, refitted.best, share)
        verdict = judge.collapse(base, _vectors_with(learner, best, judge.rows))
    report = _report(problem, guarded, judge, (base, after), verdict, time.perf_counter() - started)
    return learner, best, report


def _between(
    initial: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> Mapping[str, Tensor]:
    """Go a share of the way from the base to what was trained [1]_.

    References
    ----------
    .. [1] Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
    """
    return {name: base + share * (trained[name] - base) for name, base in initial.items()}


def _report(
    problem: Problem,
    guarded: Progress,
    judge: Judge,
    vectors: tuple[Vectors, Vectors],
    verdict: str,
    seconds: float,
) -> TuningReport:
    n_held_out = int(problem.held_out.sum())
    return TuningReport(
        is_improved=not verdict,
        verdict=verdict or "kept: held-out texts gain by it",
        score=judge.score(vectors[0]),
        epoch_scores=guarded.scores,
        unseen_scores=judge.unseen(*vectors),
        losses=guarded.losses,
        n_training=problem.examples.n_examples - n_held_out,
        n_held_out=n_held_out,
        seconds=seconds,
    )


def _steps(problem: Problem, rows: Ints, plan: TrainingPlan) -> Any:
    main = example_steps(problem.examples, rows, plan.batch_size)
    row_of = {text: row for row, text in enumerate(problem.texts)}
    return mixed_steps(main, problem.side_tasks, row_of, plan.batch_size)


def _vectors(learner: Learner, rows: Ints) -> Vectors:
    """Vectors of texts, without gradients or dropout, shape (n, d)."""
    import torch

    learner.set_training(False)
    found: Vectors | None = None
    place_of = {row: place for place, row in enumerate(rows.tolist())}
    with torch.no_grad():
        for part in learner.parts(rows):
            own = learner.vectors(part).float().cpu().numpy()
            found = np.empty((len(rows), own.shape[1]), dtype=np.float32) if found is None else found
            found[[place_of[row] for row in part.tolist()]] = own
    if found is None:
        raise InvalidInputError("expected at least 1 text to probe, got none")
    return found


def _vectors_with(learner: Learner, values: Mapping[str, Tensor], rows: Ints) -> Vectors:
    _put(learner, values)
    return _vectors(learner, rows)


def _put(learner: Learner, values: Mapping[str, Tensor]) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in learner.parameters().items():
            parameter.copy_(values[name])


def _bounded(plan: TrainingPlan, started: float, share: float) -> TrainingPlan:
    """Leave what remains of a share of the budget; a moment at least, for one step."""
    if plan.budget_s is None:
        return plan
    left = share * plan.budget_s - (time.perf_counter() - started)
    return replace(plan, budget_s=max(left, 1e-3))


def _digest(problem: Problem, plan: TrainingPlan, run: Mapping[str, Any]) -> str:
    """Of what a run depends on; how it is watched, and for how long, may change."""
    settings = asdict(plan)
    del settings["show_progress"], settings["budget_s"]
    return run_digest(
        run=dict(run),
        plan=settings,
        texts=problem.texts,
        values=problem.examples.values.tolist(),
        held_out=problem.held_out.tolist(),
        tasks=[repr(task) for task in problem.side_tasks],
    )
