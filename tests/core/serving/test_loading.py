"""Saved models open as the kind that they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ranker_samples import clinic_graph
from zeroshot_core import NoveltyDetector, ZeroShotClassifier, ZeroShotRanker, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ArtifactError
from zeroshot_core.estimators.base import SavedModel
from zeroshot_core.serving.loading import load_model, open_encoder, open_model, open_retriever

TEXTS = [
    f"{colour} {thing}" for colour in ("red", "green", "blue") for thing in ("wine", "tea", "soap", "hats")
]


def regressor() -> ZeroShotRegressor:
    return ZeroShotRegressor(HashEncoder(32), top_k=2).fit(TEXTS, [float(len(text)) for text in TEXTS])


def classifier() -> ZeroShotClassifier:
    return ZeroShotClassifier(HashEncoder(32)).fit(labels=["wine", "soap", "tea"])


def ranker() -> ZeroShotRanker:
    return ZeroShotRanker(HashEncoder(32), clinic_graph()).fit()


def detector() -> NoveltyDetector:
    return NoveltyDetector(HashEncoder(32)).fit(TEXTS)


@pytest.mark.parametrize("make", [regressor, classifier, ranker, detector])
def test_each_kind_opens_as_what_it_was(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    model.save(tmp_path / "model")
    expected = model.predict(TEXTS).tolist()
    model.close()

    assert type(model) is SavedModel.kinds[model._kind]
    for again in (load_model(str(tmp_path / "model")), open_model(tmp_path / "model")):
        with closing(again):
            assert type(again) is type(model)
            assert again.predict(TEXTS).tolist() == pytest.approx(expected)
            assert open_retriever(again) is again.retriever_
            assert open_encoder(again) is again.encoder_


def test_a_kind_of_ones_own_opens_too(tmp_path: Path) -> None:
    class LoudDetector(NoveltyDetector):
        _kind = "loud detector"

    try:
        model = LoudDetector(HashEncoder(32)).fit(TEXTS)
        model.save(tmp_path / "model")
        model.close()
        with closing(load_model(tmp_path / "model")) as again:
            assert type(again) is LoudDetector
    finally:
        del SavedModel.kinds["loud detector"]


def test_another_kind_is_refused(tmp_path: Path) -> None:
    model = detector()
    model.save(tmp_path / "model")
    model.close()
    manifest = tmp_path / "model" / "model.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "kind": "oracle"}))
    with pytest.raises(
        ArtifactError, match="expected kind regressor, classifier, ranker, detector, retriever, got"
    ):
        load_model(tmp_path / "model")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected a saved model in"):
        load_model(tmp_path)
