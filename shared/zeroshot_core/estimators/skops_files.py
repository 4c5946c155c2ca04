"""Fitted models in files of skops, as format version 1 of saved models has them, read as arrays.

A file of skops is a zip of ``schema.json``, which names types and how to make them, and of ``.npy`` files.
Nothing here makes what it names: the schema is held against the exact list of types that fitted heads are
made of, and the arrays that a forecast needs are taken out of it. Skops itself calls any type that it is told
to trust with arguments of the file.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.lib.format as npy

from zeroshot_core.checks import shown, whole
from zeroshot_core.errors import ArtifactError
from zeroshot_core.estimators.trees import Forest

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["skops_arrays"]

_BOOSTED = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_AVERAGED = "sklearn.ensemble._forest.ExtraTreesRegressor"
_AVERAGED_TREE = "sklearn.tree._classes.ExtraTreeRegressor"
_NODES_OF_TREE = "sklearn.tree._tree.Tree"
_SCALER = "sklearn.preprocessing._data.QuantileTransformer"
# How skops makes each type that a fitted head may hold; what it calls else is refused.
_TYPES = {
    ("JsonNode", "builtins.str"),
    ("TypeNode", "builtins.str"),
    ("DictNode", "builtins.dict"),
    ("ListNode", "builtins.list"),
    ("TupleNode", "builtins.tuple"),
    ("NdArrayNode", "numpy.ndarray"),
    ("NdArrayNode", "numpy.uint64"),
    ("RandomGeneratorNode", "numpy.random._generator.Generator"),
    ("ObjectNode", _BOOSTED),
    ("ObjectNode", "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper"),
    ("ObjectNode", _PREDICTOR),
    ("ObjectNode", "sklearn._loss.loss.HalfSquaredError"),
    ("ObjectNode", "sklearn._loss.loss.AbsoluteError"),
    ("LossNode", "sklearn._loss._loss.CyHalfSquaredError"),
    ("LossNode", "sklearn._loss._loss.CyAbsoluteError"),
    ("ObjectNode", "sklearn._loss.link.IdentityLink"),
    ("ObjectNode", "sklearn._loss.link.Interval"),
    ("ObjectNode", _AVERAGED),
    ("ObjectNode", _AVERAGED_TREE),
    ("TreeNode", _NODES_OF_TREE),
    ("ObjectNode", _SCALER),
}
_BOOSTED_FIELDS = (
    "left",
    "right",
    "feature_idx",
    "num_threshold",
    "missing_go_to_left",
    "value",
    "is_leaf",
    "is_categorical",
)
_AVERAGED_FIELDS = ("left_child", "right_child", "feature", "threshold", "missing_go_to_left")
# A head of 150 trees over 300 features has 1,200 arrays and 2 MB of schema.
_MOST_ENTRIES = 20_000
_MOST_SCHEMA_BYTES = 16 * 2**20
_MOST_DIRECTORY_BYTES = 4 * 2**20
# Of a zip: the record at its end, which says how long its directory is, and the mark of one for large files.
_END, _LARGE_MARK, _LARGE_BYTES = struct.Struct("<4s4H2LH"), b"PK\x06\x07", 20


def skops_arrays(path: Path) -> dict[str, Array]:
    """Read the arrays of a fitted head, each under the file's stem and its own name.

    Returns
    -------
    dict
        The parts of a `Forest`, or ``quantiles`` and ``references`` of a ``QuantileTransformer``.

    Raises
    ------
    ArtifactError
        If the file is none that a saved head has: it names another type, is packed, or is damaged.
    """
    try:
        with path.open("rb") as file:
            _check_end(file)
            with zipfile.ZipFile(file) as archive:
                _check_entries(archive, path.stat().st_size)
                return _head_arrays(archive, path.stem)
    # A crafted file makes zipfile, json and numpy raise what they like.
    except Exception as error:
        raise ArtifactError(
            f"{path} is not the file of a fitted head: {error}; save the model again"
        ) from error


def _check_end(file: IO[bytes]) -> None:
    """Refuse a zip whose directory would take more memory than the file."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END.size - _LARGE_BYTES))
    tail = file.read()
    mark, *_, n_entries, n_bytes, _, n_comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or n_comment or tail.startswith(_LARGE_MARK):
        raise ValueError("it is no plain zip")
    if n_entries > _MOST_ENTRIES or n_bytes > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"it has {n_entries} entries, more than {_MOST_ENTRIES}")


def _check_entries(archive: zipfile.ZipFile, n_bytes: int) -> None:
    """Refuse what is packed, since it may grow without bound, and entries that share their bytes."""
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed, which no saved head is")
    if sum(entry.file_size for entry in entries) > n_bytes:
        raise ValueError("it says that it holds more bytes than it has")


