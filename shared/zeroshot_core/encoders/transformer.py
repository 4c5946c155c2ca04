"""Transformer models as encoders, through sentence-transformers."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.batching import feature_batches, preprocessed
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.fingerprint import model_fingerprint, runtime_fingerprint
from zeroshot_core.encoders.onnx import Agreement, OnnxSession, Runtime, WeightBits, n_at_once
from zeroshot_core.encoders.text_languages import LanguageCheck
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.files import new_folder
from zeroshot_core.types import Content

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Ints, Vectors

__all__ = ["TransformerEncoder", "no_library_bars"]

# What was fastest with MiniLM in torch.
_TORCH_TOKENS = 1024
# Models whose authors say that they read English, without the organisation.
_ENGLISH = frozenset(
    (
        "all-MiniLM-L12-v2",
        "all-MiniLM-L6-v2",
        "all-mpnet-base-v2",
        "bge-base-en-v1.5",
        "bge-small-en-v1.5",
        "e5-small-v2",
        "gte-small",
        "multi-qa-MiniLM-L6-cos-v1",
        "paraphrase-MiniLM-L6-v2",
    )
)
# Texts tokenised at a time: bounds the memory of the token lists and the wait of other threads.
_SHARD = 4096


class TransformerEncoder(Encoder):
    """Unit vectors from a sentence-transformers model.

    Parameters
    ----------
    model
        The model; it must not change afterwards, for the fingerprint is made once.
    name
        A hub name or a folder, from which `load_encoder` opens the same model.
    batch_tokens
        Most tokens in one forward pass, padding included, at least 1; by default 1,024 in torch, and in a
        session what was fastest on this processor.
    session
        What computes the vectors in place of torch: a graph of the same model.

    Raises
    ------
    InvalidInputError
        If `batch_tokens` is below 1.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str,
        batch_tokens: int | None = None,
        session: OnnxSession | None = None,
    ) -> None:
        if batch_tokens is not None:
            checks.whole("batch_tokens", batch_tokens, least=1)
        dimension = model.get_embedding_dimension() or _probed_dimension(model)
        self._model = model
        self._take(name, dimension, batch_tokens, session)

    def _take(self, name: str, dimension: int, batch_tokens: int | None, session: OnnxSession | None) -> None:
        """Keep what there is beside the model."""
        self._name = name
        self._batch_tokens = batch_tokens
        self._dimension = dimension
        self._session = session
        self._fingerprint: str | None = None
        self._lock = threading.Lock()
        self._check_languages = LanguageCheck(self)

    @property
    def name(self) -> str:
        """Hub name or folder."""
        return self._name

    @property
    def model(self) -> SentenceTransformer:
        """The model underneath; copy it before changing it."""
        return self._model

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._dimension

    @property
    def max_length(self) -> int | None:
        """Most tokens of a text that count, the rest is cut off; None for models that read whole texts."""
        length = self._model.max_seq_length
        return None if length is None or length == float("inf") else int(length)

    @property
    def pooling(self) -> str | None:
        """How token vectors become one: ``"mean"``, ``"cls"``, ``"lasttoken"``, ...; None without pooling."""
        modes = [module.pooling_mode for module in self._model if hasattr(module, "pooling_mode")]
        return modes[0] if modes and isinstance(modes[0], str) else None

    @property
    def languages(self) -> frozenset[str] | None:
        """English for widely used models that read nothing else, by their names; None for all others."""
        return frozenset({"en"}) if self._model_name.rpartition("/")[2] in _ENGLISH else None

    @property
    def _model_name(self) -> str:
        """Name of the model, wherever it lies."""
        return self._name

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return {role: self._model.prompts.get(role) or "" for role in ("document", "query")}

    @property
    def runtime(self) -> Runtime:
        """What computes the vectors: ``"torch"``, ``"onnx"`` or ``"onnx-int8"``."""
        return self._session.runtime if self._session else "torch"

    @property
    def weight_bits(self) -> WeightBits | None:
        """Bits of the weights in 8-bit products: 8, or 7 on x86 processors without VNNI; None if exact."""
        return self._session.weight_bits if self._session else None

    @property
    def agreement(self) -> Agreement | None:
        """How near the runtime's vectors are to those of torch, measured at the export; None for torch."""
        return self._session.agreement if self._session else None

    @property
    def fingerprint(self) -> str:
        """16 hex digits over weights, tokenizer, pooling, prompts, length, dimension, and 8 bits if so."""
        with self._lock:
            if self._fingerprint is None:
                self._fingerprint = model_fingerprint(
                    self._model, prompts=self.prompts, max_length=self.max_length, dimension=self.dimension
                )
            return runtime_fingerprint(self._fingerprint, self.weight_bits)

    @property
    def repeatability(self) -> float:
        """Least cosine between two encodings of one text; in 8 bits, a text's scale is that of its batch.

        Two vectors within an angle of that of torch are within twice that angle: ``cos 2a = 2 cos(a)^2 - 1``.
        """
        if self._session is None or self.runtime == "onnx":
            return super().repeatability
        return min(super().repeatability, 2 * self._session.agreement.lowest**2 - 1)

    def running_on(
        self, session: OnnxSession | None, *, batch_tokens: int | None = None
    ) -> TransformerEncoder:
        """Give the same model with its vectors computed by a session, or by torch if there is none."""
        other = TransformerEncoder(
            self._model, name=self._name, batch_tokens=batch_tokens or self._batch_tokens, session=session
        )
        # Both share a tokenizer, so they take turns.
        other._lock, other._fingerprint = self._lock, self._fingerprint
        return other

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode texts, each distinct one once, in batches by token budget.

        Raises
        ------
        InvalidInputError
            If a content is not a non-empty text, or the model gives a vector without direction.
        ArtifactError
            If the model or its graph is damaged, so that it fails or gives vectors of another length.
        """
        check_role(role)
        texts, where = unique_texts(contents, self._name)
        return self._text_rows(texts, role, show_progress)[where]

    def to_config(self) -> dict[str, Any]:
        """JSON-able reference from which `encoder_from_config` opens the same encoder."""
        return {
            "kind": "transformer",
            "name_or_path": self._name,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "prompts": self.prompts,
            "runtime": self.runtime,
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a sentence-transformers folder that `load_encoder` opens with the same fingerprint.

        The graph of the encoder's runtime goes with it.

        Raises
        ------
        InvalidInputError
            If the folder exists and is not empty.
        """
        with new_folder(folder) as draft, self._lock, no_library_bars():
            self._model.save(str(draft), create_model_card=False)
            self.save_graph(draft)

    def save_graph(self, folder: Path) -> None:
        """Write the graph of the encoder's runtime, if it has one, where `load_encoder` looks for it."""
        if self._session:
            shutil.copytree(self._session.folder, folder / "onnx" / self._session.folder.name)

    def __reduce__(self) -> NoReturn:
        raise InvalidInputError(
            f"expected an encoder that can be pickled, got a TransformerEncoder ({self._name}); save it, and "
            "open it where it is needed with load_encoder(folder)"
        )

    def _text_rows(self, texts: list[str], role: Role, show_progress: bool) -> Vectors:
        from tqdm import tqdm

        self._check_languages(texts)
        rows = np.empty((len(texts), self.dimension), np.float32)
        with tqdm(total=len(texts), unit="text", disable=not show_progress) as bar:
            for positions, vectors in self._encode_unique(texts, role):
                rows[positions] = vectors
                bar.update(len(positions))
        return rows

    def _encode_unique(self, texts: list[str], role: Role) -> Iterator[tuple[Ints, Vectors]]:
        for start in range(0, len(texts), _SHARD):
            shard = texts[start : start + _SHARD]
            batches = self._batches(shard, role)
            run = self._session.run_each(batches) if self._session else self._forward_each(batches)
            for positions, vectors in run:
                if vectors.shape != (len(positions), self.dimension):
                    raise ArtifactError(
                        f"expected vectors of shape {(len(positions), self.dimension)} from {self._name!r}, "
                        f"got {vectors.shape}; delete its folder onnx, and the graph is exported anew"
                    )
                yield positions + start, unit_rows(vectors, [shard[i] for i in positions])

    def _batches(self, texts: list[str], role: Role) -> Iterator[tuple[Ints, dict[str, Any]]]:
        batches = feature_batches(
            self._model,
            texts,
            prompt=self.prompts[role],
            role=role,
            budget=self._batch_tokens or (self._session.batch_tokens if self._session else _TORCH_TOKENS),
            n_at_once=n_at_once() if self._session else 1,
        )
        while True:
            # The fast tokenizers are not re-entrant; between batches other threads get their turn.
            with self._lock:
                step = next(batches, None)
            if step is None:
                return
            yield step

    def _forward_each(self, batches: Iterable[tuple[Ints, dict[str, Any]]]) -> Iterator[tuple[Ints, Vectors]]:
        for positions, features in batches:
            yield positions, self._forward(features)

    def _forward(self, features: Mapping[str, Any]) -> Vectors:
        import torch

        device = self._model.device
        with self._lock, torch.inference_mode():
            moved = {key: _to(value, device) for key, value in features.items()}
            try:
                embedding = self._model(moved)["sentence_embedding"][:, : self.dimension]
            except IndexError as error:
                raise ArtifactError(
                    f"expected weights for each token of {self._name!r}, got fewer than its tokenizer has "
                    f"({error}); copy the model again"
                ) from error
            return np.asarray(embedding.float().cpu().numpy(), np.float32)


@contextmanager
def no_library_bars() -> Iterator[None]:
    """Silence the bars that transformers draws while it reads or writes weights."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _probed_dimension(model: SentenceTransformer) -> int:
    """Length of the vectors of a model whose own code does not tell it."""
    import torch

    features = preprocessed(model, [{"text": "a"}], prompt="", role="document")
    with torch.inference_mode():
        moved = {key: _to(value, model.device) for key, value in features.items()}
        return int(model(moved)["sentence_embedding"].shape[1])


def _to(value: Any, device: torch.device) -> Any:
    import torch

    value = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    return value.to(device) if hasattr(value, "to") else value
