"""The index behind a model: given, opened by its URI, or a temporary local one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, VectorIndexError, ZeroShotError
from zeroshot_core.files import cause_of
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.images import is_image
from zeroshot_core.index import OpenVersion, VectorIndex
from zeroshot_core.index.connection import is_locked
from zeroshot_core.index.lite_folder import copy_collections
from zeroshot_core.types import Item, repaired_items

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder

__all__ = ["ModelIndex", "OpenIndexes", "as_items", "check_graph", "resolve_encoder"]


_PREFIX = "zeroshot-index-"
_GRACE_S = 60.0


class OpenIndexes:
    """What closes the indexes that models opened, each once: by `close`, after its model is gone, or at exit.

    Garbage is collected at any moment, also while this thread holds the locks that closing an index takes.
    So an index whose model is gone is only noted then, and closed when the next one opens, or at exit.
    Each is closed by the process that opened it, never by one that it forked.
    """

    def __init__(self) -> None:
        # By number: the process that opened the index, and what closes it.
        self._closers: dict[int, tuple[int, Callable[[], None]]] = {}
        self._abandoned: deque[int] = deque()
        self._numbers = count()
        atexit.register(self._close_all)

    def add(self, owner: object, closer: Callable[[], None]) -> int:
        """Have an index closed some time after its owner is gone; the number to `close` it by before."""
        number = next(self._numbers)
        self._closers[number] = os.getpid(), closer
        weakref.finalize(owner, self._abandoned.append, number)
        return number

    def close(self, number: int) -> None:
        """Close an index, unless that was done."""
        process, closer = self._closers.pop(number, (None, None))
        if closer is not None and process == os.getpid():
            closer()

    def close_abandoned(self) -> None:
        """Close the indexes whose owners are gone."""
        while self._abandoned:
            self.close(self._abandoned.popleft())

    def _close_all(self) -> None:
        for number in list(self._closers):
            self.close(number)


class ModelIndex:
    """The index of a model, with what it takes to close it.

    Parameters
    ----------
    index
        An open index, which stays the caller's; a URI to connect to; or None for a temporary Milvus Lite
        file. What is opened here is closed, and what is temporary deleted, by `close`; without it, some time
        after this object is gone.
    """

    _open: ClassVar[OpenIndexes] = OpenIndexes()

    def __init__(self, index: VectorIndex | str | Path | None) -> None:
        self._open.close_abandoned()
        self.is_temporary = index is None
        self.original: Path | None = None
        self._number: int | None = None
        if index is None:
            folder = _temporary_folder()
            self.index = VectorIndex.connect(str(folder / "index.db"))
            self._own(partial(_discard, self.index, folder))
        elif isinstance(index, VectorIndex):
            if index.tenant is not None:
                raise InvalidInputError(
                    "expected an index that nobody shares for a model, since it is saved with its index, got "
                    f"that of tenant {index.tenant!r}; give an index or a database of the tenant's own"
                )
            self.index = index
        elif isinstance(index, str | Path):
            self.index = VectorIndex.connect(index)
            self._own(self.index.close)
        else:
            raise InvalidInputError(
                f"expected index to be a VectorIndex, a URI, or None, got {type(index).__name__}"
            )

    @classmethod
    def owning(cls, index: VectorIndex) -> ModelIndex:
        """Wrap an index that nobody else will close."""
        owner = cls(index)
        owner._own(index.close)
        return owner

    @classmethod
    def copied(cls, original: Path, *, name: str, version: str, db_name: str | None) -> ModelIndex:
        """Open a version of a Milvus Lite folder as a copy, whoever holds the folder, which stays as it is.

        Parameters
        ----------
        original
            Absolute path of the folder.

        Raises
        ------
        VectorIndexError
            If the system refuses.
        """
        folder = _temporary_folder()
        try:
            copy_collections(original, folder / "index.db", f"{name}_{version}_")
            index = VectorIndex.at_rest(folder / "index.db", name=name, db_name=db_name)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            cause = cause_of(error)
            if cause is None or isinstance(error, ZeroShotError):
                raise
            raise VectorIndexError(f"the index {original} cannot be copied to be read: {cause}") from error
        owner = cls(index)
        owner._own(partial(_discard, index, folder))
        owner.is_temporary, owner.original = True, original
        return owner

    @classmethod
    def of(cls, version: OpenVersion) -> ModelIndex:
        """Wrap the index of an open version, which whoever opened it closes."""
        owner = cls(VectorIndex.of(version))
        owner.is_temporary = Path(owner.index.uri).parent.name.startswith(_PREFIX)
        return owner

    def build(
        self, items: Sequence[Item], encoder: Encoder, graph: KnowledgeGraph | None, *, show_progress: bool
    ) -> OpenVersion:
        """Write a version beside the live one and open it; `publish` makes it live."""
        version = self.index.build(items, encoder, graph, show_progress=show_progress)
        return self.index.open(version, fingerprint=encoder.document_fingerprint)

    def publish(self, version: OpenVersion) -> None:
        """Verify the version and make it the live one."""
        self.index.activate(version.info.id)

    def close(self) -> None:
        """Close what this object opened; a temporary file is deleted."""
        if self._number is not None:
            self._open.close(self._number)

    def _own(self, closer: Callable[[], None]) -> None:
        self._number = self._open.add(self, closer)

    def __sklearn_clone__(self) -> ModelIndex:
        return self


def _temporary_folder() -> Path:
    """Make a folder for a temporary index.

    Raises
    ------
    VectorIndexError
        If the system refuses.
    """
    _remove_orphans(tempfile.gettempdir())
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise VectorIndexError(f"a temporary index cannot be made: {cause_of(error)}") from error


@cache
def _remove_orphans(root: str) -> None:
    """Remove the temporary indexes of this user whose process is gone, killed or ended by a signal.

    That is, whose lock nobody holds. A folder of the last minute may be about to be locked.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    for folder in Path(root).glob(f"{_PREFIX}*"):
        try:
            facts = folder.lstat()
            is_old = time.time() - facts.st_mtime > _GRACE_S
            is_own = not folder.is_symlink() and (user is None or facts.st_uid == user)
            is_whole = {path.name for path in folder.iterdir()} <= {"index.db"}
            if is_old and is_own and is_whole and not is_locked(folder / "index.db"):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # gone, or not ours to look at