def _head_arrays(archive: zipfile.ZipFile, name: str) -> dict[str, Array]:
    schema = archive.getinfo("schema.json")
    if schema.file_size > _MOST_SCHEMA_BYTES:
        raise ValueError(f"its schema is longer than {_MOST_SCHEMA_BYTES} bytes")
    root = json.loads(archive.read(schema))
    _check_types(root)
    for type_, read in ((_BOOSTED, _boosted), (_AVERAGED, _averaged), (_SCALER, _scaler)):
        if _type_of(root) == ("ObjectNode", type_):
            return read(archive, _attributes(root, type_), name)
    raise ValueError(f"it holds a {_type_of(root)[1]}")


def _check_types(root: object) -> None:
    """Refuse a schema in which any node names a type that no fitted head has."""
    rest = [root]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            if node.keys() & {"__loader__", "__module__", "__class__"} and _type_of(node) not in _TYPES:
                raise ValueError(f"it holds types that are not trusted: {shown(_type_of(node)[1])}")
            rest += node.values()
        elif isinstance(node, list):
            rest += node


def _type_of(node: Mapping[str, Any]) -> tuple[str, str]:
    """How skops makes a node, and the full name of its type."""
    return f"{node.get('__loader__')}", f"{node.get('__module__')}.{node.get('__class__')}"


def _attributes(node: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """Nodes of the attributes of an object, by name."""
    if _type_of(node)[1] != type_:
        raise ValueError(f"expected a {type_}, got a {_type_of(node)[1]}")
    attributes: dict[str, Any] = node["content"]["content"]
    return attributes


def _value(node: Mapping[str, Any]) -> object:
    """Give a number, text or None."""
    value: object = json.loads(node["content"])
    return value


def _whole(node: Mapping[str, Any]) -> int:
    return whole("n_features_in_", _value(node), least=1, most=np.iinfo(np.int32).max)


def _array(archive: zipfile.ZipFile, node: Mapping[str, Any]) -> Array:
    """Read an array of numbers; no memory is taken for more than the file holds."""
    content = archive.read(node["file"])
    stream = io.BytesIO(content)
    versions = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, is_fortran, dtype = versions[npy.read_magic(stream)](stream)
    numbers = memoryview(content)[stream.tell() :]
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"{node['file']} holds {len(numbers)} bytes for {dtype} of shape {shape}")
    return np.frombuffer(numbers, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")


def _nodes(archive: zipfile.ZipFile, node: Mapping[str, Any], fields: Sequence[str]) -> Array:
    """Read the nodes of a tree, each of which has these fields."""
    nodes = _array(archive, node)
    names = nodes.dtype.names or ()
    if nodes.ndim != 1 or not set(fields) <= set(names):
        raise ValueError(f"expected nodes with {', '.join(fields)}, got {nodes.dtype} of {nodes.shape}")
    if any(nodes.dtype[name].kind not in "biuf" for name in fields):
        raise ValueError(f"expected numbers in nodes, got {nodes.dtype}")
    return nodes


def _boosted(archive: zipfile.ZipFile, model: Mapping[str, Any], name: str) -> dict[str, Array]:
    trees = []
    for step in model["_predictors"]["content"]:
        (predictor,) = step["content"]
        nodes = _attributes(predictor, _PREDICTOR)["nodes"]
        trees.append(_nodes(archive, nodes, _BOOSTED_FIELDS))
    if any(tree["is_categorical"].any() for tree in trees):
        raise ValueError("it parts categories, which no saved head does")
    baseline = _array(archive, model["_baseline_prediction"]).astype(np.float64).item()
    return Forest.of_boosted(trees, _whole(model["n_features_in_"]), baseline).arrays(name)


def _averaged(archive: zipfile.ZipFile, model: Mapping[str, Any], name: str) -> dict[str, Array]:
    trees, values = [], []
    for tree in model["estimators_"]["content"]:
        attributes = _attributes(tree, _AVERAGED_TREE)
        state = _attributes(attributes["tree_"], _NODES_OF_TREE)
        trees.append(_nodes(archive, state["nodes"], _AVERAGED_FIELDS))
        values.append(_array(archive, state["values"]).astype(np.float64).reshape(len(trees[-1])))
    return Forest.of_averaged(trees, values, _whole(model["n_features_in_"])).arrays(name)


def _scaler(archive: zipfile.ZipFile, model: Mapping[str, Any], name: str) -> dict[str, Array]:
    if _value(model["output_distribution"]) != "uniform":
        raise ValueError("expected ranks between 0 and 1")
    parts = {part: _array(archive, model[f"{part}_"]) for part in ("quantiles", "references")}
    return {f"{name}.{part}": np.ascontiguousarray(array) for part, array in parts.items()}
