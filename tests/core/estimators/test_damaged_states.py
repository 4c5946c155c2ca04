"""A state that is not what its model wrote is told in one sentence, on opening or when it is first asked."""

from __future__ import annotations

import copy
import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_questions import answer_of
from zeroshot_core import ZeroShotClassifier, ZeroShotRanker, ZeroShotRegressor
from zeroshot_core.errors import InvalidInputError, ZeroShotError
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.saving import load_state, open_parts

FIXTURES = Path(__file__).parents[2] / "fixtures" / "saved_models"
CLASSES = {"regressor": ZeroShotRegressor, "classifier": ZeroShotClassifier, "ranker": ZeroShotRanker}
OTHERS = [None, True, -1, 1.5, float("nan"), 10**30, "other", [], [[]], [1], {}, {"a": 1}]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "dtype": lambda array: array.astype(np.float16),
    "shape": lambda array: array.reshape(-1)[:-1],
    "dimensions": lambda array: array[None],
    "empty": lambda array: array[:0],
    "negated": lambda array: ~array if array.dtype == np.bool_ else -array,
    "NaN": lambda array: np.full(array.shape, np.nan, array.dtype if array.dtype.kind == "f" else np.float32),
    "large": lambda array: np.full(array.shape, 100, array.dtype),
    "zeros": np.zeros_like,
}


def changed_arrays(state: ModelState) -> Iterator[tuple[str, ModelState]]:
    """States of which one array is missing or another; the changes take turns over the arrays."""
    kinds = cycle(CHANGES)
    for name, array in state.arrays.items():
        if re.match("(head|scale)-[1-9]", name):  # as those of the first head
            continue
        rest = {key: value for key, value in state.arrays.items() if key != name}
        yield f"{name}, dropped", replace(state, arrays=rest)
        for kind in islice(kinds, 2):
            yield f"{name}, {kind}", replace(state, arrays=rest | {name: CHANGES[kind](array)})


def changed_configs(state: ModelState) -> Iterator[tuple[str, ModelState]]:
    """States of which one entry of the configuration is missing or another, one level down too, in turns."""
    config, others = json.loads(json.dumps(state.config)), cycle(OTHERS)
    paths = [(key,) for key in config]
    paths += [(key, inner) for key, value in config.items() if isinstance(value, dict) for inner in value]
    paths += [(key, 0) for key, value in config.items() if isinstance(value, list) and value]
    for path in paths:
        dropped = copy.deepcopy(config)
        holder = dropped if len(path) == 1 else dropped[path[0]]
        del holder[path[-1]]
        yield f"{path}, dropped", replace(state, config=dropped)
        for other in islice(others, 3):
            changed = copy.deepcopy(config)
            holder = changed if len(path) == 1 else changed[path[0]]
            holder[path[-1]] = other
            yield f"{path}, {other}", replace(state, config=changed)


@pytest.mark.parametrize(
    "name", ["regressor_graph", "regressor_curves", "regressor_networks", "classifier_examples", "ranker"]
)
def test_a_state_that_is_another_gives_the_packages_error_or_an_answer(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.unpack_archive(FIXTURES / f"{name}.zip", folder)
    questions = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))[:1]
    state, parts = load_state(folder), open_parts(folder)
    raw, refusals = [], []
    with warnings.catch_warnings():
        # Numbers that are far too large, but numbers.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.filterwarnings("ignore", ".* mean no concept of the graph")
        for what, changed in (*changed_arrays(state), *changed_configs(state)):
            try:
                model = CLASSES[state.kind]._restored(changed, parts)
                for asked in questions:
                    answer_of(model, asked)
            except ZeroShotError as error:
                refusals.append(str(error))
            except Exception as error:
                raw.append(f"{what}: {error!r}"[:300])
    parts.model_index.close()

    assert not raw, "\n".join(raw)
    assert len(refusals) > len(state.arrays)
    assert not [words for words in refusals if "\n" in words]


@pytest.mark.parametrize(
    ("ends", "columns"),
    [
        ([0, 10**6, -5], [0, 1]),
        ([0, 2, 1], [0, 1]),
        ([1, 1, 2], [0, 1]),
        ([0, 1, 3], [0, 1]),
        ([0, 1, 2], [0, 3]),
        ([0, 1, 2], [-1, 0]),
    ],
)
def test_a_matrix_that_leads_out_of_its_arrays_is_refused(ends: list[int], columns: list[int]) -> None:
    arrays = {
        "near.data": np.ones(2),
        "near.indices": np.array(columns, dtype=np.int32),
        "near.indptr": np.array(ends, dtype=np.int32),
        "near.shape": np.array([2, 3]),
    }
    state = ModelState(kind="ranker", config={}, arrays=arrays)

    with pytest.raises(InvalidInputError, match=r"expected a matrix 'near' of shape \(2, 3\), got one that"):
        state.matrix("near", np.float64, (2, 3))
