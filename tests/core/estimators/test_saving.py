from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop_samples import product
from zeroshot_core import Item, ZeroShotRegressor
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError
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
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = names(folder)
    with monkeypatch.context() as patch:
        patch.setattr(saving, "write_json", fail)
        with pytest.raises(
            ArtifactError, match=r"cannot be saved in .*: no space left on device; free some space"
        ):
            curve.save(folder, overwrite=True)

    assert names(folder) == before
    assert predictions(folder) == saved_small[1]
    curve.save(folder, overwrite=True)
    assert len(list(folder.iterdir())) == 3


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of a given size, where this user may make one."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file that leaves no space on its disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount")
def test_a_full_disk_leaves_the_old_model_and_no_rubbish(
    tmp_path: Path, saved_small: tuple[Path, list[float]], curve: ZeroShotRegressor
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        folder = Path(shutil.copytree(saved_small[0], disk / "model"))
        before = names(folder)
        fill(disk / "filler")
        for spare in (0, 16_384, 100_000, 300_000):
            os.truncate(disk / "filler", (disk / "filler").stat().st_size - spare)
            full = shutil.disk_usage(disk).free < 400_000
            for place in (folder, disk / "new"):
                if full:
                    with pytest.raises(
                        ArtifactError,
                        match=r"cannot be saved in .*: no space left on device.*; free some space",
                    ):
                        curve.save(place, overwrite=True)
            assert names(folder) == before
            assert {path.name for path in disk.iterdir()} == {"model", "filler"}
        assert predictions(folder) == saved_small[1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become another user")
def test_a_folder_that_may_not_be_written_is_told(
    folder: Path, saved_small: tuple[Path, list[float]], curve: ZeroShotRegressor
) -> None:
    with tempfile.TemporaryDirectory() as root:
        model = Path(shutil.copytree(folder, Path(root, "model")))
        Path(root).chmod(0o755)
        hidden = Path(shutil.copytree(folder, Path(root, "hidden")))
        hidden.chmod(0)
        os.seteuid(65534)
        try:
            with pytest.raises(ArtifactError, match=r"hidden cannot be read: permission denied: .*; choose"):
                load_model(hidden)
            for place in (model, Path(root, "new")):
                with pytest.raises(
                    ArtifactError,
                    match=r"cannot be saved in .*: permission denied: .*; choose a folder that you may",
                ):
                    curve.save(place, overwrite=True)
        finally:
            os.seteuid(0)
        assert predictions(model) == saved_small[1]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_of_a_model_and_other_things_is_never_touched(
    folder: Path, curve: ZeroShotRegressor
) -> None:
    for name in ("index-products.db", "encoder-tuned", "state-of-the-art", ".model-card", "index.db"):
        (folder / name).mkdir()
        (folder / name / "mine").write_text("precious")
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

        with pytest.raises(ArtifactError, match=rf"which holds other files \('{name}'\); move them away"):
            curve.save(folder, overwrite=True)

        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        shutil.rmtree(folder / name)


@pytest.mark.parametrize("name", ["index-products.db", "encoder-tuned", "state-1", ".model.txt"])
def test_a_folder_of_what_looks_like_a_model_is_never_touched(
    tmp_path: Path, curve: ZeroShotRegressor, name: str
) -> None:
    (tmp_path / name).write_text("precious")

    with pytest.raises(
        ArtifactError, match=r"expected a new or empty folder, got .*, which holds other files"
    ):
        curve.save(tmp_path, overwrite=True)

    assert names(tmp_path) == {name}


@pytest.mark.parametrize("name", [".model.json.tmp", ".state.tmp", ".zeroshot-draft", ".zeroshot-lock"])
def test_a_planted_link_is_not_followed(
    folder: Path, tmp_path: Path, curve: ZeroShotRegressor, name: str
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "mine").write_text("precious")
    target = tmp_path / "victim" / ("mine" if name in (".model.json.tmp", ".zeroshot-lock") else "")
    (folder / name).symlink_to(target)
    before = (folder / "model.json").read_bytes()

    with pytest.raises(ArtifactError, match=rf"which holds other files \('\{name}'\)"):
        curve.save(folder, overwrite=True)

    assert (tmp_path / "victim" / "mine").read_text() == "precious"
    assert (folder / "model.json").read_bytes() == before


def test_what_belongs_to_a_damaged_model_is_not_guessed(folder: Path, curve: ZeroShotRegressor) -> None:
    (folder / "model.json").write_text("{")
    before = names(folder)

    with pytest.raises(ArtifactError, match=r"does not say what belongs to it .*; empty the folder yourself"):
        curve.save(folder, overwrite=True)

    assert names(folder) == before


def test_a_model_that_is_saved_elsewhere_takes_a_copy_of_an_index_that_lies_with_another(
    folder: Path, saved_small: tuple[Path, list[float]], tmp_path: Path, curve: ZeroShotRegressor
) -> None:
    model = load_model(folder)
    model.save(tmp_path / "copy")
    model.close()

    curve.save(folder, overwrite=True)

    assert predictions(tmp_path / "copy") == saved_small[1]
    assert manifest(tmp_path / "copy")["index"]["uri"] in names(tmp_path / "copy")


def test_an_index_that_a_model_beside_uses_is_not_removed(tmp_path: Path, curve: ZeroShotRegressor) -> None:
    uri = str(tmp_path / "first" / "index.db")
    first = fitted(uri)
    (tmp_path / "second").mkdir()
    first.save(tmp_path / "second")
    first.save(tmp_path / "first")
    expected = first.predict(TEXTS).tolist()
    first.close()

    with pytest.raises(ArtifactError, match=r"got .*index\.db, which the model in .*second uses too"):
        curve.save(tmp_path / "first", overwrite=True)
    again = fitted(uri, y=Y[::-1])
    again.save(tmp_path / "first", overwrite=True)
    again.close()

    assert predictions(tmp_path / "second") == expected


def test_an_index_that_holds_more_than_the_model_is_not_removed(
    tmp_path: Path, curve: ZeroShotRegressor
) -> None:
    uri = str(tmp_path / "model" / "index-products.db")
    with VectorIndex.connect(uri, name="catalogue") as index:
        index.activate(index.build([Item(id="1", text="red wine")], HashEncoder(32)))
    model = fitted(uri)
    model.save(tmp_path / "model")
    model.close()
    before = names(tmp_path / "model")

    with pytest.raises(
        ArtifactError, match=r"got .*index-products\.db, which holds catalogue_v\w+ too; move"
    ):
        curve.save(tmp_path / "model", overwrite=True)

    assert names(tmp_path / "model") == before
    with VectorIndex.connect(uri, name="catalogue") as index:
        assert index.open(fingerprint=HashEncoder(32).fingerprint).count() == 1


# Saves into a folder, and waits before the manifest is replaced until it is told to go on.
SAVE = """
import sys
from pathlib import Path
from zeroshot_core import ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
replace = Path.replace
def wait(path, target):
    if path.parent.name == ".zeroshot-draft" and Path(target).parent.name != ".zeroshot-draft":
        print("ready", flush=True)
        sys.stdin.readline()
    return replace(path, target)
Path.replace = wait
texts = [f"number {n} of the list" for n in range(8)]
ZeroShotRegressor(HashEncoder(16), top_k=3).fit(texts, list(range(8))).save(sys.argv[1], overwrite=True)
"""


def saving_process(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_only_one_process_saves_into_a_folder_and_the_other_is_told_which(
    folder: Path, saved_small: tuple[Path, list[float]], curve: ZeroShotRegressor
) -> None:
    process = saving_process(folder)

    with pytest.raises(
        ArtifactError,
        match=rf"process {process.pid} on .* is saving a model into .*; save again when that has",
    ):
        curve.save(folder, overwrite=True)
    assert predictions(folder) == saved_small[1]

    process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    assert len(names(folder)) == 3
    assert predictions(folder) != saved_small[1]


def test_a_save_that_was_killed_leaves_the_old_model_and_the_next_one_tidies_up(
    folder: Path, saved_small: tuple[Path, list[float]], curve: ZeroShotRegressor
) -> None:
    process = saving_process(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert names(folder) > {"model.json", ".zeroshot-draft", ".zeroshot-lock"}

    assert predictions(folder) == saved_small[1]
    curve.save(folder, overwrite=True)

    kept = manifest(folder)
    assert names(folder) == {"model.json", kept["state"], kept["index"]["uri"]}


def test_threads_that_save_into_one_folder_take_turns_or_are_told(
    tmp_path: Path, curve: ZeroShotRegressor
) -> None:
    told: list[str] = []

    def save() -> None:
        try:
            curve.save(tmp_path / "model", overwrite=True)
        except ArtifactError as error:
            told.append(str(error))

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) < 4
    assert all("is saving a model into" in sentence for sentence in told)
    assert predictions(tmp_path / "model") == curve.predict(TEXTS).tolist()
    assert len(names(tmp_path / "model")) == 3


def test_notes_that_json_cannot_hold_are_refused(tmp_path: Path, curve: ZeroShotRegressor) -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected extra as notes that JSON can hold, got \{'when': "
    ):
        curve.save(tmp_path / "model", extra={"when": {1, 2}})
    assert not (tmp_path / "model").exists()


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
        (damage("state-*/config.json"), r"config\.json is damaged: its checksum differs"),
        (remove("state-*/config.json"), r"config\.json, which is missing; save the model again"),
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
            lambda folder: rewrite(folder, format_version=3),
            "expected format version 1 or 2, got 3; save the model",
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
