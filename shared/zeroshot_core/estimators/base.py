"""Saving and opening, the same for every model."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from zeroshot_core.errors import ArtifactError
from zeroshot_core.estimators.saving import (
    ModelParts,
    ModelState,
    check_overwrite,
    load_state,
    open_parts,
    write_model,
)

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
            If the folder holds a model and `overwrite` is False, or files that are not a model's.
        """
        self._check_fitted()
        target = Path(folder)
        check_overwrite(target, overwrite=overwrite)
        parts = ModelParts(
            encoder=self.encoder_,
            holds_encoder=self.holds_encoder_,
            graph=self._saved_graph(),
            model_index=self.model_index_,
            version=self.version_,
            extra=extra or {},
        )
        write_model(target, self._state(), parts)

    @classmethod
    def load(
        cls: type[Model],
        folder: str | Path,
        *,
        encoder: Encoder | None = None,
        uri: str | None = None,
        token: str | None = None,
    ) -> Model:
        """Open a saved model.

        Parameters
        ----------
        encoder
            The encoder, where it wraps a function that no file can hold.
        uri, token
            Where the index is now, if it moved, and its credentials.

        Raises
        ------
        ArtifactError
            If the folder holds no such model, or a damaged one; the message says what is wrong.
        FingerprintMismatchError
            If the encoder is not the one that the model was fitted with.
        """
        state = load_state(Path(folder))
        if state.kind != cls._kind:
            raise ArtifactError(f"expected a saved {cls._kind}, got a {state.kind}; open it with load_model")
        parts = open_parts(Path(folder), encoder=encoder, uri=uri, token=token)
        try:
            model = cls._restored(state, parts)
        except KeyError as error:
            parts.model_index.close()
            raise ArtifactError(
                f"{folder} is damaged: its {state.kind} lacks {error}; save the model again"
            ) from error
        model.saved_extra_, model.holds_encoder_ = dict(parts.extra), parts.holds_encoder
        return model

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
        """Make a fitted model of its parts."""
