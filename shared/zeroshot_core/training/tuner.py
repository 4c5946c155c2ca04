"""Tuning an encoder, or a head over it, on labelled or graded texts, kept only where held-out texts gain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.head import HeadKind
from zeroshot_core.encoders.modalities import named_contents
from zeroshot_core.encoders.wrappers import CachedEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.checkpoints import Checkpoints, run_digest
from zeroshot_core.training.examples import Examples, check_examples, with_label_texts
from zeroshot_core.training.guard import Guard, hold_out
from zeroshot_core.training.learners import (
    HeadLearner,
    Learner,
    Method,
    TransformerLearner,
    Values,
    check_method,
    parameter_values,
    set_parameters,
    vectors_of,
)
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.steps import SideTask, Step, example_steps, mixed_steps, side_texts
from zeroshot_core.training.training_loop import Progress, fit_learner
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zeroshot_core.types import Ints, Vectors

__all__ = ["HEAD_PLAN", "Tuner", "TuningReport", "TuningTask", "tune_encoder", "tune_head"]

HEAD_PLAN = TrainingPlan(epochs=40, learning_rate=1e-3, batch_size=256, patience=5)

# New texts are served better by most of what was trained of a transformer than by all of it.
_SHARE_OF_TRAINED = 0.75
# With more texts than this, the fifth held out is not missed.
_MOST_REFITTED = 10_000
# Epochs in which the held-out texts are learned with the others, beside those without them.
_SHARE_OF_EPOCHS = 0.3

AnyLearner = TypeVar("AnyLearner", bound=Learner)


@dataclass(frozen=True, kw_only=True)
class TuningReport:
    """What tuning did to the order of held-out texts.

    Parameters
    ----------
    is_improved
        Whether what was trained is kept; otherwise the base is returned.
    verdict
        The same in words, with the reason.
    score
        Of the base on the held-out part: mean average precision of labels, those seen and those held out as a
        whole counting alike, or the share of the targets' variance that the ten nearest texts explain.
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


def tune_encoder(
    encoder: TransformerEncoder,
    texts: Sequence[str],
    labels_or_targets: Sequence[str] | Any,
    *,
    label_texts: Mapping[str, str | Sequence[str]] | None = None,
    side_tasks: Sequence[SideTask] = (),
    groups: Sequence[Hashable] | None = None,
    method: Method = "full",
    trained_layers: int | None = None,
    plan: TrainingPlan | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
) -> tuple[TransformerEncoder, TuningReport]:
    """Train a copy of an encoder so that texts of one label, or of near targets, become near.

    A fifth of the texts is held out, and with ten or more labels a tenth of the labels as a whole, so that
    unseen labels have a say too. Training on the rest shows which epoch serves the held-out part best. If it
    beats the base there, the copy learns on, from all texts, for a third as many epochs (with more than
    10,000 texts it is kept as it was); else, or if all vectors have become alike, the base is returned. What
    is kept has weights between base and copy, three quarters of the way. The given encoder stays as it is.

    Parameters
    ----------
    texts
        Shape (n,); one that comes several times counts once.
    labels_or_targets
        Labels as strings, shape (n,); or targets as numbers, shape (n,) or (n, horizon), whose mean counts
        for a text that comes several times. A label with a single text only pushes others away, unless it
        has label texts.
    label_texts
        Names and descriptions by label: further texts of their label.
    side_tasks
        `Constraints` and `SideExamples`, one batch of each of which joins every step.
    groups
        Shape (n,): what is held out as a whole, instead of single texts.
    method
        ``"full"`` trains the weights, ``"lora"`` low-rank changes (Hu et al. 2022), merged in the end.
    trained_layers
        How many of the upper layers are trained, at least 1 and at most all; what lies below them is
        computed once for each text. None trains the embeddings too.
    plan
        How long and how fast; None for the defaults.
    checkpoints
        Folder for the state after each epoch; the same call goes on from there.

    Returns
    -------
    TransformerEncoder, TuningReport
        Write the encoder with `save(folder)`; `load_encoder(folder)` opens it.

    Raises
    ------
    InvalidInputError
        If the encoder takes images, lengths differ, a text is empty or has two labels, or there is too little
        to hold out a part.
    MissingExtraError
        If the method is ``"lora"`` and peft is not installed.
    """
    if not isinstance(encoder, TransformerEncoder):
        raise InvalidInputError(
            f"expected a TransformerEncoder, whose weights can be trained, got {type(encoder).__name__}; "
            "open one with load_encoder, or train a head over it with tune_head"
        )
    if encoder.modalities != ("text",):
        raise InvalidInputError(
            f"expected an encoder of texts alone, got {encoder.name!r}, which takes images too: training by "
            "texts would move them apart; train a head over it with tune_head"
        )
    check_method(method, trained_layers)
    task = TuningTask.of(
        texts,
        labels_or_targets,
        label_texts=label_texts,
        side_tasks=side_tasks,
        groups=groups,
        plan=plan or TrainingPlan(),
        checkpoints=checkpoints,
    )

    def learner(all_texts: Sequence[str]) -> TransformerLearner:
        return TransformerLearner(encoder, all_texts, method, trained_layers, task.plan.random_state)

    inputs = {"encoder": encoder.fingerprint, "method": method, "trained_layers": trained_layers}
    tuner = Tuner(task, learner, inputs, share=_SHARE_OF_TRAINED)
    values, report = tuner.run()
    return (tuner.learner.encoder(values) if report.is_improved else encoder), report


