"""Items of a Ray Dataset: checked by tasks, encoded and written by actors with an encoder each."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import InvalidInputError, VectorIndexError, require
from zeroshot_core.index.connection import Connection
from zeroshot_core.index.item_stream import Files, csv_options, write_block
from zeroshot_core.index.key_sum import KeySum
from zeroshot_core.index.ray_run import RayOptions, RayRun
from zeroshot_core.index.record_table import RecordTable
from zeroshot_core.index.schema import ITEMS
from zeroshot_core.index.versions import item_key

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.item_columns import ItemColumns
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo

__all__ = ["RayItems", "check_for_ray", "is_ray_dataset", "ray_dataset"]


class RayItems:
    """A Ray Dataset of items, written to a server by actors.

    Parameters
    ----------
    dataset
        A ray.data.Dataset.
    """

    def __init__(self, dataset: Any, columns: ItemColumns, options: RayOptions) -> None:
        self._dataset = dataset
        self._columns = columns
        self._options = options

    def survey(self, concepts: Container[str] | None) -> KeySum:
        """Check all items; their number and digest."""
        total, run = KeySum(), RayRun(self._options)
        for row in run.rows(
            run.by_tasks(self._dataset, _survey_block, columns=self._columns, concepts=concepts)
        ):
            total = total.plus(KeySum(row["n_items"], int(row["total"], 16)))
        return total

    def write(
        self, catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, *, is_resumed: bool
    ) -> None:
        """Have actors encode and write what is missing or changed.

        An actor that dies is started anew, and its block written again, which changes nothing.
        """
        run = RayRun(self._options)
        for _ in run.rows(
            run.by_actors(
                self._dataset,
                ItemWriter,
                target=catalog.connection.target,
                collection=catalog.collection(info.id, "items"),
                params=info.params,
                config=encoder.to_config(),
                columns=self._columns,
                is_resumed=is_resumed,
            )
        ):
            pass


class ItemWriter:
    """Encodes blocks and writes them to a server; one lives in each actor."""

    def __init__(
        self,
        *,
        target: Mapping[str, Any],
        collection: str,
        params: IndexParams,
        config: Mapping[str, Any],
        columns: ItemColumns,
        is_resumed: bool,
    ) -> None:
        from zeroshot_core.encoders import encoder_from_config

        self._encoder = encoder_from_config(config)
        connection = Connection.open(**target)
        self._table = RecordTable(connection, collection, ITEMS, self._encoder.dimension, params)
        self._columns = columns
        self._is_resumed = is_resumed

    def __call__(self, block: Any) -> dict[str, list[int]]:
        """Write an Arrow table."""
        items, rows = self._columns.checked(block)
        return {
            "written": [write_block(self._table, self._encoder, items, rows, is_resumed=self._is_resumed)]
        }


def check_for_ray(connection: Connection, encoder: Encoder) -> None:
    """Refuse what actors cannot open.

    Raises
    ------
    VectorIndexError
        If the index is a local file, which one process alone can hold.
    InvalidInputError
        If the encoder is a function.
    """
    if connection.is_lite:
        raise VectorIndexError(
            f"expected a Milvus server for a build by Ray, got the local file {connection.address}, which "
            "one process alone can write; leave Ray out, or use a server (uri='http://...')"
        )
    if '"kind": "function"' in json.dumps(encoder.to_config()):
        raise InvalidInputError(
            f"expected an encoder that actors of Ray can open, got {encoder.name!r}, which is made of a "
            "function; give one of load_encoder(), or leave Ray out"
        )


def is_ray_dataset(value: object) -> bool:
    """Whether a value is a Dataset of Ray, which is not imported for that."""
    return any(
        base.__module__.startswith("ray.data") and base.__name__ == "Dataset" for base in type(value).__mro__
    )


def ray_dataset(files: Files, options: RayOptions, *, texts: tuple[str, ...] = ()) -> Any:
    """Have Ray Data read files.

    Parameters
    ----------
    texts
        Columns of CSV that are read as they are written.
    """
    options.start()
    data = require("ray.data", extra="ray")
    if files.format == "csv":
        return data.read_csv(files.paths, filesystem=files.filesystem, convert_options=csv_options(texts))
    read = {"parquet": data.read_parquet, "json": data.read_json}[files.format]
    return read(files.paths, filesystem=files.filesystem)


def _survey_block(block: Any, columns: ItemColumns, concepts: Container[str] | None) -> dict[str, list[Any]]:
    total = KeySum.of(map(item_key, columns.checked(block, concepts)[1]))
    return {"n_items": [total.n_items], "total": [f"{total.total:x}"]}
