"""One way to Milvus, Lite or server: opening, closing, and errors said in the package's own words."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from zeroshot_core.checks import shown
from zeroshot_core.errors import (
    ConnectionFailedError,
    IndexLockedError,
    InvalidInputError,
    UnsupportedIndexError,
    VectorIndexError,
)
from zeroshot_core.files import cause_of
from zeroshot_core.index.lite_folder import read_lite_properties
from zeroshot_core.index.uri import HiddenText, uri_and_token

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["LITE_CHANNEL", "Connection", "begin_each", "is_locked"]

Part = TypeVar("Part")
Answer = TypeVar("Answer")

# No keepalive pings to a file: Milvus Lite takes one in five minutes, pymilvus sends one in ten seconds
# and is cut off for "too many pings", and with it a call that comes at that moment.
LITE_CHANNEL = {"grpc.keepalive_time_ms": 2**31 - 1}

_TIMEOUT = 8.0
_DATABASE = re.compile(r"\w{1,255}", re.ASCII)
_CALLS_AT_ONCE = 8
_FIRST_BM25 = (2, 5)
_FIRST_SNAPSHOTS = (3, 0)
_GONE = ("statuscode.unavailable", "deadline_exceeded", "fail connecting to server", "server unavailable")
_REFUSED = (
    "auth check failure",
    "unauthenticated",
    "unauthorized",
    "invalid token",
    "permission deny",
    "permissiondenied",
)


class LiteFile:
    """A Milvus Lite file that this process has open: served once for all its connections, which own this.

    Parameters
    ----------
    path
        Absolute.
    """

    # The files that are open now, by path: each lives as long as one of its connections.
    _open: ClassVar[WeakValueDictionary[str, LiteFile]] = WeakValueDictionary()
    _lock: ClassVar[Lock] = Lock()
    # What serves the parent's files, in a forked child: kept, for to destroy it would close them.
    _inherited: ClassVar[list[object]] = []

    def __init__(self, path: str) -> None:
        self.path = path
        # Milvus Lite writes the properties of a collection under one name beside the old ones.
        self.altering = Lock()
        self.n_writes = 0
        self._n_clients = 0
        # Whether other code of this process serves the file; then it is not ours to release.
        self._is_lent = False

    @classmethod
    def connect(cls, path: Path, uri: str, db_name: str | None) -> tuple[LiteFile, MilvusClient]:
        """Open a client of a file.

        Raises
        ------
        IndexLockedError
            If another process holds it.
        VectorIndexError
            If Milvus Lite cannot open it.
        """
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        with cls._lock:
            file = cls._open.get(str(path)) or cls(str(path))
            if not file._n_clients:
                file._is_lent = file._is_lent or _is_served_here(path)
                if not file._is_lent and is_locked(path):
                    raise _locked(uri)
            try:
                # Dedicated, so that it goes when it is closed: channels that clients share pymilvus keeps by
                # address, and a file gets another address each time that it is opened.
                client = MilvusClient(
                    str(path), db_name=db_name or "", dedicated=True, grpc_options=LITE_CHANNEL
                )
            except MilvusException as error:
                if is_locked(path):
                    raise _locked(uri) from error
                reason = _refusal(path) or error.message
                raise VectorIndexError(f"Milvus Lite cannot open {uri}: {reason}") from error
            file._n_clients += 1
            cls._open[str(path)] = file
        return file, client

    @classmethod
    def leave_to_parent(cls) -> None:
        """Forget, in a forked child, the files that its parent has open: they stay the parent's.

        A child that closed them as it ends would drop the parent's locks, and write what its memory held.
        """
        cls._lock, cls._open = Lock(), WeakValueDictionary()
        module = sys.modules.get("milvus_lite.server_manager")
        if module is not None:
            manager = module.server_manager_instance
            cls._inherited.append(manager._servers)
            manager._servers, manager._lock = {}, Lock()

    def note_write(self) -> None:
        """Count one write, making copies of the rows stale."""
        with self._lock:
            self.n_writes += 1

    def release(self) -> None:
        """Give up one client; the last one lets other processes have the file."""
        from milvus_lite.server_manager import server_manager_instance

        with self._lock:
            self._n_clients -= 1
            if not self._n_clients and not self._is_lent:
                server_manager_instance.release_server(self.path)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LiteFile.leave_to_parent)


class Connection:
    """An open MilvusClient whose every call raises the package's errors.

    Parameters
    ----------
    address
        What errors and `repr` show: the file, or the server's address without credentials.
    file
        The Milvus Lite file; None for a server.
    db_name
        Database in it; None for the default one.
    """

    # Writes of this process to each server, by its address.
    _n_server_writes: ClassVar[Counter[str]] = Counter()

    def __init__(
        self,
        client: MilvusClient | None,
        *,
        address: str,
        file: LiteFile | None = None,
        db_name: str | None = None,
    ) -> None:
        self._client: MilvusClient | None = client
        self._file = file
        self._process = os.getpid()
        # Held while the properties of a collection are changed.
        self.altering = Lock() if file is None else file.altering
        self.address = address
        self.db_name = db_name
        self._uri, self._token = "", HiddenText(None)
        # While Milvus Lite is not started: what tells other processes that the file is held.
        self._lock_at_rest: IO[bytes] | None = None
        self._starting = Lock()

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
        uri, token = uri_and_token(uri, token)
        if token is not None and not isinstance(token, str):
            raise InvalidInputError(f"expected token as a text, got a {type(token).__name__}")
        _check_database(db_name)
        if re.match(r"https?://", uri):
            connection = _open_server(uri, token, db_name)
        elif uri.endswith(".db"):
            connection = _open_lite(uri, db_name)
        else:
            raise InvalidInputError(
                f"expected a uri that ends in .db or begins with http:// or https://, got {shown(uri)}"
            )
        connection._uri, connection._token = uri, HiddenText(token)
        try:
            connection._check()
        except BaseException:
            connection.close()
            raise
        return connection

    @classmethod
    def at_rest(cls, path: Path, *, db_name: str | None = None) -> Connection:
        """Open a Milvus Lite file of the caller's own, such as a copy, that is made only to be read.

        Milvus Lite is started by the first call: until then what the files tell is read from them. Where they
        don't tell all it is started now.

        Raises
        ------
        InvalidInputError
            If the database is no name.
        VectorIndexError
            If Milvus Lite is started and cannot open the file.
        """
        _check_database(db_name)
        connection = cls(None, address=str(path), file=LiteFile(str(path)), db_name=db_name)
        connection._uri, connection._lock_at_rest = str(path), _held(path)
        collections = connection.folder_of("").glob("*")  # type: ignore[union-attr]
        if any(read_lite_properties(collection) is None for collection in collections):
            connection._opened()
        return connection

    @property
    def is_at_rest(self) -> bool:
        """Whether Milvus Lite is not started: the files tell all, and to read them costs less."""
        return self._lock_at_rest is not None

    def properties(self, collection: str) -> dict[str, str] | None:
        """Read the properties of a collection; None if it is not there.

        Raises
        ------
        VectorIndexError
            As `call`.
        """
        folder = self.folder_of(collection)
        if self.is_at_rest and folder is not None:
            return read_lite_properties(folder)
        if not self.call("has_collection", collection):
            return None
        return dict(self.call("describe_collection", collection)["properties"])

    @property
    def target(self) -> dict[str, str | None]:
        """Arguments by which another process opens the same server; credentials included."""
        return {"uri": self._uri, "token": self._token.get_secret_value(), "db_name": self.db_name}

    @property
    def path(self) -> str | None:
        """Absolute path of the Milvus Lite file; None for a server."""
        return None if self._file is None else self._file.path

    @property
    def is_lite(self) -> bool:
        """Whether this is a local file rather than a server."""
        return self._file is not None

    @property
    def n_writes(self) -> int:
        """Number of writes of this process so far, to the file or the server: makes copies of rows stale."""
        return self._n_server_writes[self.address] if self._file is None else self._file.n_writes

    def note_write(self) -> None:
        """Count one write, making copies of the rows stale."""
        if self._file is None:
            self._n_server_writes[self.address] += 1
        else:
            self._file.note_write()

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of MilvusClient.

        Raises
        ------
        VectorIndexError
            If Milvus fails, or the connection came through a fork; ConnectionFailedError if it does not
            answer or refuses the credentials.
        """
        return self._asked(method, getattr(self._opened(), method), *args, **kwargs)

    def call_handler(self, method: str, /, *args: Any) -> Any:
        """Call what MilvusClient has no method for: all that imports files.

        The ORM of pymilvus 3 has one, which forgets the database, and the REST that its `bulk_import` calls
        begins with servers of 2.4; what both stand on does it everywhere.

        Raises
        ------
        VectorIndexError
            As `call`.
        """
        client: Any = self._opened()
        makes_context = getattr(client, "_generate_call_context", None)
        context = {} if makes_context is None else {"context": makes_context()}
        return self._asked(method, getattr(client._get_connection(), method), *args, **context)

    def _opened(self) -> MilvusClient:
        """Give the client, if this process opened it and it is open still."""
        if self._process != os.getpid():
            raise VectorIndexError(
                f"expected an index that this process opened, got one that came through a fork "
                f"({self.address}); connect or load again in this process, or use spawn"
            )
        if self.is_at_rest:
            self._start()
        if self._client is None:
            raise VectorIndexError(
                f"expected an open index, got one that is closed ({self.address}); connect again"
            )
        return self._client

    def _start(self) -> None:
        """Start Milvus Lite, with all collections loaded, unless another thread did meanwhile."""
        with self._starting:
            if self._lock_at_rest is None or self.path is None:
                return
            # A temporary folder that was just changed is no orphan, though nobody holds it for a moment.
            os.utime(Path(self.path).parent)
            self._lock_at_rest.close()
            file, client = LiteFile.connect(Path(self.path), self.address, self.db_name)
            try:
                for name in self._asked("list_collections", client.list_collections):
                    self._asked("load_collection", client.load_collection, name)
            except BaseException:
                client.close()
                file.release()
                raise
            self._file, self._client, self._lock_at_rest = file, client, None

    def _asked(self, method: str, ask: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Answer:
        """Call something of the client, and raise its errors as the package's own."""
        from grpc import RpcError  # type: ignore[import-untyped]
        from pymilvus.exceptions import MilvusException

        try:
            return ask(*args, **kwargs)
        except (MilvusException, RpcError) as error:
            raise _translated(error, self.address, method) from error

    def begin(self, method: str, /, *args: Any, is_alone: bool, **kwargs: Any) -> Callable[[], Any]:
        """Send a search to a server; what it returns waits for the answer.

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

    def check_bm25(self) -> None:
        """Refuse a server that doesn't index words.

        Raises
        ------
        UnsupportedIndexError
            If it is older than Milvus 2.5.
        """
        version = "" if self.is_lite else self._version_before(_FIRST_BM25)
        if version:
            raise UnsupportedIndexError(
                f"expected a Milvus with BM25 for lexical=True (a server of 2.5 or later, or a local file), "
                f"got Milvus {version} at {self.address}; leave lexical out, or upgrade the server"
            )

    @cached_property
    def takes_snapshots(self) -> bool:
        """Whether this is a server that takes snapshots of collections, as Milvus does from 3.0 on.

        It is asked once; an older one isn't, since pymilvus prints an error where a method is not known.
        """
        if self.is_lite or not hasattr(self._opened(), "list_snapshots"):
            return False
        if self._version_before(_FIRST_SNAPSHOTS):
            return False
        try:
            self.call("list_snapshots")
        except VectorIndexError:
            return False
        return True

    def _version_before(self, first: tuple[int, int]) -> str:
        """Version of a server that is older than another one; empty if it isn't, or says no number."""
        version = str(self.call("get_server_version"))
        found = re.search(r"(\d+)\.(\d+)", version)
        return version if found and (int(found[1]), int(found[2])) < first else ""

    def clear_remnant(self, collection: str) -> None:
        """Remove from a local file what a kill has left of a collection that is not there.

        A kill while Milvus Lite makes or drops a collection can leave its folder without a schema: then
        Milvus Lite does not know the collection, and refuses to make it as long as the folder stays.
        """
        folder = self.folder_of(collection)
        if folder is not None and not self.call("has_collection", collection) and folder.is_dir():
            shutil.rmtree(folder)

    def folder_of(self, collection: str) -> Path | None:
        """Where a collection of a local file lies; None for a server."""
        if self.path is None:
            return None
        root = Path(self.path)
        if self.db_name not in (None, "", "default"):
            root = root / "databases" / str(self.db_name)
        return root / "collections" / collection

    def close(self) -> None:
        """Close the client; the last one on a Milvus Lite file also lets other processes have it.

        What came through a fork belongs to the parent, and stays open there.
        """
        if self._process != os.getpid():
            return
        client, self._client = self._client, None
        if self._lock_at_rest is not None:
            self._lock_at_rest.close()
            self._lock_at_rest = None
        if client is None:
            return
        client.close()
        if self._file is not None:
            self._file.release()

    def _check(self) -> None:
        """Ask for something real, so that what is wrong is known now."""
        names = self.call("list_databases") if self.db_name else []
        if self.db_name and self.db_name not in names:
            raise InvalidInputError(
                f"expected a database of {self.address} ({', '.join(sorted(names))}), got {self.db_name!r}; "
                "create it first"
            )
        self.call("list_collections")

    def __reduce__(self) -> NoReturn:
        raise InvalidInputError(
            f"expected something that can be pickled or copied, got an open index ({self.address}); open it "
            "anew where it is needed: a saved model with load_model, an index with VectorIndex.connect"
        )

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

    address = "/".join(uri.split("/", maxsplit=3)[:3])
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 19530)
        socket.create_connection((parts.hostname or "", port), timeout=_TIMEOUT / 2).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, str(error)) from error
    try:
        client = MilvusClient(uri, token=token or "", db_name=db_name or "", timeout=_TIMEOUT)
    except (MilvusException, RpcError) as error:
        failure = _translated(error, address, "connect")
        if token:
            raise type(failure)(str(failure).replace(token, "**********")) from None
        raise failure from error
    return Connection(client, address=address, db_name=db_name)


