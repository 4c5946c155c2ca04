"""Files of format version 1 are read as arrays: what they name is never called, made or trusted."""

from __future__ import annotations

import io
import json
import shutil
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from saved_questions import answer_of
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.preprocessing import QuantileTransformer
from zeroshot_core import load_model
from zeroshot_core.errors import ArtifactError
from zeroshot_core.estimators import saving
from zeroshot_core.estimators.skops_files import skops_arrays
from zeroshot_core.estimators.trees import Forest

FIXTURE = Path(__file__).parents[2] / "fixtures" / "saved_models" / "regressor_graph"
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((300, 5))
ROWS[RNG.random(ROWS.shape) < 0.1] = np.nan
TARGETS = np.nan_to_num(ROWS[:, 0]) + np.isnan(ROWS[:, 1])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of format version 1."""
    shutil.unpack_archive(FIXTURE.with_suffix(".zip"), tmp_path / "model")
    return tmp_path / "model"


def skops_file(folder: Path, name: str = "scale-0") -> Path:
    return next(folder.glob(f"state-*/{name}.skops"))


def sealed(folder: Path) -> None:
    """Make the checksums right again, so that nothing else stands in the way."""
    manifest = json.loads((folder / "model.json").read_text())
    for name in manifest["checksums"]:
        manifest["checksums"][name] = saving._checksum(folder / manifest["state"] / name)
    (folder / "model.json").write_text(json.dumps(manifest))


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def node(loader: str, type_: str, **rest: Any) -> dict[str, Any]:
    module, _, name = type_.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **rest}


def text(value: object) -> dict[str, Any]:
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def parts(kind: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    return node({"list": "ListNode", "tuple": "TupleNode"}[kind], f"builtins.{kind}", content=list(nodes))


def made(type_: str, *arguments: object) -> dict[str, Any]:
    """What skops makes by calling a type with arguments."""
    given = [argument if isinstance(argument, dict) else text(argument) for argument in arguments]
    return node("ReduceNode", type_, args=parts("tuple", *given), content=None)


def called(function: str, *arguments: object) -> dict[str, Any]:
    """What skops makes by calling a function of a module, wrapped as a partial one."""
    module, _, name = function.rpartition(".")
    given = [argument if isinstance(argument, dict) else text(argument) for argument in arguments]
    inner = node("FunctionNode", function, content={"module_path": module, "function": name})
    return node("PartialNode", "functools.partial", content={"func": inner, "args": parts("tuple", *given)})


CRAFTED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "a command": lambda mark: called("numpy.testing.runstring", f"open({str(mark)!r}, 'w')", {}),
    "native code": lambda mark: called("numpy.ctypeslib.load_library", "evil.so", str(mark.parent)),
    "a pickle": lambda mark: called("numpy.load", str(mark.parent / "evil.npy"), None, True),
    "a folder removed": lambda mark: called("sklearn.datasets.clear_data_home", str(mark.parent / "home")),
    "a destructor": lambda mark: made("numpy.lib.npyio.DataSource", str(mark.parent / "home")),
    "a file overwritten": lambda mark: made("numpy.memmap", str(mark.parent / "kept.txt"), "u1", "w+", 0, 9),
    "another overwritten": lambda mark: made("scipy.io.netcdf_file", str(mark.parent / "kept.txt"), "w"),
    "an address opened": lambda mark: called("numpy.lib._datasource.open", "http://127.0.0.1:9/x"),
    "an object": lambda mark: node("ObjectNode", "subprocess.Popen", content=text(["touch", str(mark)])),
    "a method": lambda mark: node("MethodNode", "os.system", content={"func": "system", "obj": text("")}),
    "a type": lambda mark: node("TypeNode", "os._wrap_close"),
    "a known type made in another way": lambda mark: made("sklearn.tree._tree.Tree", 1),
}


@pytest.mark.parametrize("where", ["instead", "inside"])
@pytest.mark.parametrize("name", CRAFTED)
def test_what_a_file_names_is_not_called(name: str, where: str, model: Path, tmp_path: Path) -> None:
    mark, home, kept = tmp_path / "mark", tmp_path / "home", tmp_path / "kept.txt"
    home.mkdir()
    (home / "data.txt").write_text("precious")
    kept.write_text("precious")
    path = skops_file(model)
    files = entries(path)
    schema, crafted = json.loads(files["schema.json"]), CRAFTED[name](mark)
    if where == "instead":
        schema = crafted | {"protocol": schema["protocol"], "_skops_version": schema["_skops_version"]}
    else:
        schema["content"]["content"]["_scorer"] = crafted
    write(path, files | {"schema.json": json.dumps(schema).encode()})
    sealed(model)

    with pytest.raises(ArtifactError, match=r"scale-0\.skops .* holds types that are not trusted: ") as told:
        load_model(model)

    assert "\n" not in str(told.value)
    assert not mark.exists()
    assert (home / "data.txt").read_text() == kept.read_text() == "precious"


def test_another_estimator_is_none_of_a_head(model: Path) -> None:
    skops.io.dump(Ridge().fit(np.nan_to_num(ROWS), TARGETS), skops_file(model))
    sealed(model)

    with pytest.raises(ArtifactError, match=r"not trusted: .*sklearn\.linear_model\._ridge\.Ridge"):
        load_model(model)


def with_nodes(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the nodes of all trees of a file."""
    files = entries(path)
    for name, content in files.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content))
            if array.dtype.names:
                stream = io.BytesIO()
                np.save(stream, change(array.copy()), allow_pickle=True)
                files[name] = stream.getvalue()
    write(path, files)


