"""Texts written into a fresh Milvus Lite file, by langchain-milvus and by this package; LlamaIndex in memory.

    python benchmarks/ingest.py [--texts 5000] [--rounds 3]

Everybody reads the same texts (product lines of Complete Journey, repeated with a number where there are not
enough) with the same model. langchain-milvus runs as it comes, with sentence-transformers at its defaults,
and once more with this package's encoder handed to it; LlamaIndex's pipeline keeps its vectors in memory and
writes nothing. Each has written a few texts before. Ratios are medians over the rounds of the baseline's
time by the contestant's.
"""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_milvus import Milvus
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from output import argument_parser
from timing import print_head, print_table, race, versions
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import Encoder, in_runtime, load_encoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item

_BASELINE = "langchain-milvus, sentence-transformers"
_N_WARM_UP = 200


class _Given(Embeddings):
    """Any function of texts as LangChain's embeddings."""

    def __init__(self, encode: Callable[[list[str]], Any]) -> None:
        self._encode = encode

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class _InPipeline(BaseEmbedding):
    """Any function of texts as LlamaIndex's embeddings."""

    encode: Any

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self.encode(texts).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def main() -> None:
    """Write the texts by each contestant in turns."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    texts = _texts(options.texts)
    base = load_encoder()
    exact, small = in_runtime(base, "onnx"), in_runtime(base, "onnx-int8")

    def theirs(batch: list[str]) -> Any:
        return base.model.encode(batch, normalize_embeddings=True, show_progress_bar=False)

    print(
        versions("langchain-milvus", "llama-index-core", "sentence-transformers", "pymilvus", "milvus-lite")
    )
    print_head("texts", "text")

    def contestants(given: list[str]) -> dict[str, Callable[[], Any]]:
        return {
            _BASELINE: lambda: _by_langchain(given, theirs),
            "langchain-milvus, our encoder (onnx)": lambda: _by_langchain(given, exact.encode),
            "LlamaIndex in memory, sentence-transformers": lambda: _by_llama_index(given, theirs),
            "ours, onnx": lambda: _by_us(given, exact),
            "ours, onnx-int8": lambda: _by_us(given, small),
            "encoding alone, onnx": lambda: exact.encode(given),
        }

    for run in contestants(texts[:_N_WARM_UP]).values():
        run()
    times = race(contestants(texts), options.rounds, is_warm=True)
    print_table(str(len(texts)), times, len(texts), _BASELINE)


def _texts(n: int) -> list[str]:
    lines = list(dict.fromkeys(item.text or "" for item in load_product_lines().items))
    numbered = (f"{line}, {i}" for i in itertools.count(2) for line in lines)
    return list(itertools.islice(itertools.chain(lines, numbered), n))


def _by_langchain(texts: list[str], encode: Callable[[list[str]], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Milvus(
            _Given(encode),
            connection_args={"uri": f"{folder}/langchain.db"},
            index_params={"index_type": "FLAT", "metric_type": "COSINE"},
        )
        store.add_texts(texts)
        store.client.flush(store.collection_name)
        store.client.close()


def _by_llama_index(texts: list[str], encode: Callable[[list[str]], Any]) -> None:
    pipeline = IngestionPipeline(
        transformations=[_InPipeline(encode=encode, embed_batch_size=32)], disable_cache=True
    )
    pipeline.run(nodes=[TextNode(text=text) for text in texts])


def _by_us(texts: Sequence[str], encoder: Encoder) -> None:
    items = [Item(id=str(row), text=text) for row, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/ours.db") as index:
        index.activate(index.build(items, encoder))


if __name__ == "__main__":
    main()
