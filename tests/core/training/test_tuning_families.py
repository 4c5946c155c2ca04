"""BERT, GPT and T5: training upper layers from states computed once, with low-rank changes, in parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import zeroshot_core.training.learners as learners
from small_models import LABELS, TEXTS, save_small_model
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training import TrainingPlan, tune_encoder
from zeroshot_core.training.learners import TransformerLearner
from zeroshot_core.training.steps import Step
from zeroshot_core.training.training_loop import descend

FAST = TrainingPlan(epochs=6, learning_rate=1e-3, batch_size=16)


@pytest.fixture(scope="module", params=["bert", "gpt", "t5"])
def encoder(request, tmp_path_factory):
    return load_encoder(save_small_model(tmp_path_factory.mktemp(request.param), request.param))


@pytest.mark.parametrize(
    ("method", "trained_layers"), [("full", None), ("full", 1), ("full", 2), ("lora", 2)]
)
def test_each_family_trains_saves_and_opens_with_the_same_vectors(encoder, tmp_path, method, trained_layers):
    plan = replace(FAST, learning_rate=3e-3) if method == "lora" else FAST
    tuned, report = tune_encoder(
        encoder, TEXTS, LABELS, method=method, trained_layers=trained_layers, plan=plan
    )
    assert report.is_improved, report.verdict
    assert tuned.fingerprint != encoder.fingerprint
    tuned.save(tmp_path / "tuned")
    opened = load_encoder(tmp_path / "tuned")
    assert opened.fingerprint == tuned.fingerprint
    np.testing.assert_allclose(opened.encode(TEXTS), tuned.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("trained_layers", [None, 1, 2, 9])
def test_vectors_from_kept_states_are_those_of_the_whole_model(encoder, trained_layers):
    learner = TransformerLearner(encoder, TEXTS, "full", trained_layers)
    rows = np.array([3, 41, 7])
    learner.set_training(False)
    with torch.no_grad():
        vectors = learner.vectors(rows).numpy()
    np.testing.assert_allclose(vectors, encoder.encode([TEXTS[row] for row in rows]), atol=1e-5)


def test_frozen_layers_keep_their_weights_and_run_once_for_each_text(encoder):
    learner = TransformerLearner(encoder, TEXTS, "full", 1)
    assert len(learner.parameters()) < len(list(encoder.model.parameters()))
    tuned, _ = tune_encoder(encoder, TEXTS, LABELS, trained_layers=1, plan=FAST)
    changed = [
        name
        for (name, old), new in zip(encoder.model.named_parameters(), tuned.model.parameters(), strict=True)
        if not torch.equal(old, new)
    ]
    assert changed
    assert all(".2." in name for name in changed), changed


def test_steps_in_parts_give_the_gradient_of_the_whole_step(encoder, monkeypatch):
    def gradient(tokens):
        monkeypatch.setattr(learners, "_STEP_TOKENS", tokens)
        learner = TransformerLearner(encoder, TEXTS, "full", 2)
        learner.set_training(False)
        rows = np.array([9, 2, 30, 31])
        step = Step(rows=rows, loss=lambda vectors: (vectors @ vectors.T)[0].square().sum())
        optimizer = torch.optim.SGD(learner.parameters().values(), lr=0.0)
        descend(learner, step, optimizer)
        n_parts = len(learner.parts(rows))
        return n_parts, torch.cat([p.grad.flatten() for p in learner.parameters().values()])

    (one, whole), (four, parts) = gradient(1000), gradient(4)
    assert (one, four) == (1, 4)
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-4)


def test_no_layer_at_all_is_refused(encoder):
    with pytest.raises(InvalidInputError, match="at least 1, got 0; None trains all layers"):
        tune_encoder(encoder, TEXTS, LABELS, trained_layers=0)
    with pytest.raises(InvalidInputError, match="expected method to be one of 'full', 'lora', got 'qlora'"):
        tune_encoder(encoder, TEXTS, LABELS, method="qlora")
