"""Tables of pandas, polars and pyarrow, read and made through narwhals, which is imported for them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    Frame: TypeAlias = IntoDataFrame

__all__ = ["column_names", "frame_of_columns", "is_frame", "read_columns"]

_LIBRARIES = ("pandas", "polars", "pyarrow")


def is_frame(value: object) -> TypeGuard[Frame]:
    """Whether a value is a table: of pandas, polars, pyarrow, or another library that narwhals knows."""
    # A list or an array is told without importing anything.
    if isinstance(value, Mapping | str | bytes | list | tuple) or not hasattr(type(value), "columns"):
        return False
    from narwhals.dependencies import is_into_dataframe, is_polars_lazyframe

    return is_into_dataframe(value) or is_polars_lazyframe(value)


def column_names(frame: Frame) -> list[Any]:
    """Names of the columns of a table, in their order.

    Raises
    ------
    InvalidInputError
        If a name stands twice, or the table is lazy and so holds nothing yet.
    """
    return list(_opened(frame).columns)


def read_columns(frame: Frame, names: Sequence[str]) -> dict[str, list[Any]]:
    """Columns of a table as lists, in the order of its rows: an index of pandas plays no role.

    What is missing stays what the library has for it: None, NaN, NaT or NA.

    Parameters
    ----------
    names
        Columns that the table has.
    """
    opened = _opened(frame)
    return {name: opened.get_column(name).to_list() for name in names}


def frame_of_columns(columns: Mapping[str, Sequence[Any]], like: object = None) -> Any:
    """Make a table of columns of one length, by name.

    Parameters
    ----------
    like
        A table of the library that is to make it; anything else takes pandas, or polars where that alone is
        installed.

    Raises
    ------
    MissingExtraError
        If no such library is installed.
    """
    import narwhals as nw

    if is_frame(like):
        backend: Any = nw.from_native(like).implementation
    else:
        backend = next((name for name in _LIBRARIES if find_spec(name)), None)
    if backend is None:
        raise MissingExtraError(
            "a table is made by pandas or polars, and neither is installed; install one with: pip install "
            "'zeroshot-milvus[tables]'"
        )
    return nw.from_dict(dict(columns), backend=backend).to_native()


def _opened(frame: Any) -> Any:
    """Open a table by narwhals."""
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    if nw.dependencies.is_polars_lazyframe(frame):
        raise InvalidInputError("expected a table that holds its rows, got a LazyFrame; give frame.collect()")
    try:
        opened = nw.from_native(frame, eager_only=True)
        names = opened.columns
    except DuplicateError:
        names = list(frame.columns)
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InvalidInputError(
            f"expected columns of distinct names, got {shown(twice)} twice; rename one, or drop it"
        ) from None
    if any(isinstance(name, tuple) for name in names):
        raise InvalidInputError(
            f"expected columns with one name each, got {shown(names[0])}; flatten the names of the columns"
        )
    return opened