def tune_head(
    encoder: Encoder,
    texts: Sequence[Content],
    labels_or_targets: Sequence[str] | Any,
    *,
    kind: HeadKind = "residual",
    label_texts: Mapping[str, str | Sequence[str]] | None = None,
    side_tasks: Sequence[SideTask] = (),
    groups: Sequence[Hashable] | None = None,
    plan: TrainingPlan = HEAD_PLAN,
    checkpoints: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[Encoder, TuningReport]:
    """Train a small head over an encoder that is closed, such as an API, or too large to tune.

    The objectives and the guard are those of `tune_encoder`. The head begins as the identity, so that it
    starts from the encoder's own vectors.

    Parameters
    ----------
    texts
        Texts, or what else the encoder takes: images, and Items of both.
    kind
        ``"linear"`` maps (d, d), ``"residual"`` adds a map of rank 64, ``"mlp"`` one with 64 hidden units.
    cache
        File that keeps the vectors of the encoder, see `CachedEncoder`; the returned encoder goes on using
        it. None keeps nothing, and encodes each text once here.

    Returns
    -------
    Encoder, TuningReport
        A `HeadEncoder`; the given encoder if the head doesn't help.

    Raises
    ------
    InvalidInputError
        If texts, labels or targets are wrong, or the encoder's vectors have changed their length.
    """
    if not isinstance(encoder, Encoder):
        raise InvalidInputError(
            f"expected an encoder, got {type(encoder).__name__}; wrap a function in FunctionEncoder"
        )
    base = encoder if cache is None else CachedEncoder(encoder, cache)
    names, contents = named_contents(texts)
    task = TuningTask.of(
        names,
        labels_or_targets,
        label_texts=label_texts,
        side_tasks=side_tasks,
        groups=groups,
        plan=plan,
        checkpoints=checkpoints,
    )

    def learner(all_texts: Sequence[str]) -> HeadLearner:
        given = [contents.get(text, text) for text in all_texts]
        return HeadLearner(base, given, kind, plan.random_state)

    tuner = Tuner(task, learner, {"encoder": base.fingerprint, "head": kind})
    values, report = tuner.run()
    return (tuner.learner.encoder(values) if report.is_improved else base), report


@dataclass(frozen=True, kw_only=True)
class TuningTask:
    """What to learn and how: examples, of which some are held out, other tasks, a plan, checkpoints.

    Parameters
    ----------
    examples
        Their texts are the first of `texts`.
    held_out
        Of the examples and label texts, shape (n,).
    texts
        Each distinct text of all tasks once.
    checkpoints
        Folder; None keeps none.
    """

    examples: Examples
    held_out: npt.NDArray[np.bool_]
    side_tasks: tuple[SideTask, ...]
    texts: tuple[str, ...]
    plan: TrainingPlan
    checkpoints: str | os.PathLike[str] | None

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        labels_or_targets: Sequence[str] | Any,
        *,
        label_texts: Mapping[str, str | Sequence[str]] | None = None,
        side_tasks: Sequence[SideTask] = (),
        groups: Sequence[Hashable] | None = None,
        plan: TrainingPlan,
        checkpoints: str | os.PathLike[str] | None = None,
    ) -> TuningTask:
        """Check what is given, and hold a part out.

        Raises
        ------
        InvalidInputError
            See `tune_encoder`.
        """
        examples = check_examples(texts, labels_or_targets)
        if label_texts:
            examples = with_label_texts(examples, label_texts)
        if groups is not None:
            group_of = dict(zip(texts, checks.groups(groups, len(texts), of="text"), strict=True))
            groups = [group_of[text] for text in examples.texts[: examples.n_examples]]
        others = (text for task in side_tasks for text in side_texts(task))
        return cls(
            examples=examples,
            held_out=hold_out(examples, np.random.default_rng(plan.random_state), groups),
            side_tasks=tuple(side_tasks),
            texts=tuple(dict.fromkeys((*examples.texts, *others))),
            plan=plan,
            checkpoints=checkpoints,
        )

    def steps(self, rows: Ints) -> Callable[[np.random.Generator], Iterator[Step]]:
        """Make the steps of one pass over some of the examples, beside the other tasks."""
        size = self.plan.batch_size
        row_of = {text: row for row, text in enumerate(self.texts)}
        return mixed_steps(example_steps(self.examples, rows, size), self.side_tasks, row_of, size)

    def digest(self, inputs: Mapping[str, Any]) -> str:
        """Hash what a run depends on; how it is watched, and for how long, may change.

        Parameters
        ----------
        inputs
            What it depends on beside the task, JSON-able.
        """
        plan = asdict(self.plan)
        del plan["show_progress"], plan["budget_s"]
        return run_digest(
            run=dict(inputs),
            plan=plan,
            texts=self.texts,
            values=self.examples.values.tolist(),
            held_out=self.held_out.tolist(),
            tasks=[repr(task) for task in self.side_tasks],
        )


