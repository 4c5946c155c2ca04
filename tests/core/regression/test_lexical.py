"""Words and characters of a text forecast what its vector may lose, as seen from outside an item's fold."""

from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.regression.lexical import LexicalTable, written_numbers

RNG = np.random.default_rng(0)
SEATS = RNG.integers(1, 6, 300)
TEXTS = [f"{seats}-seat sofa in {RNG.choice(['grey', 'blue', 'red'])}" for seats in SEATS]
TARGETS = SEATS.astype(float)
NEW = ["2-seat sofa in grey", "5-seat sofa in blue"]


@pytest.fixture(scope="module")
def table() -> LexicalTable:
    return LexicalTable.learn(TEXTS, TARGETS)[0]


def forecasts(table: LexicalTable, texts: list[str]) -> np.ndarray:
    return table.forecasts(table.rows(texts), np.zeros(len(texts), dtype=np.int64))


def test_what_one_character_changes_is_told_apart(table: LexicalTable) -> None:
    assert forecasts(table, NEW)[:, 0] == pytest.approx([2, 5], abs=0.3)


def test_stronger_ridges_forecast_nearer_to_the_mean(table: LexicalTable) -> None:
    weak, strong = np.abs(forecasts(table, NEW) - TARGETS.mean()).T
    assert (strong < weak).all()


@pytest.mark.parametrize("text", ["", "????", "Ω" * 5000])
def test_a_text_of_nothing_known_is_forecast_by_what_is_common(table: LexicalTable, text: str) -> None:
    assert np.isfinite(forecasts(table, [text])).all()


def test_other_scripts_are_read(table: LexicalTable) -> None:
    words = ["红色 沙发", "蓝色 桌子"]
    chinese, _ = LexicalTable.learn(words * 20, np.array([1.0, 3.0] * 20))
    assert forecasts(chinese, words)[:, 0] == pytest.approx([1, 3], abs=0.2)


def test_no_text_and_texts_without_anything_in_common_forecast_the_mean(table: LexicalTable) -> None:
    assert forecasts(table, []).shape == (0, 2)
    lone, _ = LexicalTable.learn(["aa", "bb", "cc"], np.array([1.0, 2.0, 6.0]))
    assert forecasts(lone, ["aa"]) == pytest.approx(3.0)


def test_an_item_s_own_target_is_not_read_from_outside_its_fold(table: LexicalTable) -> None:
    rows, folds = table.rows(TEXTS), np.arange(300) % 10
    moved = np.where(folds == 3, 100.0, TARGETS)
    before, after = (
        table.out_of_fold(rows, targets, folds).forecasts(rows, folds) for targets in (TARGETS, moved)
    )
    assert before[folds == 3] == pytest.approx(after[folds == 3])
    assert (np.abs(before - after)[folds == 4] > 1).all()
    assert before[:, 0] == pytest.approx(TARGETS, abs=0.5)


def saved(table: LexicalTable, **changes: object) -> ModelState:
    return ModelState(kind="regressor", config={}, arrays={**table.arrays(), **changes})


def test_what_is_saved_forecasts_the_same_and_a_model_without_has_none(table: LexicalTable) -> None:
    restored = LexicalTable.restored(saved(table))
    assert restored is not None
    assert forecasts(restored, NEW).tolist() == forecasts(table, NEW).tolist()
    assert LexicalTable.restored(ModelState(kind="regressor", config={}, arrays={})) is None


@pytest.mark.parametrize("damage", ["falling", "far", "short", "nan"])
def test_a_damaged_table_is_refused(table: LexicalTable, damage: str) -> None:
    known = table.known
    changes = {
        "falling": {"lexical.known": known[::-1].copy()},
        "far": {"lexical.known": np.append(known[:-1], 2**40)},
        "short": {"lexical.rarity": table.rarity[1:]},
        "nan": {"lexical.weights": np.full((2, len(known)), np.nan)},
    }[damage]
    with pytest.raises(InvalidInputError):
        LexicalTable.restored(saved(table, **changes))


def test_numbers_in_a_text_are_read_with_what_they_come_to() -> None:
    sizes, none, code = written_numbers(["Table, 120x2,5 cm", "Chair", "no 12345678901234567890"])
    assert sizes == pytest.approx([120, 2.5, 0, 120, np.log(300), 2])
    assert none.tolist() == code.tolist() == [0.0] * 6
    assert written_numbers([]).shape == (0, 6)
