"""One way to Milvus, Lite or server: opening, closing, and errors said in the package's own words."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from zeroshot_core.errors import ConnectionFailedError, IndexLockedError, InvalidInputError, VectorIndexError

__all__ = ["Connection", "begin_each"]

Part = TypeVar("Part")
Answer = TypeVar("Answer")

_TIMEOUT = 8.0
_CALLS_AT_ONCE = 8
_GONE = ("statuscode.unavailable", "deadline_exceeded", "fail connecting to server", "server unavailable")
_REFUSED = (
    "auth check failure",
    "unauthenticated",
    "unauthorized",
    "invalid token",
    "permission deny",
    "permissiondenied",
)

# Milvus Lite serves a file from within this process, once for all its clients, until it is released.
_lite_lock = threading.Lock()
_lite_users: Counter[str] = Counter()
_lite_writes: Counter[str] = Counter()


class Connection:
    """An open MilvusClient whose every call raises the package's errors.

    Parameters
    ----------
    address
        What errors and `repr` show: the file, or the server's address without credentials.
    path
        Absolute path of the Milvus Lite file; None for a server.
    db_name
        Database in it; None for the default one.
    """

    def __init__(self, client: Any, *, address: str, path: str | None, db_name: str | None) -> None:
        self._client: Any = client
        self.address = address
        self.path = path
        self.db_name = db_name

    @classmethod
    def open(cls, uri: str, *, token: str | None = None, db_name: str | None = None) -> Connection:
        """Open a Milvus Lite file (a path ending in ``.db``, made if missing) or a server (``http(s)://``).

        Raises
        ------
        InvalidInputError
            If the URI is neither, or the database is not on the server.
        IndexLockedError
            If another process holds the file.
        ConnectionFailedError
            If no Milvus answers there within ten seconds, or it refuses the credentials.
        """
        if re.match(r"https?://", uri):
            connection = _open_server(uri, token, db_name)
        elif uri.endswith(".db"):
            connection = _open_lite(uri, db_name)
        else:
            raise InvalidInputError(
                f"expected a uri that ends in .db or begins with http:// or https://, got {_redacted(uri)!r}"
            )
        try:
            connection._check()
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def is_lite(self) -> bool:
        """Whether this is a local file rather than a server."""
        return self.path is not None

    @property
    def n_writes(self) -> int:
        """Number of writes to this Milvus Lite file so far: tells whether a copy of its rows is stale."""
        return _lite_writes[self.path or ""]

    def note_write(self) -> None:
        """Count one write, making copies of the rows stale."""
        with _lite_lock:
            _lite_writes[self.path or ""] += 1

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of MilvusClient.

        Raises
        ------
        VectorIndexError
            If Milvus fails; ConnectionFailedError if it does not answer or refuses the credentials.
        """
        from grpc import RpcError  # type: ignore[import-untyped]
        from pymilvus.exceptions import MilvusException

        if self._client is None:
            raise VectorIndexError(
                f"expected an open index, got one that is closed ({self.address}); connect again"
            )
        try:
            return getattr(self._client, method)(*args, **kwargs)
        except (MilvusException, RpcError) as error:
            raise _translated(error, self.address, method) from error

    def begin(self, method: str, /, *args: Any, is_alone: bool, **kwargs: Any) -> Callable[[], Any]:
        """Send a search to a server; what is given back waits for the answer.

        It is sent only when the answer is waited for where nothing else is done meanwhile (`is_alone`), which
        costs less, and to a local file, for which this process works itself. A server that fails is asked
        again by `call`, which retries and says what is wrong.
        """
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        ask = partial(self.call, method, *args, **kwargs)
        if self.is_lite or is_alone:
            return ask
        pending = self.call(method, *args, **kwargs, _async=True)

        def answer() -> Any:
            try:
                return pending.result()
            except (MilvusException, RpcError):
                return ask()

        return answer

    def clear_remnant(self, collection: str) -> None:
        """Remove from a local file what a kill has left of a collection that is not there.

        A kill while Milvus Lite makes or drops a collection can leave its folder without a schema: then
        Milvus Lite does not know the collection, and refuses to make it as long as the folder stays.
        """
        if self.path is None or self.call("has_collection", collection):
            return
        root = Path(self.path)
        if self.db_name not in (None, "", "default"):
            root = root / "databases" / str(self.db_name)
        folder = root / "collections" / collection
        if folder.is_dir():
            shutil.rmtree(folder)

    def close(self) -> None:
        """Close the client; the last one on a Milvus Lite file also lets other processes have it."""
        client, self._client = self._client, None
        if client is None:
            return
        client.close()
        if self.path is not None:
            _release_lite(self.path)

    def _check(self) -> None:
        """Ask for something real, so that what is wrong is known now."""
        names = self.call("list_databases") if self.db_name else []
        if self.db_name and self.db_name not in names:
            raise InvalidInputError(
                f"expected a database of {self.address} ({', '.join(sorted(names))}), got {self.db_name!r}; "
                "create it first"
            )
        self.call("list_collections")

    def __repr__(self) -> str:
        return f"Connection({self.address!r})"


def begin_each(begin: Callable[[Part], Callable[[], Answer]], parts: Iterable[Part]) -> Iterator[Answer]:
    """Begin a call for each part now, at most eight at once, and give their answers in order."""
    source = iter(parts)
    begun = deque(begin(part) for part in islice(source, _CALLS_AT_ONCE))

    def answers() -> Iterator[Answer]:
        while begun:
            answer = begun.popleft()()
            begun.extend(begin(part) for part in islice(source, 1))
            yield answer

    return answers()


def _open_server(uri: str, token: str | None, db_name: str | None) -> Connection:
    from grpc import RpcError
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    parts = urlsplit(uri)
    address = _redacted(uri)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 19530)
        socket.create_connection((parts.hostname or "", port), timeout=_TIMEOUT / 2).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, str(error)) from error
    try:
        client = MilvusClient(uri, token=token or "", db_name=db_name or "", timeout=_TIMEOUT)
    except (MilvusException, RpcError) as error:
        raise _translated(error, address, "connect") from None if token else error
    return Connection(client, address=address, path=None, db_name=db_name)


