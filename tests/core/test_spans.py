"""Spans where the program traces, with counts and no contents; nothing where it does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from zeroshot_core import InvalidInputError, Item, KnowledgeGraph, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder

trace = pytest.importorskip("opentelemetry.sdk.trace")
from opentelemetry import trace as api  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

SECRET = "the wine of Mr Smith"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(api, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


@pytest.fixture(scope="module")
def model() -> Iterator[ZeroShotClassifier]:
    graph = KnowledgeGraph.from_table([{"aisle": "drinks"}, {"aisle": "pantry"}], ["aisle"])
    items = [Item(id="1", text="red wine", concepts=("aisle:drinks",)), Item(id="2", text="pasta")]
    fitted = ZeroShotClassifier(HashEncoder(32), graph).fit(items, ["aisle:drinks", "aisle:pantry"])
    yield fitted
    fitted.close()


def test_a_prediction_is_a_tree_of_spans_with_counts(
    model: ZeroShotClassifier, spans: InMemorySpanExporter
) -> None:
    model.explain([SECRET, "noodles"])
    found = {span.name: span for span in spans.get_finished_spans()}
    assert {"zeroshot.predict", "zeroshot.encode", "zeroshot.search", "zeroshot.expand"} == {*found}
    root = found["zeroshot.predict"]
    assert root.parent is None
    assert {span.context.trace_id for span in found.values()} == {root.context.trace_id}
    assert dict(root.attributes) == {"zeroshot.queries": 2}
    assert dict(found["zeroshot.encode"].attributes) == {"zeroshot.contents": 2}
    assert root.start_time < root.end_time
    assert all(type(value) is int for span in found.values() for value in span.attributes.values())


def test_an_error_is_told_by_its_class_alone(model: ZeroShotClassifier, spans: InMemorySpanExporter) -> None:
    with pytest.raises(InvalidInputError):
        model.retriever_.retrieve([SECRET, 3])
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "InvalidInputError"
    assert not span.status.is_ok
    assert not span.events
    assert SECRET not in span.to_json()


def test_nothing_is_imported_where_nobody_traces() -> None:
    code = (
        "import sys; from zeroshot_core.encoders import HashEncoder; HashEncoder(8).encode(['a']); "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
