"""Saving and opening, the same for every model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeVar

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError, InvalidInputError, ZeroShotError
from zeroshot_core.estimators.indexing import as_items
from zeroshot_core.estimators.model_inputs import read_query
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.saving import (
    ModelParts,
    load_state,
    open_parts,
    write_model,
)
from zeroshot_core.files import cause_of
from zeroshot_core.frames.table_schema import TableSchema
from zeroshot_core.index.uri import Uri
from zeroshot_core.spans import traced

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.encoder_tuning import Report
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.estimators.model_inputs import Entries
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Item

__all__ = ["FittedState", "SavedModel", "opened_parts", "snapshot", "told_as_damage"]

Model = TypeVar("Model", bound="SavedModel")
# Methods that are traced.
_ANSWERS = ("predict", "predict_proba", "explain")


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedState:
    """What a model has learned, as one object: who answers a call reads it once, and so never parts of two.

    Parameters
    ----------
    holds_encoder
        Whether the encoder was tuned for this model, and so is saved with it.
    version
        Of the index, with the items that the model was fitted on and has learned from since.
    tuning
        What tuning did in `fit`; None without it, and after loading.
    graph
        The concepts that cells of tables name; None without any.
    schema
        Which columns of a table say what; None if `fit` was told of none.
    """

    encoder: Encoder
    holds_encoder: bool = False
    model_index: ModelIndex
    version: OpenVersion
    tuning: Report | None = None
    graph: KnowledgeGraph | None = None
    schema: TableSchema | None = None

    def read(self, X: Any) -> Any:
        """Read the rows of a table as items, anything else as it is."""
        return read_query(X, self.schema, self.graph)


class Turns:
    """Has those who change a model take turns; a copy of the model has turns of its own."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        return Turns, ()


