from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop_samples import product
from zeroshot_core import Item, ZeroShotRegressor
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError
from zeroshot_core.estimators import saving
from zeroshot_core.index import VectorIndex
from zeroshot_core.prediction import load_model

TEXTS = [f"{colour} {thing}" for colour in ("red", "green") for thing in ("wine", "soap", "socks", "tea")]
Y = [3.0, 9.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
LOAD = """
import json, sys
from zeroshot_core import Item, load_model
items = [Item(**item) for item in json.loads(sys.argv[2])]
print(json.dumps(load_model(sys.argv[1]).predict(items).tolist()))
"""


def fitted(index: VectorIndex | str | None = None, y: list[float] = Y) -> ZeroShotRegressor:
    return ZeroShotRegressor(HashEncoder(32), index=index, top_k=3).fit(TEXTS, y)


@pytest.fixture(scope="module")
def saved_small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A folder to copy and to damage, and what its model predicts."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = fitted()
    model.save(folder)
    forecast = model.predict(TEXTS).tolist()
    model.close()
    return folder, forecast


@pytest.fixture
def folder(saved_small: tuple[Path, list[float]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved_small[0], tmp_path / "model"))


def predictions(folder: Path, **options: Any) -> list[float]:
    model = load_model(folder, **options)
    try:
        return model.predict(TEXTS).tolist()
    finally:
        model.close()


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text()))


def rewrite(folder: Path, **entries: Any) -> None:
    (folder / "model.json").write_text(json.dumps({**manifest(folder), **entries}))


def test_a_loaded_model_tells_the_same(shop: ZeroShotRegressor, saved_shop: Path) -> None:
    items = [product(kind, "Veneto", "medium") for kind in ("red wine", "rose wine")] + ["cat food"]
    loaded = ZeroShotRegressor.load(saved_shop)

    np.testing.assert_array_equal(loaded.predict(items), shop.predict(items))
    np.testing.assert_array_equal(loaded.predict_interval(items, 0.7), shop.predict_interval(items, 0.7))
    np.testing.assert_array_equal(loaded.predict_quantile(items, 0.3), shop.predict_quantile(items, 0.3))
    assert loaded.explain(items) == shop.explain(items)
    kept = ("top_k", "n_hops", "graph_weight", "target", "random_state")
    assert [loaded.get_params()[name] for name in kept] == [shop.get_params()[name] for name in kept]
    assert loaded.graph == shop.graph
    assert loaded.saved_extra_ == {"unit": "packs"}
    loaded.close()


