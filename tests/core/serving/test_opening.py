from __future__ import annotations

import threading
from pathlib import Path

import pytest
from zeroshot_core import ArtifactError, InvalidInputError, NotFittedError, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.loading import open_encoder, open_model, open_retriever

TEXTS = [
    f"{colour} {thing}" for colour in ("red", "green", "blue") for thing in ("wine", "soap", "socks", "tea")
]


def fitted() -> ZeroShotRegressor:
    return ZeroShotRegressor(HashEncoder(32), top_k=3).fit(TEXTS, [float(len(text)) for text in TEXTS])


@pytest.fixture(scope="module")
def model() -> ZeroShotRegressor:
    return fitted()


@pytest.fixture(scope="module")
def folder(model: ZeroShotRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("opening") / "model"
    model.save(path)
    return path


def test_a_folder_is_loaded_once_however_it_is_written_and_whoever_asks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    threads = [threading.Thread(target=lambda: opened.append(open_model(folder))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.chdir(folder.parent)
    opened += [open_model("model"), open_model(str(folder))]
    assert len({id(model) for model in opened}) == 1


def test_a_model_that_was_saved_anew_is_loaded_anew(model: ZeroShotRegressor, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    first = open_model(tmp_path / "model")
    model.save(tmp_path / "model", overwrite=True)
    second = open_model(tmp_path / "model")
    assert second is not first
    assert second.predict(["red tea"]) == pytest.approx(model.predict(["red tea"]))


def test_what_is_loaded_comes_back_as_it_is(model: ZeroShotRegressor) -> None:
    encoder = HashEncoder(16)
    assert open_model(model) is model
    assert open_retriever(model) is model.retriever_
    assert open_retriever(model.retriever_) is model.retriever_
    assert open_encoder(model) is model.encoder_
    assert open_encoder(model.retriever_) is model.encoder_
    assert open_encoder(encoder) is encoder


def test_a_folder_gives_its_retriever_and_encoder(folder: Path) -> None:
    assert open_retriever(folder).retrieve(["red tea"], top_k=1)[0][0].text == "red tea"
    assert open_encoder(folder).fingerprint == HashEncoder(32).fingerprint


def test_a_name_opens_one_encoder() -> None:
    assert open_encoder("all-MiniLM-L6-v2") is open_encoder("all-MiniLM-L6-v2")


def test_what_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected a saved model in"):
        open_model(tmp_path)
    with pytest.raises(InvalidInputError, match=r"expected the folder of a saved model, .* got int"):
        open_model(3)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError, match="expected a fitted ZeroShotRegressor"):
        open_retriever(ZeroShotRegressor(HashEncoder(32)))
