"""Saving and opening, the same for every model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeVar

from zeroshot_core.errors import ArtifactError, InvalidInputError, ZeroShotError
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.saving import (
    ModelParts,
    load_state,
    open_parts,
    write_model,
)
from zeroshot_core.files import cause_of
from zeroshot_core.index.uri import Uri

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.encoder_tuning import Report
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion

__all__ = ["SavedModel"]

Model = TypeVar("Model", bound="SavedModel")


class SavedModel:
    """A fitted model that can be written into a folder and opened again.

    A model names its `_kind`, by which `load_model` finds it, and turns what it learned into a `ModelState`
    and back.
    """

    kinds: ClassVar[dict[str, type[SavedModel]]] = {}
    _kind: ClassVar[str]
    encoder_: Encoder
    model_index_: ModelIndex
    version_: OpenVersion
    saved_extra_: dict[str, Any]
    # Whether the encoder was tuned for this model, and so is saved with it.
    holds_encoder_: bool = False
    # What tuning did in `fit`; None without it, and after loading.
    tuning_: Report | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        # By whichever way it comes, what a repr, a log or a pickle shows has no password in it.
        super().__setattr__(name, Uri(value) if name == "index" and isinstance(value, str) else value)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "_kind" in vars(cls):
            SavedModel.kinds[cls._kind] = cls

    def save(
        self, folder: str | Path, *, overwrite: bool = False, extra: dict[str, Any] | None = None
    ) -> None:
        """Write the model into a folder of plain files; see `zeroshot_core.estimators.saving`.

        Parameters
        ----------
        overwrite
            Whether to replace the model that the folder holds; it serves until the new one is complete.
        extra
            JSON-able notes to keep with the model, `saved_extra_` after loading.

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
        parts = ModelParts(
            encoder=self.encoder_,
            holds_encoder=self.holds_encoder_,
            graph=self._saved_graph(),
            model_index=self.model_index_,
            version=self.version_,
            extra=extra or {},
        )
        write_model(Path(folder), self._state(), parts, overwrite=overwrite)

    @classmethod
    def load(
        cls: type[Model],
        folder: str | Path,
        *,
        encoder: Encoder | None = None,
        uri: str | None = None,
        token: str | None = None,
        trust_uri: bool = False,
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

        Raises
        ------
        ArtifactError
            If the folder holds no such model, or a damaged one, or its index is on a server that neither
            `uri` nor `trust_uri` allows; the message says what is wrong.
        FingerprintMismatchError
            If the encoder is not the one that the model was fitted with.
        """
        path = Path(folder)
        with _told_as_damage(path):
            state = load_state(path)
        if state.kind != cls._kind:
            raise ArtifactError(f"expected a saved {cls._kind}, got a {state.kind}; open it with load_model")
        with _told_as_damage(path):
            parts = open_parts(path, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri)
            try:
                model = cls._restored(state, parts)
            except BaseException as error:
                parts.model_index.close()
                if isinstance(error, InvalidInputError):
                    raise ArtifactError(f"{folder} is damaged: {error}; save the model again") from error
                raise
        model.saved_extra_, model.holds_encoder_ = dict(parts.extra), parts.holds_encoder
        return model

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if "model_index_" in vars(self):
            raise InvalidInputError(
                f"expected a model that can be pickled or copied, got a fitted {type(self).__name__}, which "
                "holds an open index; save it, and open it where it is needed with load_model(folder)"
            )
        return super().__reduce_ex__(protocol)

    def close(self) -> None:
        """Close the index if the model opened it."""
        self._check_fitted()
        self.model_index_.close()

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


@contextmanager
def _told_as_damage(folder: Path) -> Iterator[None]:
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
