"""What can be trained: the weights of a transformer, or of a small head over vectors that stay."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import numpy as np

from zeroshot_core.checks import choice, whole
from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.batching import length_sorted_batches, plain_tokenizer
from zeroshot_core.encoders.head import HeadEncoder, HeadKind
from zeroshot_core.errors import require
from zeroshot_core.training.lower_layers import LowerLayers, layer_stack
from zeroshot_core.types import Content

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module, Parameter

    from zeroshot_core.types import Ints, Vectors

__all__ = [
    "HeadLearner",
    "Learner",
    "Method",
    "TransformerLearner",
    "Values",
    "check_method",
    "head_encoder",
    "parameter_values",
    "set_parameters",
    "vectors_of",
]

Method: TypeAlias = Literal["full", "lora"]
Values: TypeAlias = "Mapping[str, Tensor]"
"""Of trained parameters, by name."""

# Tokens whose activations are kept for the gradient at a time; larger batches go through in parts.
_STEP_TOKENS = 8192
# Tokens that go through at a time on a processor, padding included.
_PASS_TOKENS = 512
# Largest memory of the states below the trained layers; with more texts they are computed at each pass.
_STATE_BYTES = 2 << 30
_LORA_RANK, _LORA_ALPHA, _LORA_DROPOUT = 8, 16, 0.1
_HEAD_RANK = 64


class Learner(Protocol):
    """Vectors of a fixed list of texts that depend on trainable parameters."""

    def parameters(self) -> dict[str, Parameter]:
        """Trainable parameters by name, in a fixed order."""

    def parts(self, rows: Ints) -> list[Ints]:
        """Cut rows into parts whose activations fit into memory together with their gradient."""

    def vectors(self, rows: Ints) -> Tensor:
        """Give unit vectors of texts, shape (n, d), with their gradient where that is on."""

    def set_training(self, is_training: bool) -> None:
        """Switch dropout on or off."""

    def encoder(self, values: Values) -> Encoder:
        """Make an encoder with these values of the parameters; the learner is used up."""


def parameter_values(learner: Learner) -> dict[str, Tensor]:
    """Copy the values of the parameters as they are now."""
    return {name: each.detach().clone() for name, each in learner.parameters().items()}


def set_parameters(learner: Learner, values: Values) -> None:
    """Give the parameters these values."""
    import torch

    with torch.no_grad():
        for name, parameter in learner.parameters().items():
            parameter.copy_(values[name])


def vectors_of(learner: Learner, rows: Ints) -> Vectors:
    """Compute unit vectors of texts, at least one, without gradients or dropout; shape (n, d)."""
    import torch

    learner.set_training(False)
    parts = learner.parts(rows)
    with torch.no_grad():
        vectors = np.concatenate([learner.vectors(part).float().cpu().numpy() for part in parts])
    place_of = {row: place for place, row in enumerate(np.concatenate(parts).tolist())}
    return np.asarray(vectors[[place_of[row] for row in rows.tolist()]])


def check_method(method: str, trained_layers: int | None) -> None:
    """Refuse a way of training a transformer that is not known.

    Raises
    ------
    InvalidInputError
        See above.
    """
    choice("method", method, get_args(Method))
    if trained_layers is not None:
        whole("trained_layers", trained_layers, least=1, remedy="None trains all layers")


class TransformerLearner:
    """A copy of a transformer encoder, of which some parameters are trained.

    Parameters
    ----------
    encoder
        Stays as it is.
    texts
        All that will be asked for, by their row.
    method
        ``"full"`` trains the weights themselves, ``"lora"`` low-rank changes of all linear maps.
    trained_layers
        How many of the upper layers are trained, at least 1 and at most all, with what comes after the
        transformer; None trains the embeddings too.
    random_state
        Seed of the first low-rank changes.

    Raises
    ------
    InvalidInputError
        If the method is not known, or there are no such layers.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        texts: Sequence[str],
        method: Method,
        trained_layers: int | None,
        random_state: int = 0,
    ) -> None:
        check_method(method, trained_layers)
        self._base = encoder
        self._texts = list(texts)
        self._prompt = encoder.prompts["document"]
        self._model = copy.deepcopy(encoder.model)
        self._is_training = False
        self._features, self._lengths = self._tokenised()
        self._upper, self._lower = self._divided(trained_layers)
        self._states: dict[int, Tensor] = {}
        self._peft = self._with_lora(random_state) if method == "lora" else None
        if self._lower is not None:
            self._states = self._all_states(self._lower)

    def parameters(self) -> dict[str, Parameter]:
        """Trainable parameters by name."""
        return {name: each for name, each in self._model.named_parameters() if each.requires_grad}

    def parts(self, rows: Ints) -> list[Ints]:
        """Cut rows into parts of bounded tokens, longest texts first."""
        return [rows[places] for places in length_sorted_batches(self._lengths[rows].tolist(), _STEP_TOKENS)]

    def set_training(self, is_training: bool) -> None:
        """Switch dropout and half precision on or off in the trained layers; below there is none."""
        self._is_training = is_training
        for module in self._upper:
            module.train(is_training)

    def vectors(self, rows: Ints) -> Tensor:
        """Give unit vectors of texts, shape (n, d).

        On a processor texts of like length go through together: nothing is gained by wider batches, and
        padding would be most of a step.
        """
        import torch

        if self._model.device.type != "cpu":
            return self._pass(rows)
        batches = list(length_sorted_batches(self._lengths[rows].tolist(), _PASS_TOKENS))
        order = torch.as_tensor(np.argsort(np.concatenate(batches)))
        return torch.cat([self._pass(rows[places]) for places in batches])[order]

    def _pass(self, rows: Ints) -> Tensor:
        import torch

        features = self._padded(rows)
        # What the guard measures is the encoder as it will be used, in full precision.
        arithmetic = _fast_arithmetic(self._model.device) if self._is_training else nullcontext()
        with self._resumed(rows, features), arithmetic:
            embedding = self._model(features)["sentence_embedding"][:, : self._base.dimension]
        return torch.nn.functional.normalize(embedding.float(), dim=1)

    def encoder(self, values: Values) -> TransformerEncoder:
        """Make an encoder with these values of the parameters; the learner is used up."""
        set_parameters(self, values)
        if self._peft is not None:
            self._peft.merge_and_unload()
        self._model.requires_grad_(True).eval()
        return TransformerEncoder(self._model, name=f"{self._base.name} (tuned)")

    def _tokenised(self) -> tuple[list[dict[str, list[int]]] | None, Ints]:
        """Token lists of each text, where the tokenizer alone makes the features, and their lengths."""
        tokenizer = plain_tokenizer(self._model)
        prompted = [self._prompt + text for text in self._texts]
        if tokenizer is None:
            return None, np.array([len(text) for text in prompted], dtype=np.int64)
        tokens = tokenizer(prompted, truncation=True, return_attention_mask=True).data
        rows = [dict(zip(tokens, values, strict=True)) for values in zip(*tokens.values(), strict=True)]
        return rows, np.array([len(row["input_ids"]) for row in rows], dtype=np.int64)

    def _padded(self, rows: Ints) -> dict[str, Any]:
        if self._features is None:
            texts = [self._texts[row] for row in rows.tolist()]
            features: Any = self._model.preprocess(texts, prompt=self._prompt or None)
        else:
            own = [self._features[row] for row in rows.tolist()]
            lists = {key: [row[key] for row in own] for key in own[0]}
            features = self._model.tokenizer.pad(lists, return_tensors="pt")
        device = self._model.device
        return {key: value.to(device) if hasattr(value, "to") else value for key, value in features.items()}

    def _divided(self, trained_layers: int | None) -> tuple[list[Module], LowerLayers | None]:
        """Freeze what lies below the trained layers; what is trained, and what is passed over."""
        self._model.eval()
        if trained_layers is None:
            return [self._model], None
        layers = layer_stack(self._model)
        upper = [*layers[-trained_layers:], *list(self._model)[1:]]
        self._model.requires_grad_(False)
        for module in upper:
            module.requires_grad_(True)
        n_frozen = max(0, len(layers) - trained_layers)
        is_kept = n_frozen and self._features is not None and self._state_bytes() <= _STATE_BYTES
        return upper, LowerLayers(layers, n_frozen) if is_kept else None

    def _state_bytes(self) -> int:
        width = int(getattr(self._model[0].config, "hidden_size", self._base.dimension))
        return int(self._lengths.sum()) * width * 4

    def _all_states(self, lower: LowerLayers) -> dict[int, Tensor]:
        """Hidden states below the trained layers by row, of shape (tokens, width) for each text."""
        import torch

        states = {}
        with torch.no_grad():
            for rows in self.parts(np.arange(len(self._texts))):
                features = self._padded(rows)
                hidden = lower.states(self._model, dict(features))
                for row, own, mask in zip(rows.tolist(), hidden, features["attention_mask"], strict=True):
                    states[row] = own[mask.bool()].clone()
        return states

    def _resumed(self, rows: Ints, features: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Go on from the states of these rows, laid out as their features are padded."""
        if self._lower is None:
            return nullcontext()
        mask = features["attention_mask"].bool()
        own = [self._states[row] for row in rows.tolist()]
        laid_out = own[0].new_zeros((*mask.shape, own[0].shape[1]))
        for place, state in enumerate(own):
            laid_out[place, mask[place]] = state
        return self._lower.skipped(laid_out)

    def _with_lora(self, random_state: int) -> Any:
        """Put low-rank changes beside all linear maps of the trained layers; they alone are trained."""
        import torch
        from transformers.pytorch_utils import Conv1D

        peft = require("peft", extra="lora")
        trained = {id(each) for module in self._upper for each in module.modules()}
        transformer: Any = self._model[0].auto_model
        targets = [
            name
            for name, module in transformer.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and id(module) in trained
        ]
        config = peft.LoraConfig(
            r=_LORA_RANK,
            lora_alpha=_LORA_ALPHA,
            lora_dropout=_LORA_DROPOUT,
            target_modules=targets,
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in transformer.modules()),
        )
        self._model.requires_grad_(False)
        device = self._model.device
        with torch.random.fork_rng([device.index] if device.type == "cuda" else []):
            torch.manual_seed(random_state)
            return peft.LoraModel(transformer, {"default": config}, "default")


def _fast_arithmetic(device: torch.device) -> AbstractContextManager[Any]:
    """Bfloat16 where the processor multiplies it in hardware, else plain arithmetic."""
    import torch

    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Nothing public tells whether the processor does.
        has_bf16 = device.type == "cpu" and torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16) if has_bf16 else nullcontext()


class HeadLearner:
    """A head over the vectors of an encoder that stay as they are; it begins as the identity.

    Parameters
    ----------
    base
        Each text is encoded once.
    kind
        See `HeadEncoder`; 64 is the rank of the residual, and the number of hidden units.
    random_state
        Seed of the first weights.
    """

    def __init__(self, base: Encoder, texts: Sequence[Content], kind: HeadKind, random_state: int) -> None:
        import torch

        self._base, self._kind = base, kind
        rows = base.encode(texts)
        self._rows = torch.from_numpy(rows)
        self._weights = {
            name: torch.nn.Parameter(torch.from_numpy(value))
            for name, value in _identity(kind, rows.shape[1], random_state).items()
        }

    def parameters(self) -> dict[str, Parameter]:
        """Weights of the head by name."""
        return self._weights

    def parts(self, rows: Ints) -> list[Ints]:
        """Keep a batch whole: vectors that stay need little memory."""
        return [rows]

    def set_training(self, is_training: bool) -> None:
        """Nothing differs."""

    def vectors(self, rows: Ints) -> Tensor:
        """Compute unit vectors of texts, shape (n, d)."""
        import torch

        own, weights = self._rows[torch.as_tensor(rows)], self._weights
        if self._kind == "linear":
            return torch.nn.functional.normalize(own @ weights["weight"].T, dim=1)
        inner = own @ weights["down"].T
        if self._kind == "mlp":
            inner = torch.relu(inner + weights["bias"])
        return torch.nn.functional.normalize(own + inner @ weights["up"].T, dim=1)

    def encoder(self, values: Values) -> HeadEncoder:
        """Put a head of these weights over the base."""
        return head_encoder(self._base, self._kind, values)


def head_encoder(base: Encoder, kind: HeadKind, values: Values) -> HeadEncoder:
    """Put a head of these weights over an encoder."""
    return HeadEncoder(base, kind, {name: value.cpu().numpy() for name, value in values.items()})


def _identity(kind: HeadKind, dimension: int, random_state: int) -> dict[str, Vectors]:
    """Weights of a head that changes nothing yet."""
    rng = np.random.default_rng(random_state)
    if kind == "linear":
        return {"weight": np.eye(dimension, dtype=np.float32)}
    rank = min(_HEAD_RANK, dimension)
    weights = {
        "down": rng.normal(scale=dimension**-0.5, size=(rank, dimension)).astype(np.float32),
        "up": np.zeros((dimension, rank), dtype=np.float32),
    }
    return weights if kind == "residual" else weights | {"bias": np.zeros(rank, dtype=np.float32)}
