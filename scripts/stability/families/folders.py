"""Saved folders with parts changed and checksums that fit: refused in a sentence, or a model that answers."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from zeroshot_core import NoveltyDetector, ZeroShotRegressor, load_model

from scripts.stability.families.oddities import JSON_VALUES
from scripts.stability.fuzz import Attempts
from scripts.stability.mutation import changed_json
from scripts.stability.samples import ENCODER, GRAPH, QUERIES, Place, fitted_classifier, stock

__all__ = ["case", "opened"]

_MANIFEST = "model.json"
_ODD_JSON = JSON_VALUES | st.sampled_from(
    [
        "..",
        "/etc",
        "../../x",
        "C:\\x",
        "state-x",
        "http://127.0.0.1:1",
        -1,
        2**70,
        1e308,
        [[[]]],
        {"a": {}},
        "x" * 5000,
        10**6,
    ]
)


class Saved(NamedTuple):
    """A saved model, and the content of each of its files but the index's."""

    folder: Path
    files: dict[str, bytes]
    classes: set[str]


@contextlib.contextmanager
def opened(place: Place) -> Iterator[list[Saved]]:
    """Save a model of three kinds."""
    items = stock(range(24))
    targets = [float(n % 7) for n in range(24)]
    models: dict[str, Any] = {
        "classifier": fitted_classifier(),
        "regressor": ZeroShotRegressor(ENCODER, GRAPH, top_k=5).fit(items, targets),
        "detector": NoveltyDetector(ENCODER).fit([item.text or "" for item in items]),
    }
    saved = []
    for name, model in models.items():
        folder = place.folder / name
        model.save(folder)
        model.close()
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and ".db" not in path.relative_to(folder).parts[0]
        }
        saved.append(Saved(folder, files, set(getattr(model, "classes_", ()))))
    yield saved


def case(case: Attempts, models: list[Saved]) -> None:
    """Try one folder."""
    saved = case.draw(st.sampled_from(models))
    name = case.draw(st.sampled_from(sorted(saved.files)))
    change, content = _changed(case, name, saved.files[name])
    what = f"{saved.folder.name}/{name}: {change}"
    files = {**saved.files, name: content}
    files[_MANIFEST] = _with_checksums(files[_MANIFEST], saved.files[name], content)
    for file, written in files.items():
        (saved.folder / file).write_bytes(written)
    try:
        is_loaded, model = case.attempt(f"load of {what}", lambda: load_model(saved.folder))
        if is_loaded:
            is_answered, answers = case.attempt(
                f"predict of {what}", lambda: np.asarray(model.predict(QUERIES))
            )
            if is_answered:
                _check(case, answers, model, what)
            case.attempt(f"explain of {what}", lambda: getattr(model, "explain", model.predict)(QUERIES[:2]))
            case.attempt(f"close of {what}", model.close)
    finally:
        for file, written in saved.files.items():
            (saved.folder / file).write_bytes(written)


def _check(case: Attempts, answers: Any, model: Any, what: str) -> None:
    if len(answers) != len(QUERIES):
        case.wrong(f"{len(answers)} answers to {len(QUERIES)} questions after {what}")
    elif answers.dtype.kind == "f" and not np.isfinite(answers).all():
        case.wrong(f"answers {answers.tolist()} after {what}")
    elif hasattr(model, "classes_") and not set(answers.tolist()) <= set(model.classes_.tolist()):
        case.wrong(f"answers {answers.tolist()} that are no labels after {what}")


def _with_checksums(manifest: bytes, before: bytes, after: bytes) -> bytes:
    """Replace the checksum of a file, of whatever length it is noted."""
    if before == after:
        return manifest
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, after))
    return manifest.replace(old[:32].encode(), new[:32].encode()).replace(
        old[32:].encode(), new[32:].encode()
    )


def _changed(case: Attempts, name: str, content: bytes) -> tuple[str, bytes]:
    kind = case.draw(st.integers(0, 9))
    if kind and name.endswith(".json"):
        value = case.draw(changed_json(json.loads(content), _ODD_JSON))
        changed = json.dumps(value)
        before = json.dumps(json.loads(content))
        return f"JSON {_difference(before, changed)}", changed.encode("utf-8", "surrogatepass")
    if kind and name.endswith(".jsonl"):
        lines = content.decode().splitlines()
        line = case.draw(st.integers(0, len(lines) - 1))
        lines[line] = json.dumps(case.draw(changed_json(json.loads(lines[line]), _ODD_JSON)))
        return f"line {line} {lines[line][:150]}", ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")
    if kind and name.endswith(".safetensors"):
        return _arrays(case, content)
    start = case.draw(st.integers(0, max(len(content) - 1, 0)))
    end = start + case.draw(st.sampled_from((0, 1, 4, 100)))
    new = case.draw(st.binary(max_size=8))
    return f"bytes {start} to {end} become {new!r}", content[:start] + new + content[end:]


def _arrays(case: Attempts, content: bytes) -> tuple[str, bytes]:
    from safetensors.numpy import load, save

    arrays = load(content)
    if not arrays:
        return "no arrays", content
    name = case.draw(st.sampled_from(sorted(arrays)))
    array = arrays[name]
    changes: dict[str, Any] = {
        "gone": None,
        "empty": array[:0],
        "longer": np.concatenate([array, array]) if array.ndim else np.array([1, 2]),
        "shorter": array[:-1] if array.ndim else array,
        "flat": array.reshape(-1),
        "deeper": array[None],
        "NaN": np.full_like(array, np.nan, dtype=np.float64),
        "negative": np.full_like(array, -1, dtype=array.dtype if array.dtype.kind in "if" else np.int64),
        "huge": np.full_like(array, 2**30, dtype=array.dtype if array.dtype.kind in "if" else np.int64),
        "float16": array.astype(np.float16),
        "int64": array.astype(np.float64).clip(-1e9, 1e9).astype(np.int64),
        "uint8": np.zeros(array.shape, np.uint8),
        "transposed": array.T,
    }
    change = case.draw(st.sampled_from(sorted(changes)))
    changed = {key: np.ascontiguousarray(part) for key, part in arrays.items()}
    if changes[change] is None:
        del changed[name]
    else:
        changed[name] = np.ascontiguousarray(changes[change])
    return f"array {name} {change}", save(changed)


def _difference(before: str, after: str) -> str:
    """Where two texts begin to differ."""
    start = next((place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    return f"...{after[max(0, start - 60) : start + 100]}..."
