"""Labels as callers have them, texts or numbers, and the ids of the concepts that they stand for: texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core.checks import is_missing, repaired_texts, sequence, shown
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.types import Concept

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints

__all__ = ["LABEL_TYPE", "ClassLabels", "Label", "read_labels"]

LABEL_TYPE = "label"
Label: TypeAlias = "str | int | float | bool"
"""What callers call a class; the id of its concept is ``str(label)``."""

_NUMBERS = "biuf"
_KINDS = {"b": "booleans", "i": "whole numbers", "f": "floats", "": "texts"}


@dataclass(frozen=True, kw_only=True)
class ClassLabels:
    """The labels of a classifier.

    Parameters
    ----------
    ids
        Of their concepts, sorted, shape (c,).
    dtype
        Of labels that are numbers or booleans, as NumPy writes it; empty for texts, which are the ids.
    """

    ids: tuple[str, ...]
    dtype: str = ""

    @classmethod
    def saved(cls, ids: Sequence[str], dtype: str) -> ClassLabels:
        """Take labels from a file.

        Raises
        ------
        ArtifactError
            If they are not of the type that the file says.
        """
        labels = cls(ids=tuple(ids), dtype=dtype)
        try:
            is_whole = not dtype or (np.dtype(dtype).kind in _NUMBERS and len(labels.values) == len(ids))
        except (TypeError, ValueError, OverflowError):
            is_whole = False
        if not is_whole:
            raise ArtifactError(
                f"expected labels of the type {shown(dtype)} in a saved classifier, got others; it is "
                "damaged: save the model again"
            )
        return labels

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """The labels in ascending order, as scikit-learn has them in ``classes_``, shape (c,)."""
        return np.sort(self._typed(self.ids)) if self.dtype else np.array(self.ids)

    def columns(self, probabilities: Floats) -> Floats:
        """Bring columns from the order of the ids into that of the values, shape (q, c)."""
        return probabilities[:, self._order] if self.dtype else probabilities

    def of_ids(self, ids: npt.NDArray[np.str_]) -> npt.NDArray[Any]:
        """Turn ids into labels, shape (q,); an array of objects where some, as ``""``, are no labels."""
        if not self.dtype:
            return ids
        found = ids.tolist()
        if set(self.ids).issuperset(found):
            return self._typed(found)
        labels = dict(zip(self.ids, self._typed(self.ids).tolist(), strict=True))
        return np.array([labels.get(id_, id_) for id_ in found], dtype=object)

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self._typed(self.ids)).astype(np.int64)

    def _typed(self, ids: Sequence[str]) -> npt.NDArray[Any]:
        kind = np.dtype(self.dtype).kind
        values = [id_ == "True" if kind == "b" else float(id_) if kind == "f" else int(id_) for id_ in ids]
        return np.array(values, dtype=self.dtype)


def read_labels(
    labels: Iterable[Label | Concept] | Mapping[Label, str] | None,
    y: Sequence[Label] | None,
    known: ClassLabels | None = None,
) -> tuple[list[str | Concept] | None, list[str] | None, str]:
    """Read labels of any type as the ids of concepts.

    Parameters
    ----------
    labels
        As of `ZeroShotClassifier.fit`; those of a mapping become concepts that its values describe.
    y
        Labels of the examples.
    known
        Labels that a classifier has; the others must be of their type.

    Returns
    -------
    list of str or Concept, list of str, str
        Labels and `y`, each None where it was, and the `ClassLabels.dtype` of them all.

    Raises
    ------
    InvalidInputError
        If they are not in a list, a label is neither a text, a whole number nor a boolean, or they are of
        several types.
    """
    descriptions = labels if isinstance(labels, Mapping) else {}
    given = list(descriptions) if descriptions or labels is None else sequence("labels", labels, of="labels")
    names = [] if y is None else sequence("y", y, of="labels, one for each example")
    found = {_dtype("labels", given), _dtype("y", names), None if known is None else known.dtype} - {None}
    kinds = {_kind(dtype) for dtype in found}
    if len(kinds) > 1:
        told = " and ".join(sorted(_KINDS[kind] for kind in kinds))
        raise InvalidInputError(f"expected labels of one type, got {told}; convert some of them")
    dtype = "" if kinds <= {""} else np.result_type(*found).str
    ids: list[str | Concept] = repaired_texts(map(_id, given), "labels")
    if descriptions:
        ids = [_described(id_, descriptions[label]) for id_, label in zip(ids, given, strict=True)]
    return (
        None if labels is None else ids,
        None if y is None else repaired_texts(map(_id, names), "labels"),
        dtype,
    )


def _dtype(name: str, labels: Sequence[object]) -> str | None:
    """Type of labels as of `ClassLabels`; None without any."""
    kinds: dict[str, object] = {}
    for row, label in enumerate(labels):
        kinds.setdefault(_kind_of(name, row, label), label)
    if len(kinds) > 1:
        told = " and ".join(shown(label) for label in kinds.values())
        raise InvalidInputError(
            f"expected {name} to hold labels of one type, got {told}; convert some of them"
        )
    if not kinds:
        return None
    if "" in kinds:
        return ""
    found: np.dtype[Any] = np.asarray(labels).dtype
    if found.kind not in _NUMBERS:
        raise InvalidInputError(f"expected {name} to hold whole numbers of at most 64 bits, got larger ones")
    return str(found.str)


def _kind_of(name: str, row: int, label: object) -> str:
    if isinstance(label, str | Concept):
        return ""
    if isinstance(label, bool | np.bool_):
        return "b"
    if isinstance(label, Integral):
        return "i"
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return "f"
    if is_missing(label):
        raise InvalidInputError(
            f"{name}, row {row}: expected a label, got none ({shown(label)}); fill it in, or leave rows "
            "without one out, as fit does with missing='drop'"
        )
    raise InvalidInputError(
        f"{name}, row {row}: expected a label that is a text, a whole number or a boolean, got "
        f"{shown(label)}; convert it with str()"
    )


def _kind(dtype: str | None) -> str:
    kind = np.dtype(dtype).kind if dtype else ""
    return "i" if kind == "u" else kind


def _id(label: Any) -> Any:
    if isinstance(label, Concept):
        return label
    return str(label.item() if isinstance(label, np.generic) else label)


def _described(id_: Any, description: object) -> Concept:
    if not isinstance(description, str):
        raise InvalidInputError(
            f"expected labels as a list, or as a mapping to their descriptions, got {shown(description)} for "
            f"{shown(id_)}; describe it in words"
        )
    return Concept(id=str(id_), name=str(id_), type=LABEL_TYPE, description=description)
