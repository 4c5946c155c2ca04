"""Models that the first code of this format saved open and answer as they did then."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from saved_questions import answer_of, check_answer
from zeroshot_core import (
    NoveltyDetector,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
    load_model,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* findings? mean no concept")

FIXTURES = Path(__file__).parents[2] / "fixtures" / "saved_models"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.zip"))
CLASSES = {
    "regressor": ZeroShotRegressor,
    "classifier": ZeroShotClassifier,
    "ranker": ZeroShotRanker,
    "detector": NoveltyDetector,
}


def test_every_kind_is_there():
    assert {name.split("_")[0] for name in NAMES} == CLASSES.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_saved_before_answers_as_it_did(name: str, tmp_path: Path):
    folder = tmp_path / "model"
    shutil.unpack_archive(FIXTURES / f"{name}.zip", folder)
    expected = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    kind = CLASSES[name.split("_")[0]]
    for load in (load_model, kind.load):
        with closing(load(folder)) as model:
            assert type(model) is kind
            assert expected
            for asked in expected:
                where, rtol = f"{name}.{asked['method']}", asked.get("rtol", 1e-6)
                check_answer(answer_of(model, asked), asked["answer"], where=where, rtol=rtol)