def _open_lite(uri: str, db_name: str | None) -> Connection:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    path = Path(uri).resolve()
    if path.is_file():
        raise InvalidInputError(
            f"expected {uri} to be a Milvus Lite 3 folder, got a file; files of Milvus Lite 2 cannot be "
            "opened: move it away or choose another path"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lite_lock:
        if not _lite_users[str(path)]:
            _lite_users[str(path)] += _is_served_here(path)
        if not _lite_users[str(path)] and _is_locked(path / "LOCK"):
            raise _locked(uri)
        try:
            client = MilvusClient(str(path), db_name=db_name or "")
        except MilvusException as error:
            if _is_locked(path / "LOCK"):
                raise _locked(uri) from error
            raise VectorIndexError(f"Milvus Lite cannot open {uri}: {error.message}") from error
        _lite_users[str(path)] += 1
    return Connection(client, address=uri, path=str(path), db_name=db_name)


def _release_lite(path: str) -> None:
    from milvus_lite.server_manager import server_manager_instance

    with _lite_lock:
        _lite_users[path] -= 1
        if _lite_users[path] <= 0:
            server_manager_instance.release_server(path)


def _is_served_here(path: Path) -> bool:
    """Whether other code of this process has the file open already; then it is not ours to release."""
    from milvus_lite.server_manager import server_manager_instance

    return str(path) in server_manager_instance._servers


def _is_locked(lock: Path) -> bool:
    """Whether a process holds Milvus Lite's advisory lock."""
    try:
        import fcntl
    except ImportError:
        return lock.exists()
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _locked(uri: str) -> IndexLockedError:
    return IndexLockedError(
        f"another process holds the Milvus Lite file {uri}; close it there, or use a Milvus server "
        "for several processes (uri='http://...', `make milvus`)"
    )


def _unreachable(address: str, reason: str) -> ConnectionFailedError:
    return ConnectionFailedError(
        f"no Milvus answers at {address} ({reason}); check the address and that the server runs "
        "(`make milvus`), or use a local file (uri='zeroshot.db')"
    )


def _translated(error: Exception, address: str, method: str) -> VectorIndexError:
    """Turn an error of Milvus into one of ours; the one place that does."""
    # The client hides the status of a failed connection behind an error of its own.
    causes = [error, *filter(None, (error.__cause__, error.__context__))]
    text = str(getattr(error, "message", "") or error)
    statuses = " ".join(f"{_status(cause)} {cause}".lower() for cause in causes)
    if any(word in statuses for word in _REFUSED):
        return ConnectionFailedError(f"Milvus at {address} refused the credentials; check the token")
    if any(word in statuses for word in _GONE):
        return _unreachable(address, text)
    return VectorIndexError(f"Milvus at {address} failed in {method}: {text}")


def _status(error: BaseException) -> str:
    """Name of the gRPC status or number of the Milvus error, if it has one."""
    code = getattr(error, "code", "")
    return str(code() if callable(code) else code)


def _redacted(uri: str) -> str:
    """Strip user, password and query from a URI."""
    parts = urlsplit(uri)
    if not parts.netloc:
        return uri
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
