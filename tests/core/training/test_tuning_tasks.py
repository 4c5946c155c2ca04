"""Label texts, graph constraints, side tasks, groups, checkpoints and budgets of tuning."""

import numpy as np
import pytest
import torch
from small_models import FRUIT, LABELS, PLACES, TEXTS, TOOLS, save_small_model
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.training import (
    Constraints,
    SideExamples,
    TrainingPlan,
    graph_constraints,
    pseudo_labels,
    self_train,
    training_loop,
    tune_encoder,
)
from zeroshot_core.training.checkpoints import Checkpoints
from zeroshot_core.training.examples import check_examples, with_label_texts
from zeroshot_core.training.guard import spread
from zeroshot_core.training.training_loop import descend
from zeroshot_core.training.tuner import TuningTask
from zeroshot_core.types import Concept, Relation

FAST = TrainingPlan(epochs=4, learning_rate=3e-3, batch_size=16)
NAMES = {"fruit": "fruit", "tool": ("tool",)}
GRAPH = KnowledgeGraph(
    [Concept(id=name, name=name, type="thing") for name in (*FRUIT, *TOOLS)]
    + [Concept(id=name, name=name, type="kind") for name in ("fruit", "tool")],
    [Relation(head=name, type="is_a", tail="fruit") for name in FRUIT]
    + [Relation(head=name, type="is_a", tail="tool") for name in TOOLS],
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(save_small_model(tmp_path_factory.mktemp("bert"), "bert"))


def test_texts_come_near_the_texts_of_their_labels(encoder):
    def margin(model):
        own, other = model.encode(LABELS), model.encode(["tool" if x == "fruit" else "fruit" for x in LABELS])
        return float(((own - other) * model.encode(TEXTS)).sum(axis=1).mean())

    tuned, report = tune_encoder(encoder, TEXTS, LABELS, label_texts=NAMES, plan=FAST)
    assert report.is_improved
    assert margin(tuned) > margin(encoder) + 0.03


def test_label_texts_count_as_neither_examples_nor_held_out():
    examples = with_label_texts(check_examples(TEXTS, LABELS), NAMES | {"ghost": "ghost"})
    assert examples.texts[50:] == ["fruit", "tool"]
    task = TuningTask.of(TEXTS, LABELS, label_texts=NAMES, plan=FAST)
    assert not task.held_out[50:].any()
    assert task.held_out.sum() == 10


def test_a_label_with_one_example_has_its_text_for_company(encoder):
    texts, labels = [*TEXTS[:25], TEXTS[40]], [*LABELS[:25], "tool"]
    _, report = tune_encoder(encoder, texts, labels, label_texts=NAMES, plan=FAST)
    assert report.n_training + report.n_held_out == 26


def test_with_few_labels_nothing_is_said_of_unseen_ones(encoder):
    _, report = tune_encoder(encoder, TEXTS, LABELS, plan=TrainingPlan(epochs=1))
    assert report.unseen_scores is None
    things = [text.split()[0] for text in TEXTS]
    _, report = tune_encoder(encoder, TEXTS, things, plan=TrainingPlan(epochs=1))
    before, after = report.unseen_scores
    assert 0 < before <= 1
    assert 0 < after <= 1


def test_relations_bring_heads_nearer_to_their_tails_than_to_the_others(encoder):
    constraints = graph_constraints(GRAPH, n_negatives=2, weight=2.0)
    assert constraints.positives[0] == "fruit"
    assert "tool" in constraints.negatives[0]

    def margin(model):
        heads, tails = model.encode(FRUIT + TOOLS), model.encode(["fruit"] * 5 + ["tool"] * 5)
        return float((heads * (tails - tails[::-1])).sum(axis=1).mean())

    tuned, report = tune_encoder(encoder, TEXTS, LABELS, side_tasks=[constraints], plan=FAST)
    assert report.is_improved
    assert margin(tuned) > margin(encoder) + 0.3


def test_siblings_of_the_tail_are_its_first_negatives():
    shelf = Concept(id="shelf", name="shelf", type="place")
    graph = KnowledgeGraph(
        [*GRAPH.concepts.values(), shelf, Concept(id="all", name="all", type="kind")],
        [
            *GRAPH.relations,
            Relation(head="fruit", type="is_a", tail="all"),
            Relation(head="tool", type="is_a", tail="all"),
        ],
    )
    found = graph_constraints(graph, n_negatives=1)
    by_anchor = dict(zip(found.anchors, found.negatives, strict=True))
    assert by_anchor["apple"] == ("tool",)
    assert by_anchor["saw"] == ("fruit",)


def test_several_tasks_share_each_step_and_each_text_of_it(encoder):
    seen = []
    hook = encoder.model[0].register_forward_pre_hook(
        lambda _, args: seen.append(len(args[0]["input_ids"])) if torch.is_grad_enabled() else None
    )
    places = SideExamples(texts=TEXTS, labels_or_targets=[text.split()[-1] for text in TEXTS], weight=0.1)
    triples = Constraints(anchors=("apple",), positives=("pear",), negatives=(("saw", "file"),))
    try:
        tune_encoder(
            encoder, TEXTS, LABELS, side_tasks=[places, triples], plan=TrainingPlan(epochs=1, batch_size=50)
        )
    finally:
        hook.remove()
    # All 50 texts and the four of the triple; those of both tasks once.
    assert seen[0] == 54


def test_whole_groups_are_held_out():
    groups = [text.split()[-1] for text in TEXTS]
    prices = np.arange(50.0)
    task = TuningTask.of(TEXTS, prices, groups=groups, plan=FAST)
    held = {group for group, flag in zip(groups, task.held_out, strict=True) if flag}
    assert len(held) == 1
    assert task.held_out.sum() == 10
    assert held <= set(PLACES)


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_end(encoder, tmp_path, monkeypatch):
    expected, report = tune_encoder(encoder, TEXTS, LABELS, plan=FAST, checkpoints=tmp_path / "whole")
    write, written = Checkpoints.write, []

    def dies(self, *args):
        write(self, *args)
        written.append(self)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            tune_encoder(encoder, TEXTS, LABELS, plan=FAST, checkpoints=tmp_path / "killed")
    steps = []
    monkeypatch.setattr(Checkpoints, "write", lambda self, *args: (steps.append(1), write(self, *args)))
    again, resumed = tune_encoder(encoder, TEXTS, LABELS, plan=FAST, checkpoints=tmp_path / "killed")
    # What was left of the guard's epochs, and one with all texts.
    assert len(steps) == len(report.losses) - 2 + 1
    assert resumed == report
    assert again.fingerprint == expected.fingerprint


def test_checkpoints_of_another_run_and_damaged_ones_are_refused(encoder, tmp_path):
    plan = TrainingPlan(epochs=1)
    tune_encoder(encoder, TEXTS, LABELS, plan=plan, checkpoints=tmp_path)
    with pytest.raises(InvalidInputError, match=r"checkpoint of this run .* got one of other texts, labels"):
        tune_encoder(encoder, TEXTS[1:], LABELS[1:], plan=plan, checkpoints=tmp_path)
    (tmp_path / "guard.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"guard.json is damaged"):
        tune_encoder(encoder, TEXTS, LABELS, plan=plan, checkpoints=tmp_path)


def test_a_budget_ends_an_epoch_after_one_step_at_least(encoder, monkeypatch):
    taken = []
    monkeypatch.setattr(training_loop, "descend", lambda *parts: taken.append(1) or descend(*parts))
    plan = TrainingPlan(epochs=50, learning_rate=1e-3, batch_size=8, budget_s=1e-3)
    _, report = tune_encoder(encoder, TEXTS, LABELS, plan=plan)
    assert len(report.losses) == 1
    # One before the guard and, if it kept the encoder, one with the held-out texts; an epoch has several.
    assert 1 <= len(taken) <= 2


def test_a_collapsed_encoder_is_not_kept(encoder):
    same = np.ones((4, 3), dtype=np.float32) / np.sqrt(3, dtype=np.float32)
    assert spread(same) == pytest.approx(0.0, abs=1e-6)
    assert spread(np.eye(3, dtype=np.float32)) == pytest.approx(1.0)
    # With a rate like this, all weights run away.
    tuned, report = tune_encoder(
        encoder, TEXTS, LABELS, plan=TrainingPlan(epochs=2, learning_rate=50.0, batch_size=16)
    )
    assert not report.is_improved
    assert report.verdict.startswith("base kept:")
    assert tuned is encoder


def test_guesses_are_balanced_and_training_on_them_is_judged(encoder, minilm):
    names = {"fruit": "a fruit", "tool": "a tool of a craftsman"}
    guesses = pseudo_labels(minilm, names, TEXTS)
    truth = dict(zip(TEXTS, LABELS, strict=True))
    right = [truth[text] == label for text, label in zip(guesses.texts, guesses.labels, strict=True)]
    assert np.mean(right) > 0.9
    assert 10 <= guesses.labels.count("fruit") <= 12
    assert guesses.labels.count("fruit") + guesses.labels.count("tool") == len(guesses.texts)
    _, report = self_train(encoder, {"fruit": FRUIT[:2], "tool": TOOLS[:2]}, TEXTS, plan=FAST)
    assert report.n_training + report.n_held_out <= 24 + 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constraints(anchors=(), positives=(), negatives=()), "at least 1 anchor, got 0"),
        (lambda: Constraints(anchors=("a",), positives=("b",), negatives=((),)), "got none for 'a'"),
        (
            lambda: Constraints(anchors=("a",), positives=("b",), negatives=(("c",),), weight=0),
            "expected weight as a number above 0, got 0",
        ),
        (lambda: graph_constraints(KnowledgeGraph([])), "got 0 relations"),
        (lambda: TrainingPlan(patience=0), "expected patience as a whole number of at least 1, got 0"),
        (lambda: with_label_texts(check_examples(["a", "b"], [1.0, 2.0]), NAMES), "got targets"),
        (
            lambda: with_label_texts(check_examples(["a", "b"], ["x", "y"]), NAMES),
            "expected texts of labels such as 'x'",
        ),
        (lambda: TuningTask.of(TEXTS, LABELS, groups=["one"] * 50, plan=FAST), "at least 2 groups"),
        (lambda: TuningTask.of(TEXTS, LABELS, groups=["one"], plan=FAST), "expected 50 groups, .* got 1"),
        (lambda: pseudo_labels(None, {"a": "a"}, TEXTS), "at least 2 labels"),
        (lambda: pseudo_labels(None, {"a": "a", "b": "b"}, TEXTS[:3]), "at least 8 distinct texts"),
    ],
)
def test_wrong_tasks_are_refused(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()