def _discard(index: VectorIndex, folder: Path) -> None:
    index.close()
    shutil.rmtree(folder, ignore_errors=True)


def resolve_encoder(encoder: Any) -> Encoder:
    """Load an encoder by name, or take the one that is given.

    Raises
    ------
    InvalidInputError
        If it is neither a name nor an encoder.
    """
    from zeroshot_core.encoders import Encoder, load_encoder

    if isinstance(encoder, Encoder):
        return encoder
    if isinstance(encoder, str | Path):
        return load_encoder(str(encoder))
    raise InvalidInputError(
        f"expected an encoder or its name, got {type(encoder).__name__}; wrap a function in FunctionEncoder"
    )


def check_graph(graph: KnowledgeGraph | None) -> KnowledgeGraph | None:
    """Refuse what is neither a graph nor None."""
    if graph is not None:
        checks.instance("graph", graph, KnowledgeGraph)
    return graph


def as_items(X: Any, *, prefix: str) -> list[Item]:
    """Take items as they are, and texts and images (paths, bytes, PIL images) as items with numbered ids.

    Raises
    ------
    InvalidInputError
        If `X` is a single text, a table or a mapping, or holds something else.
    """
    items = []
    for row, entry in enumerate(checks.sequence("X", X, of="items or texts")):
        if is_image(entry):
            items.append(Item(id=f"{prefix}{row}", image=entry))
            continue
        if not isinstance(entry, str | Item):
            raise InvalidInputError(
                f"expected items or texts, got {type(entry).__name__} in row {row}: {checks.shown(entry)}; "
                "an image is a Path, bytes or a PIL image"
            )
        items.append(entry if isinstance(entry, Item) else Item(id=f"{prefix}{row}", text=entry))
    return repaired_items(items)