def _open_lite(uri: str, db_name: str | None) -> Connection:
    try:
        path = Path(uri).resolve()
        is_file = path.is_file()
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise VectorIndexError(
            f"the Milvus Lite file {uri!r} cannot be opened: {cause_of(error) or error}"
        ) from error
    if is_file:
        raise InvalidInputError(
            f"expected {uri} to be a Milvus Lite 3 folder, got a file; files of Milvus Lite 2 cannot be "
            "opened: move it away or choose another path"
        )
    file, client = LiteFile.connect(path, uri, db_name)
    return Connection(client, address=uri, file=file, db_name=db_name)


def _is_served_here(path: Path) -> bool:
    """Whether other code of this process has the file open already; then it is not ours to release."""
    from milvus_lite.server_manager import server_manager_instance

    return str(path) in server_manager_instance._servers


def is_locked(path: Path) -> bool:
    """Whether a process has a Milvus Lite file open: it holds the advisory lock."""
    lock = path / "LOCK"
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


def _check_database(db_name: object) -> None:
    is_database = isinstance(db_name, str) and (not db_name or _DATABASE.fullmatch(db_name))
    if db_name is not None and not is_database:
        raise InvalidInputError(f"expected db_name of letters, digits and underscores, got {shown(db_name)}")


def _held(path: Path) -> IO[bytes]:
    """Tell other processes that a Milvus Lite file is held, as Milvus Lite does, until this is closed."""
    lock = (path / "LOCK").open("ab")
    with suppress(ImportError):
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _refusal(path: Path) -> str | None:
    """Say why the system does not let a Milvus Lite file be opened, which Milvus Lite keeps to itself."""
    try:
        path.mkdir(exist_ok=True)
        (path / "LOCK").open("ab").close()
    except OSError as error:
        return cause_of(error)
    return None


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
