from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any

from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingStartEvent
from zeroshot_core.encoders import HashEncoder

from llama_index_zeroshot import ZeroShotEmbedding


def test_vectors_are_those_of_the_encoder() -> None:
    encoder = HashEncoder(32)
    embedding = ZeroShotEmbedding(model=encoder)
    texts = ["red wine", "cat food"]
    vectors = encoder.encode(texts, role="document").tolist()
    assert embedding.get_text_embedding_batch(texts) == vectors
    assert embedding.get_text_embedding("red wine") == vectors[0]
    assert embedding.get_query_embedding("red wine") == encoder.encode(["red wine"], role="query")[0].tolist()


def test_async_gives_the_same_vectors_in_two_loops() -> None:
    embedding = ZeroShotEmbedding(model=HashEncoder(32))
    for _ in range(2):
        assert asyncio.run(
            embedding.aget_text_embedding_batch(["a", "b"])
        ) == embedding.get_text_embedding_batch(["a", "b"])
        assert asyncio.run(embedding.aget_query_embedding("a")) == embedding.get_query_embedding("a")


def test_the_loop_keeps_turning_while_texts_are_embedded(ticks_during: Any) -> None:
    encoder = HashEncoder(32)
    embedding = ZeroShotEmbedding(model=encoder)
    assert ticks_during(encoder, "encode", lambda: embedding.aget_text_embedding_batch(["a", "b"])) >= 5
    assert ticks_during(encoder, "encode", lambda: embedding.aget_query_embedding("a")) >= 5


def test_a_saved_model_lends_its_encoder(saved_model: Path) -> None:
    assert len(ZeroShotEmbedding(model=saved_model).get_query_embedding("red wine")) == 256


def test_events_and_dumps_hold_no_credentials(saved_model: Path) -> None:
    events: list[dict[str, Any]] = []

    class Keep(BaseEventHandler):
        def handle(self, event: Any, **kwargs: Any) -> None:
            if isinstance(event, EmbeddingStartEvent):
                events.append(event.model_dict)

    handler = Keep()
    embedding = ZeroShotEmbedding(model=saved_model, token="hush")
    get_dispatcher().add_event_handler(handler)
    try:
        ZeroShotEmbedding(model=saved_model).get_query_embedding("red wine")
    finally:
        get_dispatcher().event_handlers.remove(handler)
    assert events == [
        {"class_name": "ZeroShotEmbedding", "model_name": str(saved_model), "embed_batch_size": 512}
    ]
    assert "hush" not in json.dumps(embedding.to_payload()) + embedding.to_json() + repr(embedding)


def test_round_trip_keeps_the_folder(saved_model: Path) -> None:
    again = ZeroShotEmbedding.from_json(ZeroShotEmbedding(model=saved_model).to_json())
    assert again.model == str(saved_model)


def test_serves_a_vector_index_of_llama_index() -> None:
    index = VectorStoreIndex.from_documents(
        [Document(text="dry red wine"), Document(text="crunchy biscuits for dogs")],
        storage_context=StorageContext.from_defaults(),
        embed_model=ZeroShotEmbedding(model=HashEncoder(256)),
    )
    assert index.as_retriever(similarity_top_k=1).retrieve("red wine")[0].text == "dry red wine"


def test_travels_to_another_process_without_the_loaded_encoder(saved_model: Path) -> None:
    embedding = ZeroShotEmbedding(model=saved_model)
    vector = embedding.get_query_embedding("red wine")
    assert pickle.loads(pickle.dumps(embedding)).get_query_embedding("red wine") == vector


def test_embeds_the_nodes_of_an_ingestion_pipeline() -> None:
    encoder = HashEncoder(32)
    nodes = IngestionPipeline(transformations=[ZeroShotEmbedding(model=encoder)]).run(
        documents=[Document(text="dry red wine"), Document(text="pasta")]
    )
    assert [node.embedding for node in nodes] == encoder.encode(["dry red wine", "pasta"]).tolist()
