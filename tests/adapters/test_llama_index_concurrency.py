"""Many callers at once: in one loop, in one after the other, in uvloop, and in threads."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from toy_shop import KINDS, toy_products
from zeroshot_core.serving.loading import open_model

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotQueryEngine, ZeroShotRerank, ZeroShotRetriever

N = 32
QUERIES = [item.text for item in toy_products()[0][:N]]


def in_uvloop(work: Coroutine[Any, Any, Any]) -> Any:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def ask_all(model: Path) -> list[Any]:
    """32 questions at once, then others; what they find, in order."""
    engine, retriever = ZeroShotQueryEngine(model), ZeroShotRetriever(model, k=3)
    rerank, embedding = ZeroShotRerank(model=model, top_n=2), ZeroShotEmbedding(model=model)
    nodes = retriever.retrieve(QUERIES[0])
    few = QUERIES[:4]
    responses = await asyncio.gather(*(engine.aquery(query) for query in QUERIES))
    found = await asyncio.gather(*(retriever.aretrieve(query) for query in few))
    ranked = await asyncio.gather(*(rerank.apostprocess_nodes(nodes, query_str=query) for query in few))
    vectors = await asyncio.gather(*(embedding.aget_query_embedding(query) for query in few))
    return [
        [response.metadata["value"] for response in responses],
        [[node.node_id for node in row] for row in found],
        [[node.node_id for node in row] for row in ranked],
        vectors,
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_32_callers_get_their_own_answers_in_loops_one_after_the_other(saved_classifier: Path) -> None:
    first = asyncio.run(ask_all(saved_classifier))
    assert asyncio.run(ask_all(saved_classifier)) == first
    assert in_uvloop(ask_all(saved_classifier)) == first
    assert first[0] == open_model(saved_classifier).predict(QUERIES).tolist()
    assert [row[0] for row in first[1]] == [item.id for item in toy_products()[0][:4]]


def test_32_callers_leave_the_loop_to_others(
    saved_classifier: Path, ticks_during: Callable[..., int]
) -> None:
    engine = ZeroShotQueryEngine(saved_classifier)

    async def all_at_once() -> None:
        await asyncio.gather(*(engine.aquery(query) for query in QUERIES))

    assert ticks_during(open_model(saved_classifier), "explain", all_at_once) >= 10


def test_threads_share_one_engine_that_none_has_opened(saved_classifier: Path) -> None:
    engine, barrier = ZeroShotQueryEngine(saved_classifier), threading.Barrier(8)

    def ask(query: str) -> Any:
        barrier.wait()
        return engine.query(query).metadata["value"]

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(ask, QUERIES[:8]))
    assert values == open_model(saved_classifier).predict(QUERIES[:8]).tolist()


async def test_several_models_serve_in_one_process(saved_model: Path, saved_classifier: Path) -> None:
    number, label = ZeroShotQueryEngine(saved_model), ZeroShotQueryEngine(saved_classifier)
    asked = [engine.aquery(query) for query in QUERIES[:4] for engine in (number, label)]
    responses = await asyncio.gather(*asked)
    assert all(isinstance(response.metadata["value"], float) for response in responses[::2])
    assert {response.metadata["value"] for response in responses[1::2]} <= set(KINDS)
