"""Tuning a copy of an encoder on labelled or graded texts, kept only where held-out texts gain by it."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from zeroshot_core.encoders import TransformerEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.guarding import Problem, TuningReport, fit_guarded, pose
from zeroshot_core.training.learners import TransformerLearner
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tasks import SideTask

__all__ = ["TuningReport", "tune_encoder"]

# New texts are served better by most of what was trained than by all of it.
_SHARE_OF_TRAINED = 0.75


def tune_encoder(
    encoder: TransformerEncoder,
    texts: Sequence[str],
    labels_or_targets: Sequence[str] | Any,
    *,
    label_texts: Mapping[str, str | Sequence[str]] | None = None,
    side_tasks: Sequence[SideTask] = (),
    groups: Sequence[Hashable] | None = None,
    method: Literal["full", "lora"] = "full",
    trained_layers: int | None = None,
    plan: TrainingPlan | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
) -> tuple[TransformerEncoder, TuningReport]:
    """Train a copy of an encoder so that texts of one label, or of near targets, become near.

    A fifth of the texts is held out, and with ten or more labels a tenth of the labels as a whole, so that
    unseen labels have a say too. Training on the rest shows which epoch serves the held-out part best. If it
    beats the base there, the copy learns on, from all texts, for a third as many epochs (with more than
    10,000 texts it is kept as it was); else, or if all vectors have become alike, the base comes back. What
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
        If lengths differ, a text is empty, a text has two labels, or there is too little to hold out a part.
    MissingExtraError
        If the method is ``"lora"`` and peft is not installed.
    """
    plan = plan or TrainingPlan()
    if not isinstance(encoder, TransformerEncoder):
        raise InvalidInputError(
            f"expected a TransformerEncoder, whose weights can be trained, got {type(encoder).__name__}; "
            "open one with load_encoder, or train a head over it with tune_head"
        )
    if method not in {"full", "lora"}:
        raise InvalidInputError(f'expected the method "full" or "lora", got {method!r}')
    problem = pose(texts, labels_or_targets, label_texts, side_tasks, groups, plan.random_state)

    def learner(posed: Problem) -> TransformerLearner:
        return TransformerLearner(encoder, posed.texts, method, trained_layers)

    run = {"encoder": encoder.fingerprint, "method": method, "trained_layers": trained_layers}
    fitted, values, report = fit_guarded(problem, learner, plan, checkpoints, run, share=_SHARE_OF_TRAINED)
    return (fitted.encoder(values) if report.is_improved else encoder), report