def put(field: str, place: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def act(nodes: np.ndarray) -> np.ndarray:
        nodes[field][place] = value
        return nodes

    return act


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scale-0", put("left", 0, 0)),
        ("scale-0", put("left", 0, 2**31)),
        ("scale-0", put("right", 0, 10**6)),
        ("scale-0", put("feature_idx", 0, 10**6)),
        ("scale-0", put("num_threshold", 0, np.nan)),
        ("scale-0", put("is_categorical", 0, 1)),
        ("scale-0", put("value", slice(None), np.inf)),
        ("scale-0", lambda nodes: nodes[:0]),
        ("scale-0", lambda nodes: nodes[["left", "right"]]),
        ("scale-0", lambda nodes: nodes.astype([(name, "O") for name in nodes.dtype.names])),
        ("head-0-1", put("left_child", 0, 0)),
        ("head-0-1", put("right_child", 0, 10**6)),
        ("head-0-1", put("feature", 0, -2)),
        ("head-0-1", put("threshold", 0, np.nan)),
        ("head-0-1", lambda nodes: nodes[::-1].copy()),
        ("head-0-1", lambda nodes: nodes[:-1].copy()),
    ],
)
def test_nodes_that_are_no_tree_are_refused(
    name: str, change: Callable[[np.ndarray], np.ndarray], model: Path
) -> None:
    with_nodes(skops_file(model, name), change)
    sealed(model)

    with pytest.raises(ArtifactError, match=f"(?s)({name}|head 0).*save the model again"):
        load_model(model)


def long_schema(path: Path) -> None:
    write(path, {"schema.json": b"[" * 2**25})


def deep_schema(path: Path) -> None:
    write(path, {"schema.json": b"[" * 10**6})


def packed(path: Path) -> None:
    write(path, entries(path) | {"zeros.npy": bytes(2**26)}, zipfile.ZIP_DEFLATED)


def shared_bytes(path: Path) -> None:
    """Many entries of the directory that are one and the same file."""
    write(path, entries(path) | {"zeros.npy": bytes(2**20)})
    content = path.read_bytes()
    *counts, n_bytes, start, _ = struct.unpack("<4H2LH", content[-18:])
    directory = content[start : start + n_bytes]
    last = directory[directory.rindex(b"PK\x01\x02") :]
    n = counts[2] + 4000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, n_bytes + 4000 * len(last), start, 0)
    path.write_bytes(content[:start] + directory + 4000 * last + end)


def many_entries(path: Path) -> None:
    write(path, {f"{number}.npy": b"" for number in range(21_000)})


def large_header(path: Path) -> None:
    """An array that says it has 4 GB."""
    files = entries(path)
    for name in files:
        if name.endswith(".npy"):
            files[name] = files[name].replace(b"'shape': (", b"'shape': (1000000000,", 1)
    write(path, files)


@pytest.mark.parametrize(
    "harm",
    [
        long_schema,
        deep_schema,
        packed,
        shared_bytes,
        many_entries,
        large_header,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK" * 500),
        lambda path: write(path, {}),
        lambda path: write(path, {"schema.json": b"[]"}),
        lambda path: write(path, {"schema.json": b"\xff"}),
        lambda path: write(path, {"schema.json": entries(path)["schema.json"]}),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x01"),
    ],
)
def test_files_that_are_larger_than_they_seem_or_damaged_are_refused(
    harm: Callable[[Path], None], model: Path
) -> None:
    harm(skops_file(model))
    sealed(model)
    start = time.perf_counter()

    with pytest.raises(ArtifactError, match=r"scale-0\.skops is not the file of a fitted head: ") as told:
        load_model(model)

    assert len(str(told.value)) < 1000
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingRegressor(max_iter=9, max_features=0.5, early_stopping=False),
        HistGradientBoostingRegressor(loss="absolute_error", max_iter=9),
        ExtraTreesRegressor(5, min_samples_leaf=2),
    ],
)
def test_trees_are_read_as_they_were_fitted(estimator: Any, tmp_path: Path) -> None:
    path = tmp_path / "head-0-0.skops"
    skops.io.dump(estimator.fit(ROWS, TARGETS), path)

    arrays, expected = skops_arrays(path), Forest.of(estimator).arrays("head-0-0")

    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_a_scaler_is_read_as_it_was_fitted(tmp_path: Path) -> None:
    scaler = QuantileTransformer(n_quantiles=50).fit(ROWS)
    skops.io.dump(scaler, tmp_path / "scaler-0.skops")

    arrays = skops_arrays(tmp_path / "scaler-0.skops")

    np.testing.assert_array_equal(arrays["scaler-0.quantiles"], scaler.quantiles_)
    np.testing.assert_array_equal(arrays["scaler-0.references"], scaler.references_)


@pytest.mark.parametrize("name", ["regressor_graph", "regressor_curves", "regressor_networks"])
def test_a_model_of_version_1_is_saved_as_version_2_and_answers_the_same(name: str, tmp_path: Path) -> None:
    shutil.unpack_archive(FIXTURE.with_name(f"{name}.zip"), tmp_path / "old")
    questions = json.loads(FIXTURE.with_name(f"{name}.json").read_text(encoding="utf-8"))
    old = load_model(tmp_path / "old")
    expected = [answer_of(old, asked) for asked in questions]
    old.save(tmp_path / "new")
    old.close()

    assert json.loads((tmp_path / "new" / "model.json").read_text())["format_version"] == 2
    assert not list(tmp_path.glob("new/state-*/*.skops"))
    new = load_model(tmp_path / "new")
    assert [answer_of(new, asked) for asked in questions] == expected
    new.close()