def test_another_process_loads_it_while_this_one_holds_the_temporary_index(
    shop: ZeroShotRegressor, saved_shop: Path
) -> None:
    asked = [{"id": "new", "text": "small pack of red wine", "concepts": ["kind:red wine"]}]

    told = subprocess.run(
        [sys.executable, "-c", LOAD, str(saved_shop), json.dumps(asked)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    expected = shop.predict([Item(**asked[0])])  # type: ignore[arg-type]
    assert json.loads(told.stdout) == expected.tolist()


def test_a_curve_comes_back_as_a_curve(curve: ZeroShotRegressor, tmp_path: Path) -> None:
    curve.save(tmp_path / "curve")
    loaded = ZeroShotRegressor.load(tmp_path / "curve")

    np.testing.assert_array_equal(loaded.predict_interval(TEXTS), curve.predict_interval(TEXTS))
    assert loaded.explain(TEXTS[:2]) == curve.explain(TEXTS[:2])
    loaded.close()


def test_a_folder_with_its_index_can_be_moved(tmp_path: Path) -> None:
    model = fitted(str(tmp_path / "model" / "index.db"))
    model.save(tmp_path / "model")
    expected = model.predict(TEXTS).tolist()
    model.close()

    (tmp_path / "model").rename(tmp_path / "elsewhere")

    assert predictions(tmp_path / "elsewhere") == expected


def test_an_index_of_its_own_stays_where_it_is_and_is_told_when_it_moves(tmp_path: Path) -> None:
    with VectorIndex.connect(str(tmp_path / "own.db"), name="shop") as index:
        model = fitted(index)
        expected = model.predict(TEXTS).tolist()
        model.save(tmp_path / "model")

    assert [path.name for path in (tmp_path / "model").glob("index*")] == []
    assert predictions(tmp_path / "model") == expected
    (tmp_path / "own.db").rename(tmp_path / "moved.db")
    assert predictions(tmp_path / "model", uri=str(tmp_path / "moved.db")) == expected


def test_a_model_is_not_replaced_unasked(folder: Path, shop: ZeroShotRegressor) -> None:
    before = manifest(folder)

    with pytest.raises(ArtifactError, match=r"which holds a model; use overwrite=True to replace it"):
        shop.save(folder)

    assert manifest(folder) == before


def test_a_folder_of_other_files_is_never_touched(tmp_path: Path, shop: ZeroShotRegressor) -> None:
    (tmp_path / "thesis.tex").write_text("precious")

    with pytest.raises(
        ArtifactError, match=r"expected a new or empty folder, got .*, which holds other files"
    ):
        shop.save(tmp_path, overwrite=True)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_replaces_a_model_leaves_nothing_of_it(folder: Path, curve: ZeroShotRegressor) -> None:
    curve.save(folder, overwrite=True)

    kept = manifest(folder)
    assert {path.name for path in folder.iterdir()} == {"model.json", kept["state"], kept["index"]["uri"]}
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.predict(TEXTS), curve.predict(TEXTS))
    loaded.close()


def test_a_save_that_fails_at_its_end_leaves_the_old_model_whole(
    folder: Path,
    saved_small: tuple[Path, list[float]],
    curve: ZeroShotRegressor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "write_json", fail)
        with pytest.raises(OSError, match="no space left"):
            curve.save(folder, overwrite=True)

    assert predictions(folder) == saved_small[1]
    curve.save(folder, overwrite=True)
    assert len(list(folder.iterdir())) == 3


def test_versions_that_served_before_are_dropped_from_the_folders_own_index(tmp_path: Path) -> None:
    with VectorIndex.connect(str(tmp_path / "model" / "index.db")) as index:
        for n in range(3):
            model = ZeroShotRegressor(HashEncoder(32), index=index, top_k=3).fit(
                [*TEXTS, f"new {n}"], [*Y, n]
            )
            model.save(tmp_path / "model", overwrite=True)

        assert [version.id for version in index.versions()] == [
            manifest(tmp_path / "model")["index"]["version"]
        ]
        assert index.live is not None
    assert len(list((tmp_path / "model").glob("state-*"))) == 1


def test_versions_of_an_index_elsewhere_are_left_alone(tmp_path: Path) -> None:
    with VectorIndex.connect(str(tmp_path / "shared.db")) as index:
        others = index.build([product("egg pasta", "Umbria", "small", linked=False)], HashEncoder(32))
        fitted(index).save(tmp_path / "model")

        assert others in [version.id for version in index.versions()]


def damage(pattern: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = next(folder.glob(pattern))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return act


def remove(pattern: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = next(folder.glob(pattern))
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return act


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damage("state-*/arrays.safetensors"), r"arrays\.safetensors is damaged: its checksum differs; save"),
        (damage("state-*/head-0-0.skops"), r"head-0-0\.skops is damaged: its checksum differs"),
        (damage("state-*/config.json"), r"config\.json is damaged: its checksum differs"),
        (remove("state-*/scale-0.skops"), r"scale-0\.skops, which is missing; save the model again"),
        (remove("state-*"), "which is missing; save the model again"),
        (remove("index*"), r"expected .*index-\w+\.db, which is missing; save the model again"),
        (remove("model.json"), r"but model\.json is missing; fit a model and save it there"),
        (lambda folder: (folder / "model.json").write_text('{"kind'), r"model\.json is damaged"),
        (lambda folder: (folder / "model.json").write_text("[]"), r"model\.json is damaged"),
        (lambda folder: (folder / "model.json").write_text("{}"), r"model\.json is damaged"),
        (
            lambda folder: (folder / "model.json").write_text('{"format_version": 1}'),
            "it lacks checksums, encoder, extra, index, kind, state; save the model again",
        ),
        (
            lambda folder: rewrite(folder, format_version=2),
            "expected format version 1, got 2; save the model",
        ),
        (shutil.rmtree, "but there is no such folder"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(
    folder: Path, harm: Callable[[Path], None], message: str
) -> None:
    harm(folder)

    with pytest.raises(ArtifactError, match=message):
        load_model(folder)


def test_a_classifier_is_no_regressor(folder: Path) -> None:
    rewrite(folder, kind="classifier")

    with pytest.raises(ArtifactError, match="expected a saved regressor, got a classifier; open it with"):
        ZeroShotRegressor.load(folder)


def test_foreign_code_is_not_loaded(folder: Path) -> None:
    import skops.io

    path = next(folder.glob("state-*/scale-0.skops"))
    skops.io.dump(subprocess.Popen, path)
    told = manifest(folder)
    rewrite(folder, checksums={**told["checksums"], path.name: saving._checksum(path)})

    with pytest.raises(ArtifactError, match=r"scale-0\.skops holds types that are not trusted: subprocess"):
        load_model(folder)


def test_an_index_without_the_models_version_is_told(folder: Path) -> None:
    told = manifest(folder)["index"]
    with VectorIndex.connect(str(folder / told["uri"])) as index:
        index.drop(told["version"])

    with pytest.raises(ArtifactError, match=r"no longer holds the model's version .* fit the model again"):
        load_model(folder)
    VectorIndex.connect(str(folder / told["uri"])).close()  # what failed holds nothing


def test_another_encoder_is_refused(folder: Path) -> None:
    with pytest.raises(FingerprintMismatchError, match="expected encoder 'hash' with fingerprint"):
        load_model(folder, encoder=HashEncoder(64))


def test_a_function_is_given_again_on_loading(tmp_path: Path) -> None:
    encoder = FunctionEncoder(HashEncoder(16).encode, name="service", dimension=16)
    model = ZeroShotRegressor(encoder, top_k=3).fit(TEXTS, Y)
    model.save(tmp_path / "model")

    with pytest.raises(ArtifactError, match=r"encoder 'service' is a function, .* give it as encoder="):
        load_model(tmp_path / "model")
    assert predictions(tmp_path / "model", encoder=encoder) == model.predict(TEXTS).tolist()
    model.close()
