"""A head tuned on few translations: what it keeps never costs names that it has not seen."""

from dataclasses import replace

import numpy as np
import pytest
from zeroshot_core import load_encoder
from zeroshot_core.datasets import load_emoji_names
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.cross_lingual import recall_of
from zeroshot_core.training import tune_head
from zeroshot_core.training.tuner import HEAD_PLAN

N_PAIRS, N_ASKED = 50, 600


@pytest.fixture(scope="module")
def encoder():
    return RememberingEncoder(load_encoder("use-multilingual"))


@pytest.mark.parametrize("seed", range(5))
def test_a_head_tuned_on_fifty_pairs_loses_less_than_a_point_on_other_names(encoder, seed):
    names = load_emoji_names(["de"]).names
    both = list(dict.fromkeys(zip(names["de"], names["en"], strict=True)))
    order = np.random.default_rng(seed).permutation(len(both))
    pairs = [both[row] for row in order[:N_PAIRS]]
    asked = [both[row] for row in order[N_PAIRS : N_PAIRS + N_ASKED]]
    label_of = {text: str(number) for number, pair in enumerate(pairs) for text in pair}
    head, _ = tune_head(
        encoder, list(label_of), list(label_of.values()), plan=replace(HEAD_PLAN, random_state=seed)
    )

    def found(reader):
        queries = reader.encode([german for german, _ in asked], role="query")
        return recall_of(queries, reader.encode([english for _, english in asked]), np.arange(N_ASKED)).at_1

    assert found(head) > found(encoder) - 0.01
