"""What an estimator has learned, as plain parts, and the checks under which they are taken back.

A saved folder may come from anybody: a part is used only after its name, type, shape and range are what the
estimator writes.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from zeroshot_core.checks import known_names, real, sequence, shown
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["ModelState", "sparse_arrays"]

_BARS = "show_progress"
# What a model is opened with, beside its parameters.
_OPENED = {"encoder", "graph", "index"}


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """What an estimator has learned, as plain parts.

    Parameters
    ----------
    kind
        ``"regressor"``, ``"classifier"``, ``"ranker"`` or ``"detector"``.
    config
        JSON-able.
    arrays
        By name.
    """

    kind: str
    config: Mapping[str, Any]
    arrays: Mapping[str, Array]

    def array(
        self, name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...], *, is_finite: bool = True
    ) -> Array:
        """Give an array that is of a type and shape.

        Parameters
        ----------
        shape
            None where any length will do.
        is_finite
            Whether NaN and infinity are refused.

        Raises
        ------
        InvalidInputError
            If it is missing or another.
        """
        found = self.arrays.get(name)
        wanted = ", ".join("any" if part is None else str(part) for part in shape)
        expected = f"expected an array {name!r} of {np.dtype(dtype)} and shape ({wanted})"
        if found is None:
            raise InvalidInputError(f"{expected}, got none")
        fits = found.ndim == len(shape) and all(
            want is None or got == want for got, want in zip(found.shape, shape, strict=True)
        )
        if not fits or found.dtype != np.dtype(dtype):
            raise InvalidInputError(f"{expected}, got {found.dtype} and {found.shape}")
        if is_finite and not np.isfinite(found).all():
            raise InvalidInputError(f"{expected}, got values that are not finite")
        return found

    def entries(self, name: str, *, of: type = str, n: int | None = None) -> tuple[Any, ...]:
        """Give a list of the configuration whose parts are of a type.

        Parameters
        ----------
        n
            How many there are; None for any number.

        Raises
        ------
        InvalidInputError
            If it is missing or another.
        """
        found = sequence(repr(name), self.config.get(name), of="entries")
        if any(type(each) is not of for each in found) or len(found) != (len(found) if n is None else n):
            number = "" if n is None else f"{n} "
            raise InvalidInputError(
                f"expected {name!r} as a list of {number}entries of type {of.__name__}, got {shown(found)}"
            )
        return tuple(found)

    def matrix(self, name: str, dtype: npt.DTypeLike, shape: tuple[int, int]) -> sparse.csr_matrix:
        """Give the sparse matrix that `sparse_arrays` took apart.

        Raises
        ------
        InvalidInputError
            If a part is missing, or is no matrix of this shape and type.
        """
        given = self.arrays.get(f"{name}.indices")
        # Scipy takes wider numbers where there are very many entries.
        wide = np.int64 if given is not None and given.dtype == np.int64 else np.int32
        indices = self.array(f"{name}.indices", wide, (None,))
        ends = self.array(f"{name}.indptr", wide, (shape[0] + 1,))
        data = self.array(f"{name}.data", dtype, (len(indices),))
        given_shape = tuple(self.array(f"{name}.shape", np.int64, (2,)).tolist())
        # Scipy's own check leaves out a matrix that says it has no entries, and then reads what it points to.
        is_sound = (
            given_shape == shape
            and ends[0] == 0
            and ends[-1] <= len(indices)
            and (np.diff(ends) >= 0).all()
            and indices.min(initial=0) >= 0
            and indices.max(initial=-1) < shape[1]
        )
        if not is_sound:
            raise InvalidInputError(
                f"expected a matrix {name!r} of shape {shape}, got one that leads elsewhere"
            )
        return sparse.csr_matrix((data, indices, ends), shape=shape)

    def number(self, name: str, *, inside: str) -> float:
        """Give a finite number out of a mapping of the configuration.

        Raises
        ------
        InvalidInputError
            If it is missing or no number.
        """
        return real(name, self.mapping(inside).get(name))

    def mapping(self, name: str) -> dict[str, Any]:
        """Give a mapping of the configuration.

        Raises
        ------
        InvalidInputError
            If it is missing or another.
        """
        found = self.config.get(name)
        if not isinstance(found, dict):
            raise InvalidInputError(f"expected {name!r} as a mapping, got {shown(found)}")
        return found

    def parameters(self, estimator: type) -> dict[str, Any]:
        """Give the parameters with which an estimator is made again; it checks their values itself.

        Models saved before hold whether bars were drawn, which is up to who opens them.

        Raises
        ------
        InvalidInputError
            If one is none of its own.
        """
        found = self.mapping("parameters")
        constructor = inspect.signature(estimator).parameters
        known_names(f"a saved {self.kind}", found, constructor.keys() - _OPENED)
        return {name: value for name, value in found.items() if name != _BARS}


def sparse_arrays(name: str, matrix: sparse.csr_matrix) -> dict[str, Array]:
    """Take a sparse matrix apart into ``name.data``, ``name.indices``, ``name.indptr`` and ``name.shape``."""
    arrays = {f"{name}.{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}
    return arrays | {f"{name}.shape": np.array(matrix.shape)}
