"""Models of texts and images, or of images alone, through sentence-transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Role
from zeroshot_core.encoders.batching import input_modules, modalities_of, preprocessed
from zeroshot_core.encoders.contents import check_role
from zeroshot_core.encoders.modalities import Towers
from zeroshot_core.encoders.transformer import TransformerEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Vectors

__all__ = ["MultimodalEncoder"]


class MultimodalEncoder(TransformerEncoder):
    """Unit vectors of texts, images, and texts with an image, such as CLIP's and SigLIP's.

    A text is always a text, also where it looks like a path or a URL. An item with both has the vector that
    the model itself makes of both; where it has no way to, the unit mean of the two vectors.

    Parameters
    ----------
    model
        The model; it must not change afterwards.
    name
        A hub name or a folder, from which `load_encoder` opens the same model.
    batch_tokens
        Most tokens in one forward pass of texts.
    image_batch
        Images in one forward pass, at least 1.
    allow_urls
        Whether an image may be a URL, which is fetched; never one of a private network.

    Raises
    ------
    InvalidInputError
        If a number is below 1.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str,
        batch_tokens: int | None = None,
        image_batch: int = 16,
        allow_urls: bool = False,
    ) -> None:
        super().__init__(model, name=name, batch_tokens=batch_tokens)
        self._image_batch = checks.whole("image_batch", image_batch, least=1)
        self._allow_urls = checks.flag("allow_urls", allow_urls)
        self._has_warned = False

    @property
    def modalities(self) -> tuple[str, ...]:
        """Of ``"text"`` and ``"image"``, those that the model takes."""
        return tuple(kind for kind in ("text", "image") if kind in modalities_of(self.model[0]))

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode texts, images and Items in any order, each distinct one once, in batches of one modality.

        Raises
        ------
        InvalidInputError
            If a content is of a modality that the model does not take, or an image cannot be read.

        Warns
        -----
        UserWarning
            Once, if texts are longer than what the model reads.
        """
        check_role(role)

        def texts(given: list[str]) -> Vectors:
            self._warn_of_cuts(given, role)
            return self._text_rows(given, role, show_progress)

        def pairs(given: list[str], images: list[Any]) -> Vectors:
            both = [{"text": text, "image": image} for text, image in zip(given, images, strict=True)]
            return self._rows(both, role)

        towers = Towers(
            name=self.name,
            dimension=self.dimension,
            texts=texts if "text" in self.modalities else None,
            images=lambda images: self._rows([{"image": image} for image in images], role),
            pairs=pairs if self.model.supports(("image", "text")) else None,
            batch=self._image_batch,
            allow_urls=self._allow_urls,
        )
        return towers.encode(contents, show_progress=show_progress)

    def _rows(self, inputs: Sequence[Mapping[str, Any]], role: Role) -> Vectors:
        try:
            with self._lock:
                features = preprocessed(self.model, inputs, prompt=self.prompts[role], role=role)
        except ValueError as error:
            raise InvalidInputError(
                f"expected images that {self.name!r} reads within its {self.max_length} tokens, got one that "
                f"it does not ({error}); give a smaller or less narrow image, or open it with a "
                "larger max_length"
            ) from error
        return self._forward(features)

    def _warn_of_cuts(self, texts: Sequence[str], role: Role) -> None:
        """Say once that texts are cut: CLIP reads 77 tokens, and can't read more."""
        length, prompt = self.max_length, self.prompts[role]
        tokenizer = next((each.tokenizer for each in input_modules(self.model) if _is_callable(each)), None)
        if self._has_warned or length is None or tokenizer is None:
            return
        # A token is seldom less than a character.
        long = [prompt + text for text in texts if len(prompt) + len(text) > length - 2]
        if not long:
            return
        with self._lock:
            tokens = tokenizer(long, truncation=True, max_length=length + 1)["input_ids"]
        n = int(np.sum([len(ids) > length for ids in tokens]))
        if n:
            self._has_warned = True
            checks.warn(
                f"{n} of {len(texts)} texts are longer than the {length} tokens that {self.name} reads; the "
                "rest is cut off: give shorter texts, or an encoder of texts for them"
            )


def _is_callable(module: Any) -> bool:
    return callable(getattr(module, "tokenizer", None)) and "text" in modalities_of(module)
