"""A model's exported graph as an encoder of its own, opened without torch and transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core import checks
from zeroshot_core.encoders.base import Role
from zeroshot_core.encoders.batching import Padding, padding_of, plain_tokenizer, token_batches
from zeroshot_core.encoders.fingerprint import PROBES
from zeroshot_core.encoders.onnx import OnnxSession, Runtime, n_at_once
from zeroshot_core.encoders.transformer import TransformerEncoder
from zeroshot_core.errors import ArtifactError, require
from zeroshot_core.files import file_digest, new_folder, write_json, write_text

if TYPE_CHECKING:
    import os

    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Ints

__all__ = ["FACTS", "GraphEncoder", "GraphFacts", "write_facts"]

FACTS, _TOKENIZER = "encoder.json", "tokenizer.json"
_SAMPLE = (*PROBES, "lamp", "Why was my card charged twice for $12.50? " * 200)


@dataclass(frozen=True, kw_only=True)
class GraphFacts:
    """What an encoder must know of a model beside its graph and its tokenizer.

    Parameters
    ----------
    model
        Name by which the model itself is opened.
    fingerprint
        Of the model in torch.
    tokenizer
        Digest of the tokenizer's file.
    """

    model: str
    fingerprint: str
    dimension: int
    max_length: int | None
    prompts: dict[str, str]
    pooling: str | None
    padding: Padding
    tokenizer: str

    @classmethod
    def read(cls, folder: Path) -> GraphFacts:
        """Read what lies beside a graph.

        Raises
        ------
        ArtifactError
            If it is damaged.
        """
        try:
            values = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            facts = cls(**{**values, "padding": Padding(**values["padding"])})
            checks.whole("dimension", facts.dimension, least=1)
            prompts = [facts.prompts[role] for role in ("document", "query")]
            if not all(isinstance(one, str) for one in (facts.model, facts.fingerprint, *prompts)):
                raise TypeError("a name or a prompt is no text")
            if file_digest(folder / _TOKENIZER) != facts.tokenizer:
                raise ValueError(f"{_TOKENIZER} has another checksum")
            return facts
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArtifactError(
                f"expected a graph with its tokenizer in {folder}, got a damaged one ({error}); "
                "delete the folder, and the graph is exported anew"
            ) from error


def write_facts(encoder: TransformerEncoder, folder: Path) -> None:
    """Write beside a model's graph what opens it without torch, unless its tokenizer has no file.

    That is so where it is not one of the library tokenizers, or makes other tokens there.
    """
    from tokenizers import Tokenizer

    tokenizer: Any = plain_tokenizer(encoder.model)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return
    own: Any = Tokenizer.from_str(backend.to_str())
    own.no_padding()
    longest = tokenizer.model_max_length
    if longest < 1_000_000:
        own.enable_truncation(int(longest), direction=tokenizer.truncation_side)
    else:
        own.no_truncation()
    expected = tokenizer(list(_SAMPLE), truncation=True, return_attention_mask=True).data
    found = _tokens(own, list(_SAMPLE))
    if any(found.get(name) != values for name, values in expected.items()):
        return
    write_text(folder / _TOKENIZER, own.to_str())
    facts = GraphFacts(
        model=encoder.name,
        fingerprint=encoder.running_on(None).fingerprint,
        dimension=encoder.dimension,
        max_length=encoder.max_length,
        prompts=encoder.prompts,
        pooling=encoder.pooling,
        padding=padding_of(tokenizer),
        tokenizer=file_digest(folder / _TOKENIZER),
    )
    write_json(folder / FACTS, asdict(facts))


class GraphEncoder(TransformerEncoder):
    """A `TransformerEncoder` whose vectors its graph computes; the model is opened if it is asked for.

    Parameters
    ----------
    folder
        Of the graph, with what `write_facts` puts there.
    name
        Hub name or folder, as of `TransformerEncoder`.
    runtime
        How the graph's numbers are kept.
    open_model
        Opens the model in torch, by the name that is given.

    Raises
    ------
    ArtifactError
        If the graph or what lies beside it is damaged.
    MissingExtraError
        If onnxruntime or tokenizers are not installed.
    """

    def __init__(
        self, folder: Path, *, name: str, runtime: Runtime, open_model: Callable[[str], SentenceTransformer]
    ) -> None:
        self._facts = GraphFacts.read(folder)
        tokenizers: Any = require("tokenizers", extra="onnx")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / _TOKENIZER))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ArtifactError(f"expected a tokenizer in {folder}, got a damaged one ({error})") from error
        self._graph = OnnxSession(folder, runtime)
        self._open_model = open_model
        self._take(name, self._facts.dimension, None, self._graph)
        self._fingerprint = self._facts.fingerprint

    @cached_property
    def _model(self) -> SentenceTransformer:  # type: ignore[override]
        has_weights = (Path(self._name) / "modules.json").is_file()
        return self._open_model(self._name if has_weights else self._facts.model)

    @property
    def _model_name(self) -> str:
        return self._facts.model

    @property
    def max_length(self) -> int | None:
        """Most tokens of a text that count, the rest is cut off; None for models that read whole texts."""
        return self._facts.max_length

    @property
    def pooling(self) -> str | None:
        """How token vectors become one: ``"mean"``, ``"cls"``, ``"lasttoken"``, ...; None without pooling."""
        return self._facts.pooling

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return {role: self._facts.prompts[role] for role in ("document", "query")}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the folder that it was opened from, or the graph alone where it has none.

        Raises
        ------
        InvalidInputError
            If the folder exists and is not empty.
        """
        with new_folder(folder) as draft:
            if Path(self._name).is_dir():
                shutil.copytree(self._name, draft)
            else:
                self.save_graph(draft)

    def _batches(self, texts: list[str], role: Role) -> Iterator[tuple[Ints, dict[str, Any]]]:
        prompt = self.prompts[role]
        tokens = _tokens(self._tokenizer, [prompt + text for text in texts])
        budget = self._batch_tokens or self._graph.batch_tokens
        return token_batches(tokens, self._facts.padding, budget=budget, n_at_once=n_at_once())


def _tokens(tokenizer: Any, texts: list[str]) -> dict[str, list[list[int]]]:
    """Tokenise texts; this is safe in several threads."""
    found = tokenizer.encode_batch(texts)
    return {
        "input_ids": [one.ids for one in found],
        "attention_mask": [one.attention_mask for one in found],
        "token_type_ids": [one.type_ids for one in found],
    }
