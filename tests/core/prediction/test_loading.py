from __future__ import annotations

import json
from pathlib import Path

import pytest
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ArtifactError
from zeroshot_core.regression.regressor import ZeroShotRegressor
from zeroshot_core.serving.loading import load_model

TEXTS = ["red wine", "white wine", "cat food", "dog food", "green tea", "black tea"]


def test_each_kind_opens_as_what_it_was(tmp_path: Path) -> None:
    regressor = ZeroShotRegressor(HashEncoder(32), top_k=2).fit(TEXTS, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    classifier = ZeroShotClassifier(HashEncoder(32)).fit(labels=["wine", "food", "tea"])
    for name, model in (("numbers", regressor), ("labels", classifier)):
        model.save(tmp_path / name)
        again = load_model(tmp_path / name)
        assert type(again) is type(model)
    assert load_model(tmp_path / "numbers").predict(TEXTS) == pytest.approx(regressor.predict(TEXTS))
    assert load_model(str(tmp_path / "labels")).predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()


def test_another_kind_is_refused(tmp_path: Path) -> None:
    entries = {name: {} for name in ("encoder", "index", "extra", "state", "checksums")}
    (tmp_path / "model.json").write_text(json.dumps({"format_version": 1, "kind": "oracle", **entries}))
    with pytest.raises(ArtifactError, match=r"expected kind regressor, .*, got 'oracle'"):
        load_model(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected a saved model in"):
        load_model(tmp_path)
