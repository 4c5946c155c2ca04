"""Tuning a tiny BERT made on the fly: gain, guard, determinism, and what the base keeps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training import TrainingPlan, tune_encoder
from zeroshot_core.training.examples import check_examples

FRUIT = ["apple", "pear", "plum", "cherry", "grape"]
TOOLS = ["hammer", "saw", "drill", "wrench", "file"]
PLACES = ["north", "south", "east", "west", "middle"]
TEXTS = [f"{thing} from the {place}" for thing in FRUIT + TOOLS for place in PLACES]
LABELS = ["fruit" if text.split()[0] in FRUIT else "tool" for text in TEXTS]
FAST = TrainingPlan(epochs=4, learning_rate=2e-3, batch_size=16)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FRUIT, *TOOLS, *PLACES, "from", "the"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder)
    return load_encoder(folder)


@pytest.fixture(scope="module")
def tuned(encoder):
    return tune_encoder(encoder, TEXTS, LABELS, plan=FAST)


def test_held_out_texts_gain_and_the_report_says_so(encoder, tuned):
    better, report = tuned
    assert report.is_improved
    assert max(report.epoch_scores) > report.score + 0.1
    assert report.losses[-1] < report.losses[0]
    assert (report.n_training, report.n_held_out) == (40, 10)
    assert len(report.epoch_scores) == len(report.losses) == 4
    assert better.fingerprint != encoder.fingerprint


def test_training_stops_when_the_held_out_part_gains_no_more(encoder):
    # A quarter of the labels is wrong: late epochs learn these by heart.
    noisy = [LABELS[-1 - i] if i % 4 == 0 else label for i, label in enumerate(LABELS)]
    plan = TrainingPlan(epochs=30, learning_rate=1e-2, batch_size=16, patience=2)
    _, report = tune_encoder(encoder, TEXTS, noisy, plan=plan)
    assert len(report.epoch_scores) < 30
    assert max(report.epoch_scores[-2:]) <= max(report.epoch_scores[:-2])


def test_the_given_encoder_and_the_random_state_of_the_caller_stay_as_they_are(encoder):
    before = encoder.encode(TEXTS)
    modes = [module.training for module in encoder.model.modules()]
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    tune_encoder(encoder, TEXTS, LABELS, plan=TrainingPlan(epochs=1, learning_rate=1e-2))
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(encoder.encode(TEXTS), before)
    assert [module.training for module in encoder.model.modules()] == modes


def test_same_seed_same_encoder(encoder, tuned):
    again, report = tune_encoder(encoder, TEXTS, LABELS, plan=FAST)
    assert report == tuned[1]
    assert again.fingerprint == tuned[0].fingerprint
    other, _ = tune_encoder(encoder, TEXTS, LABELS, plan=replace(FAST, random_state=1))
    assert other.fingerprint != again.fingerprint


def test_same_seed_same_low_rank_changes_whatever_was_drawn_before(encoder):
    plan = TrainingPlan(epochs=1, learning_rate=1e-2, batch_size=16)
    states = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        states.append(tune_encoder(encoder, TEXTS, LABELS, method="lora", plan=plan))
        after = torch.rand(2)
        torch.manual_seed(seed)
        assert torch.equal(torch.rand(2), after)
    assert states[0][1] == states[1][1]
    assert states[0][0].fingerprint == states[1][0].fingerprint


def test_a_tuned_encoder_is_saved_and_opened_again(tuned, tmp_path):
    tuned[0].save(tmp_path / "tuned")
    opened = load_encoder(tmp_path / "tuned")
    assert opened.fingerprint == tuned[0].fingerprint
    np.testing.assert_allclose(opened.encode(TEXTS), tuned[0].encode(TEXTS), atol=1e-6)


def test_the_base_comes_back_where_the_held_out_part_does_not_gain(encoder):
    # Labels without any meaning: whatever training learns of them is of no use elsewhere.
    labels = np.random.default_rng(3).permutation(LABELS).tolist()
    same, report = tune_encoder(encoder, TEXTS, labels, plan=TrainingPlan(epochs=1, learning_rate=1e-9))
    assert not report.is_improved
    assert same is encoder


def test_near_targets_bring_texts_together(encoder):
    prices = np.array([1.0 + (LABELS[i] == "tool") * 8 + i % 5 * 0.1 for i in range(len(TEXTS))])
    _, report = tune_encoder(encoder, TEXTS, prices, plan=FAST)
    assert report.is_improved
    assert max(report.epoch_scores) > report.score + 0.2
    curves = np.column_stack([prices, 2 * prices])
    assert tune_encoder(encoder, TEXTS, curves, plan=TrainingPlan(epochs=1))[1].n_held_out == 10


def test_each_distinct_text_is_encoded_once_a_step(encoder):
    seen = []
    hook = encoder.model[0].register_forward_pre_hook(
        lambda _, args: seen.append(len(args[0]["input_ids"])) if torch.is_grad_enabled() else None
    )
    try:
        tune_encoder(encoder, TEXTS * 3, LABELS * 3, plan=replace(FAST, epochs=1))
    finally:
        hook.remove()
    # Three batches of the part that is learned from, four of all texts.
    assert seen == [16, 16, 8, 16, 16, 16, 2]


def test_progress_bar_counts_steps_and_is_silent_unless_asked(encoder, capsys):
    tune_encoder(encoder, TEXTS, LABELS, plan=TrainingPlan(epochs=1, batch_size=20))
    assert capsys.readouterr().err == ""
    tune_encoder(
        encoder,
        TEXTS,
        LABELS,
        plan=TrainingPlan(epochs=1, learning_rate=1e-9, batch_size=20, show_progress=True),
    )
    assert "2/2" in capsys.readouterr().err


def test_targets_of_a_repeated_text_are_averaged():
    examples = check_examples(["a", "b", "a"], [0.0, 3.0, 2.0])
    assert examples.texts == ["a", "b"]
    # Means 1 and 3: one standard deviation either side, in units of half a deviation.
    assert examples.values.ravel().tolist() == pytest.approx([-2.0, 2.0])


@pytest.mark.parametrize(
    ("texts", "values", "message"),
    [
        (["a", " "], ["x", "y"], "expected text 1 as a text that is not empty, got ' '; drop it"),
        ("ab", ["x", "y"], "expected texts as a list of texts, got one: 'ab'; wrap it in a list"),
        (["a", "b"], ["x"], "one label or target for each of 2 texts, got 1"),
        (["a", "b"], ["x", "x"], "at least 2 labels to tell apart"),
        (["a", "b"], ["x", 1], "labels that are all strings, got 1"),
        (["a", "b"], ["x", None], "labels that are all strings, got None"),
        (["a", "b", "a"], ["x", "y", "y"], "one label for each text, got 'x' and 'y' for 'a'"),
        (["a", "b"], [1.0, float("nan")], "expected finite targets"),
        (["a", "b"], [None, None], "expected finite targets"),
        (["a", "b"], [1.0, 1.0], "targets that vary"),
        (["a", "b"], ["x", "y"], "at least 8 distinct texts"),
    ],
)
def test_wrong_examples_are_refused(encoder, texts, values, message):
    with pytest.raises(InvalidInputError, match=message):
        tune_encoder(encoder, texts, values)


def test_wrong_settings_are_refused(encoder, hash_encoder):
    with pytest.raises(InvalidInputError, match="expected a TransformerEncoder"):
        tune_encoder(hash_encoder, TEXTS, LABELS)
    with pytest.raises(InvalidInputError, match="expected batch_size as a whole number of at least 2, got 1"):
        tune_encoder(encoder, TEXTS, LABELS, plan=TrainingPlan(batch_size=1))
