"""Forecasts of data sets that don't fit in memory: by actors of Ray, or in one process."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

from zeroshot_core import checks
from zeroshot_core.dataframes import column_names, read_columns
from zeroshot_core.errors import require
from zeroshot_core.index import ItemColumns, RayOptions
from zeroshot_core.index.item_stream import find_files, read_blocks
from zeroshot_core.index.ray_items import is_ray_dataset, ray_dataset
from zeroshot_core.index.ray_run import RayRun, map_by_actors
from zeroshot_core.serving.loading import load_model
from zeroshot_core.serving.parquet_output import (
    count_rows,
    is_url,
    parquet_file,
    parquet_folder,
    write_tables,
)

__all__ = ["predict_dataset", "predict_files"]


class BlockForecaster:
    """Forecasts of Arrow tables by a saved model; one lives in each actor."""

    def __init__(
        self, *, model: str, uri: str | None, token: str | None, columns: ItemColumns | None
    ) -> None:
        self._model: Any = load_model(model, uri=uri, token=token, read_only=True)
        self._columns = columns

    def __call__(self, block: Any) -> Any:
        """Forecast the rows of an Arrow table, as `predict_frame` does; an Arrow table."""
        arrow = require("pyarrow", extra="tables")
        if self._columns is None and self._model.schema_ is not None:
            given = block
        else:
            given = (self._columns or ItemColumns()).checked(block)[0]
        frame = self._model.predict_frame(given)
        table = arrow.table(read_columns(frame, column_names(frame)))
        # A column that is empty in one block has no type of its own, and another one in the next.
        fields = [
            field.with_type(arrow.string()) if arrow.types.is_null(field.type) else field
            for field in table.schema
        ]
        return table.cast(arrow.schema(fields))

    def close(self) -> None:
        """Close the model."""
        self._model.close()


def predict_dataset(
    model: str | os.PathLike[str],
    dataset: Any,
    *,
    uri: str | None = None,
    token: str | None = None,
    columns: ItemColumns | None = None,
    ray: RayOptions | None = None,
) -> Any:
    """Forecast a data set by actors of Ray, each with the model open.

    Parameters
    ----------
    model
        Folder of a saved model of any kind, which each node can read. An index inside it is read only.
    dataset
        A Ray Dataset; or a path, a folder, a glob, or a list of these, of Parquet, JSON lines or CSV.
    uri, token
        Where the model's index is on a server.
    columns
        Which columns make the items; None for those that the model was fitted on, if it knows them.

    Returns
    -------
    ray.data.Dataset
        The columns of `predict_frame`, worked out as it is read: ``.write_parquet(folder)``.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    """
    options = RayOptions() if ray is None else ray
    options.start()
    if not is_ray_dataset(dataset):
        dataset = ray_dataset(find_files(dataset), options, texts=_texts(columns))
    return map_by_actors(dataset, BlockForecaster, options, **_opening(model, uri, token, columns))


def predict_files(
    model: str | os.PathLike[str],
    source: Any,
    out: str | os.PathLike[str],
    *,
    uri: str | None = None,
    token: str | None = None,
    columns: ItemColumns | None = None,
    ray: RayOptions | None = None,
) -> int:
    """Forecast files block by block into Parquet, whole or not at all; the number of rows.

    Parameters
    ----------
    model, uri, token, columns
        As of `predict_dataset`.
    source
        A path, a folder, a glob, or a list of these, of Parquet, JSON lines or CSV, here or at a URL that
        Arrow opens (``s3://``).
    out
        A file to write, here or at such a URL; with `ray` a new or empty folder.
    ray
        By how many actors of Ray it is done; None for this process.

    Raises
    ------
    MissingExtraError
        If pyarrow, or Ray, is not installed.
    InvalidInputError
        If there are no such files, a row makes no item, or the folder is not empty.
    """
    files = find_files(source)
    if ray is None:
        forecaster = BlockForecaster(model=str(model), uri=uri, token=token, columns=columns)
        with closing(forecaster), parquet_file(out) as (filesystem, path):
            return write_tables(map(forecaster, read_blocks(files, texts=_texts(columns))), filesystem, path)
    with parquet_folder(out) as (filesystem, path):
        run, dataset = RayRun(ray), ray_dataset(files, ray, texts=_texts(columns))
        forecasts = run.by_actors(dataset, BlockForecaster, **_opening(model, uri, token, columns))
        with run.watched(forecasts):
            if is_url(out):
                forecasts.write_parquet(path, filesystem=filesystem)
                return count_rows(filesystem, path)
            # Actors of a cluster would write to the disks of their machines.
            blocks = forecasts.iter_batches(batch_format="pyarrow", batch_size=None)
            return write_tables(blocks, filesystem, f"{path}/forecasts.parquet")


def _opening(
    model: str | os.PathLike[str], uri: str | None, token: str | None, columns: ItemColumns | None
) -> dict[str, Any]:
    """Arguments of a `BlockForecaster` in another process."""
    folder = str(checks.path("model", model).absolute())
    return {"model": folder, "uri": uri, "token": token, "columns": columns}


def _texts(columns: ItemColumns | None) -> tuple[str, ...]:
    chosen = columns or ItemColumns()
    return (chosen.id, chosen.text, *chosen.concepts)