class Tuner(Generic[AnyLearner]):
    """Trains a learner without the held-out texts and, if these gain by it, goes on with them.

    Parameters
    ----------
    make
        A fresh learner of some texts, which makes the vectors of the base.
    inputs
        What the learner depends on beside the task, JSON-able.
    share
        How far to go from the base to what was trained, in (0, 1].
    """

    def __init__(
        self,
        task: TuningTask,
        make: Callable[[Sequence[str]], AnyLearner],
        inputs: Mapping[str, Any],
        *,
        share: float = 1.0,
    ) -> None:
        self._started = time.perf_counter()
        self._task, self._share = task, share
        self.learner = make(task.texts)
        self._initial = parameter_values(self.learner)
        self._guard = Guard(task.examples, task.held_out, np.random.default_rng(task.plan.random_state))
        self._digest = task.digest(inputs)

    def run(self) -> tuple[Values, TuningReport]:
        """Train; the values of the parameters that won, of which the report says whether they are of use."""
        task, guard = self._task, self._guard
        n = task.examples.n_examples
        base = vectors_of(self.learner, guard.rows)
        progress = self._fit(
            "guard",
            np.flatnonzero(~task.held_out[:n]),
            score=lambda: guard.score(vectors_of(self.learner, guard.rows)),
            share_of_budget=0.75,
        )
        values = self._between(progress.best)
        after = self._vectors(values)
        verdict = guard.verdict(base, after)
        if not verdict and n <= _MOST_REFITTED:
            set_parameters(self.learner, progress.best)
            epochs = max(1, round(_SHARE_OF_EPOCHS * (1 + progress.best_epoch)))
            values = self._between(self._fit("refit", np.arange(n), epochs=epochs).best)
            verdict = guard.collapse(base, self._vectors(values))
        before, now = (guard.part_scores(each)[1] for each in (base, after))
        unseen = None if before is None or now is None else (before, now)
        n_held_out = int(task.held_out.sum())
        return values, TuningReport(
            is_improved=not verdict,
            verdict=verdict or "kept: held-out texts gain by it",
            score=guard.score(base),
            epoch_scores=progress.scores,
            unseen_scores=unseen,
            losses=progress.losses,
            n_training=n - n_held_out,
            n_held_out=n_held_out,
            seconds=time.perf_counter() - self._started,
        )

    def _fit(
        self,
        name: str,
        rows: Ints,
        *,
        score: Callable[[], float] | None = None,
        epochs: int | None = None,
        share_of_budget: float = 1.0,
    ) -> Progress:
        """Train on some of the examples, in what remains of a share of the budget."""
        task, plan = self._task, self._task.plan
        if epochs is not None:
            plan = replace(plan, epochs=epochs)
        if plan.budget_s is not None:
            left = share_of_budget * plan.budget_s - (time.perf_counter() - self._started)
            # A moment at least, for one step.
            plan = replace(plan, budget_s=max(left, 1e-3))
        checkpoints = None
        if task.checkpoints is not None:
            inputs = "texts, labels, encoder or settings"
            checkpoints = Checkpoints(task.checkpoints, name, self._digest, inputs=inputs)
        return fit_learner(self.learner, task.steps(rows), score, plan, checkpoints)

    def _between(self, trained: Values) -> Values:
        """Go a share of the way from the base to what was trained [1]_.

        References
        ----------
        .. [1] Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
        """
        return {name: base + self._share * (trained[name] - base) for name, base in self._initial.items()}

    def _vectors(self, values: Values) -> Vectors:
        set_parameters(self.learner, values)
        return vectors_of(self.learner, self._guard.rows)
