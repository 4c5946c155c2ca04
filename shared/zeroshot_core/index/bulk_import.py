"""What a server imports from its own storage: asked for, and waited for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import VectorIndexError

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection

__all__ = ["BulkImport"]

# Not less: a server of 2.3 crashes if its client is killed while it answers how far it is.
_PAUSE_S = 1.0


class BulkImport:
    """Imports of Parquet files into the collections of one server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, paths: Mapping[str, str]) -> None:
        """Have a file imported into each collection, and return when all have ended.

        Parameters
        ----------
        paths
            By collection, as the server finds them in its storage.

        Raises
        ------
        VectorIndexError
            If one cannot be imported, with what the server says of why.
        """
        call = self._connection.call_handler
        tasks = {call("do_bulk_insert", collection, "", [path]): path for collection, path in paths.items()}
        for state in self._ended(tasks):
            if not _is_complete(state):
                path, address = tasks[state.task_id], self._connection.address
                raise VectorIndexError(
                    f"Milvus at {address} could not import {path!r} from its storage: {state.failed_reason}"
                )

    def wait(self, collections: Iterable[str]) -> None:
        """Return when nothing is imported into these collections: one that is dropped meanwhile jams 2.3."""
        there = [each for each in collections if self._connection.call("has_collection", each)]
        asked = (self._connection.call_handler("list_bulk_insert_tasks", 0, each) for each in there)
        self._ended(state.task_id for states in asked for state in states)

    def _ended(self, tasks: Iterable[int]) -> list[Any]:
        """States of imports once all of them have ended, well or not."""
        waiting, ended = list(tasks), []
        while waiting:
            time.sleep(_PAUSE_S)
            states = [self._connection.call_handler("get_bulk_insert_state", task) for task in waiting]
            ended += [state for state in states if _is_complete(state) or _is_failed(state)]
            waiting = [task for task in waiting if task not in {state.task_id for state in ended}]
        return ended


def _is_complete(state: Any) -> bool:
    from pymilvus import BulkInsertState

    return bool(state.state == BulkInsertState.ImportCompleted)


def _is_failed(state: Any) -> bool:
    from pymilvus import BulkInsertState

    return state.state in {BulkInsertState.ImportFailed, BulkInsertState.ImportFailedAndCleaned}