class SavedModel:
    """A fitted model that can be written into a folder and opened again.

    A model names its `_kind`, by which `load_model` finds it, and turns what it learned into a `ModelState`
    and back. What it learned is one object, `_fitted`, which is never changed, only replaced by another.
    """

    kinds: ClassVar[dict[str, type[SavedModel]]] = {}
    _kind: ClassVar[str]
    saved_extra_: dict[str, Any]
    _fitted: FittedState
    _turns: Turns

    def __new__(cls: type[Model], *args: Any, **keywords: Any) -> Model:
        """Make a model that nobody changes yet."""
        model = super().__new__(cls)
        model._turns = Turns()
        return model

    def __setattr__(self, name: str, value: Any) -> None:
        # By whichever way it comes, what a repr, a log or a pickle shows has no password in it.
        super().__setattr__(name, Uri(value) if name == "index" and isinstance(value, str) else value)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in {*_ANSWERS} & vars(cls).keys():
            setattr(cls, name, traced("predict", "queries")(getattr(cls, name)))
        if "_kind" in vars(cls):
            SavedModel.kinds[cls._kind] = cls

    @property
    def encoder_(self) -> Encoder:
        """The encoder, as `fit` tuned it if it did."""
        return self._fitted.encoder

    @property
    def model_index_(self) -> ModelIndex:
        """The index behind the model."""
        return self._fitted.model_index

    @property
    def version_(self) -> OpenVersion:
        """The version of the index that the model reads."""
        return self._fitted.version

    @property
    def holds_encoder_(self) -> bool:
        """Whether the encoder was tuned for this model, and so is saved with it."""
        return self._is_fitted and self._fitted.holds_encoder

    @property
    def tuning_(self) -> Report | None:
        """What tuning did in `fit`; None without it, and after loading."""
        return self._fitted.tuning if self._is_fitted else None

    @property
    def schema_(self) -> TableSchema | None:
        """Which columns of a table say what; None if `fit` was told of none."""
        return self._fitted.schema

    def to_items(self, X: Entries) -> list[Item]:
        """Items of what may be asked: of the rows of a table, of texts, or the items themselves."""
        self._check_fitted()
        return as_items(self._fitted.read(X), prefix="query-")

    def save(
        self,
        folder: str | Path,
        *,
        overwrite: bool = False,
        extra: dict[str, Any] | None = None,
        portable: bool = False,
    ) -> None:
        """Write the model into a folder of plain files; see `zeroshot_core.estimators.saving`.

        Parameters
        ----------
        overwrite
            Whether to replace the model that the folder holds; it serves until the new one is complete.
        extra
            JSON-able notes to keep with the model, `saved_extra_` after loading.
        portable
            Whether the graph of an encoder that runs in ONNX goes along, so that the folder opens where
            neither the encoder nor torch is installed.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ArtifactError
            If the folder holds a model and `overwrite` is False, or anything that is not that model's;
            another process is saving into it; or the system refuses to write. The folder is left as it was.
        InvalidInputError
            If `extra` is not JSON-able.
        """
        self._check_fitted()
        target = checks.path("folder", folder)
        if extra is not None:
            checks.instance("extra", extra, dict)
        # Another thread may go on learning meanwhile.
        model = type(self).__new__(type(self))
        vars(model).update(vars(self))
        parts = ModelParts(
            encoder=model.encoder_,
            holds_encoder=model.holds_encoder_,
            graph=model._saved_graph(),
            model_index=model.model_index_,
            version=model.version_,
            extra=extra or {},
            is_portable=checks.flag("portable", portable),
        )
        state, schema = model._state(), model._fitted.schema
        if schema is not None:
            state = replace(state, config={**state.config, "schema": schema.to_config()})
        write_model(target, state, parts, overwrite=checks.flag("overwrite", overwrite))

    @classmethod
    def load(
        cls: type[Model],
        folder: str | Path,
        *,
        encoder: Encoder | None = None,
        uri: str | None = None,
        token: str | None = None,
        trust_uri: bool = False,
        read_only: bool = False,
    ) -> Model:
        """Open a saved model.

        Parameters
        ----------
        encoder
            The encoder, where it wraps a function that no file can hold.
        uri, token
            Where the index is now, if it moved or is on a server, and its credentials, which go nowhere
            else.
        trust_uri
            Whether to connect, with the credentials, to a server that the folder alone names: only for a
            folder that nobody else could have written.
        read_only
            Whether to read a local index from a temporary copy, so that others may hold it meanwhile, as a
            service does. A folder that can't be written is opened so anyway.

        Raises
        ------
        ArtifactError
            If the folder holds no such model, or a damaged one, or its index is on a server that neither
            `uri` nor `trust_uri` allows; the message says what is wrong.
        FingerprintMismatchError
            If the encoder is not the one that the model was fitted with.
        """
        path, trust_uri = checks.path("folder", folder), checks.flag("trust_uri", trust_uri)
        read_only = checks.flag("read_only", read_only)
        with told_as_damage(path):
            state = load_state(path)
        if state.kind != cls._kind:
            raise ArtifactError(f"expected a saved {cls._kind}, got a {state.kind}; open it with load_model")
        with opened_parts(
            path, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri, read_only=read_only
        ) as parts:
            model = cls._restored(state, parts)
            if "schema" in state.config:
                schema = TableSchema.from_config(state.mapping("schema"))
                model._fitted = replace(model._fitted, schema=schema)
        model.saved_extra_ = dict(parts.extra)
        return model

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if self._is_fitted:
            raise InvalidInputError(
                f"expected a model that can be pickled or copied, got a fitted {type(self).__name__}, which "
                "holds an open index; save it, and open it where it is needed with load_model(folder)"
            )
        return super().__reduce_ex__(protocol)

    def close(self) -> None:
        """Close the index if the model opened it."""
        self._check_fitted()
        self.model_index_.close()

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted

    @property
    def _is_fitted(self) -> bool:
        return "_fitted" in vars(self)

    @property
    def _held_encoder(self) -> Encoder | None:
        """The encoder that was tuned for this model before, if one was."""
        return self._fitted.encoder if self.holds_encoder_ else None

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that texts are asked for, not rows of numbers."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags

    @abstractmethod
    def _check_fitted(self) -> None:
        """Refuse a model before `fit`."""

    @abstractmethod
    def _state(self) -> ModelState:
        """Give what was learned as plain parts."""

    @abstractmethod
    def _saved_graph(self) -> KnowledgeGraph | None:
        """Give the graph to keep with the model."""

    @classmethod
    @abstractmethod
    def _restored(cls: type[Model], state: ModelState, parts: ModelParts) -> Model:
        """Make a fitted model of its parts; `InvalidInputError` where the state is none of its own."""


def snapshot(model: Model) -> Model:
    """Give a model as it is now, for who asks it more than once: later changes are not seen by it."""
    twin: Model = type(model).__new__(type(model))
    vars(twin).update({name: value for name, value in vars(model).items() if name != "_turns"})
    return twin


@contextmanager
def opened_parts(
    folder: Path,
    *,
    encoder: Encoder | None,
    uri: str | None,
    token: str | None,
    trust_uri: bool,
    read_only: bool,
) -> Iterator[ModelParts]:
    """Open what a saved model is made of; if it can't be put together again, close it and say why."""
    with told_as_damage(folder):
        parts = open_parts(
            folder, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri, read_only=read_only
        )
        try:
            yield parts
        except BaseException as error:
            parts.model_index.close()
            if isinstance(error, InvalidInputError):
                raise ArtifactError(f"{folder} is damaged: {error}; save the model again") from error
            raise


@contextmanager
def told_as_damage(folder: Path) -> Iterator[None]:
    """Say in one sentence that a folder is damaged, whatever its content brings the code to do."""
    try:
        yield
    except ZeroShotError:
        raise
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read: {cause_of(error)}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ArtifactError(f"{folder} is damaged ({reason}); save the model again") from error
