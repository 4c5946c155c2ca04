"""Items of a Ray Dataset: checked by tasks, encoded and written by actors with an encoder each."""

from __future__ import annotations

import gc
import json
import logging
import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core import checks
from zeroshot_core.errors import (
    ConnectionFailedError,
    InvalidInputError,
    VectorIndexError,
    ZeroShotError,
    require,
)
from zeroshot_core.files import new_folder
from zeroshot_core.index.connection import Connection
from zeroshot_core.index.item_source import KeySum
from zeroshot_core.index.item_stream import BLOCK_ROWS, Files, csv_options, write_block
from zeroshot_core.index.record_table import RecordTable
from zeroshot_core.index.schema import ITEMS
from zeroshot_core.index.versions import item_key

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.item_columns import ItemColumns
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo

__all__ = [
    "RayItems",
    "RayOptions",
    "check_for_ray",
    "is_ray_dataset",
    "map_by_actors",
    "ray_dataset",
    "rows_of",
    "write_parquet",
]

# Blocks that an actor has been given and not done: what bounds memory and keeps it busy.
_BLOCKS_IN_FLIGHT = 2
_RAY_ADDS = "Failed to apply UDF"


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where and by how many actors a data set is worked on.

    Parameters
    ----------
    n_actors
        Each with a model of its own.
    address
        Of a cluster, such as ``ray://head:10001``; None for the Ray that runs already, or a local one.
    remote_args
        Of each actor, as Ray takes them: ``{"num_gpus": 1}``, ``{"num_cpus": 4}``. Without ``num_cpus`` an
        actor has a core, or so much less that one is left to read the data.
    block_rows
        How many rows are encoded in one go.
    """

    n_actors: int = 2
    address: str | None = None
    remote_args: Mapping[str, Any] = field(default_factory=dict)
    block_rows: int = BLOCK_ROWS

    def __post_init__(self) -> None:
        checks.whole("n_actors", self.n_actors, least=1)
        checks.whole("block_rows", self.block_rows, least=1)

    def start(self) -> None:
        """Connect to Ray, unless this process is connected; what goes wrong is then told by errors alone.

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        ConnectionFailedError
            If no cluster answers at the address.
        """
        ray, _ = require("ray", extra="ray"), require("ray.data", extra="ray")
        if ray.is_initialized():
            return
        # Ray Data logs errors of ours as its own, whole traces that end in "please open an issue".
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        try:
            own = {} if self.address else {"include_dashboard": False}
            ray.init(self.address, log_to_driver=False, logging_level="error", **own)
        except (OSError, RuntimeError, ValueError) as error:
            where = "on this machine" if self.address is None else f"at {checks.shown(self.address)}"
            reason = str(error).partition("\n")[0][:200]
            raise ConnectionFailedError(
                f"expected a Ray that answers {where}, got none ({reason}); check the address, or leave it "
                "out for a local Ray"
            ) from error

    @property
    def actor_args(self) -> dict[str, Any]:
        """Arguments of each actor, once this process is connected."""
        n_cores = require("ray", extra="ray").cluster_resources().get("CPU", 1)
        # Actors that hold all cores wait for ever for what is read by tasks, which need one.
        share = math.floor(100 * max(0, n_cores - 1) / self.n_actors) / 100
        return {"num_cpus": min(1, share), **self.remote_args}


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
        total = KeySum()
        for row in rows_of(
            blocks_of(self._dataset, self._options).map_batches(
                _survey_block,
                batch_format="pyarrow",
                batch_size=self._options.block_rows,
                fn_kwargs={"columns": self._columns, "concepts": concepts},
            )
        ):
            total = total.plus(KeySum(row["n_items"], int(row["total"], 16)))
        return total

    def write(
        self, catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, *, is_resumed: bool
    ) -> None:
        """Have actors encode and write what is missing or changed.

        An actor that dies is started anew, and its block written again, which changes nothing.
        """
        for _ in rows_of(
            map_by_actors(
                self._dataset,
                ItemWriter,
                self._options,
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


def blocks_of(dataset: Any, options: RayOptions) -> Any:
    """Cut a Dataset into blocks of the rows that are worked on in one go.

    Ray reads files into blocks of 128 MB: a million short texts would be one, and one actor's.
    """
    return dataset.repartition(target_num_rows_per_block=options.block_rows)


def map_by_actors(dataset: Any, kind: type, options: RayOptions, **given: Any) -> Any:
    """Have each block of a Dataset, as an Arrow table, answered by one of several actors.

    Parameters
    ----------
    kind
        Called with a block; made once an actor, of `given`.
    """
    data = require("ray.data", extra="ray")
    pool = data.ActorPoolStrategy(size=options.n_actors, max_tasks_in_flight_per_actor=_BLOCKS_IN_FLIGHT)
    return blocks_of(dataset, options).map_batches(
        kind,
        batch_format="pyarrow",
        batch_size=options.block_rows,
        fn_constructor_kwargs=given,
        compute=pool,
        **options.actor_args,
    )


def rows_of(dataset: Any) -> Iterator[Any]:
    """Rows of a Dataset as they are made.

    Raises
    ------
    ZeroShotError
        What an actor raised of ours; VectorIndexError for others, saying how to go on.
    """
    _prepare(dataset)
    try:
        yield from dataset.iter_rows()
    except require("ray.exceptions", extra="ray").RayError as error:
        problem = _own_error(error)
    else:
        return
    # Raised here, it does not lead to what has stopped, which keeps its actors as long as it is kept.
    del dataset
    raise problem


def write_parquet(dataset: Any, folder: Path) -> int:
    """Write a Dataset as Parquet files into a folder, new or empty; the number of its rows.

    Raises
    ------
    ZeroShotError
        As of `rows_of`.
    """
    _prepare(dataset)
    try:
        with new_folder(folder) as draft:
            dataset.write_parquet(str(draft.absolute()))
            parquet = require("pyarrow.parquet", extra="ray")
            return sum(parquet.read_metadata(path).num_rows for path in draft.glob("*.parquet"))
    except require("ray.exceptions", extra="ray").RayError as error:
        problem = _own_error(error)
    del dataset
    raise problem


def _prepare(dataset: Any) -> None:
    # What of a run that has stopped is still there keeps its actors, and they the cores that this one needs.
    gc.collect()
    dataset.context.enable_progress_bars = False
    dataset.context.raise_original_map_exception = True


def _own_error(error: BaseException) -> ZeroShotError:
    """Make an error of ours of one that an actor raised, or say of another how to go on."""
    # Ray makes a class that is both its own and the actor's error, with a traceback as the message.
    cause: BaseException | None = getattr(error, "cause", None) or error.__cause__
    while cause is not None and not isinstance(cause, ZeroShotError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    if cause is None:
        return VectorIndexError(
            f"Ray failed: {type(error).__name__}: {str(error)[:200]}; run the same again to go on"
        )
    # Ray adds to the message how it could be told to try again.
    return type(cause)(str(cause).partition(_RAY_ADDS)[0].rstrip())


def _survey_block(block: Any, columns: ItemColumns, concepts: Container[str] | None) -> dict[str, list[Any]]:
    total = KeySum.of(map(item_key, columns.checked(block, concepts)[1]))
    return {"n_items": [total.n_items], "total": [f"{total.total:x}"]}
