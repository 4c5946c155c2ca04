from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from toy_shop import KINDS, toy_products
from zeroshot_core import Item, KnowledgeGraph, ZeroShotClassifier, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small regressor over Milvus Lite and a graph of kinds and aisles."""
    root = tmp_path_factory.mktemp("adapters")
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    items, units = toy_products()
    model = ZeroShotRegressor(HashEncoder(256), graph, top_k=10, random_state=0)
    model.fit(items, units, groups=[item.concepts[0] for item in items])
    model.save(root / "model")
    return root / "model"


@pytest.fixture(scope="session")
def saved_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small classifier that has seen some kinds of product and only read of the others."""
    folder = tmp_path_factory.mktemp("adapters") / "classifier"
    items, _ = toy_products()
    seen = [item for item in items if item.metadata["aisle"] != "pets"]
    bare = [Item(id=item.id, text=item.text) for item in seen]
    kinds = [item.concepts[0].removeprefix("kind:") for item in seen]
    ZeroShotClassifier(HashEncoder(256)).fit(bare, kinds, labels=list(KINDS)).save(folder)
    return folder


@pytest.fixture
def ticks_during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, Callable[[], Awaitable[Any]]], int]:
    """Count how often a ticker of the event loop runs while a method is held up for 0.2 s."""

    def count(owner: Any, method: str, call: Callable[[], Awaitable[Any]]) -> int:
        whole = getattr(owner, method)

        def slow(*args: Any, **kwargs: Any) -> Any:
            time.sleep(0.2)
            return whole(*args, **kwargs)

        async def run() -> int:
            ticks = 0
            task = asyncio.ensure_future(call())
            while not task.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await task
            return ticks

        with monkeypatch.context() as patch:
            patch.setattr(owner, method, slow)
            return asyncio.run(run())

    return count
