"""No class that takes a URI or a token shows it: printed, dumped, pickled, logged, traced or in errors."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import zeroshot_core
from langchain_core.load import dumps
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from sklearn.base import clone
from zeroshot_core import (
    NoveltyDetector,
    Retriever,
    VectorIndex,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
    load_model,
)
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ConnectionFailedError, InvalidInputError
from zeroshot_core.index.connection import Connection
from zeroshot_core.index.uri import HiddenText, Uri, uri_and_token
from zeroshot_core.serving.model_handle import ModelHandle

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index
from langchain_zeroshot.vector_store import ZeroShotVectorStore

SECRET = "hunter2-of-milvus"
# Nobody listens there, so that what connects fails.
ADDRESS = "http://127.0.0.1:9"
URI = f"http://root:{SECRET}@127.0.0.1:9"
GIVEN = [{"uri": URI}, {"uri": ADDRESS, "token": f"root:{SECRET}"}]

LAZY: dict[str, Callable[..., Any]] = {
    "langchain embeddings": langchain.ZeroShotEmbeddings,
    "langchain reranking": langchain.ZeroShotReranker,
    "langchain retriever": langchain.ZeroShotRetriever,
    "langchain predictor": langchain.ZeroShotPredictor,
    "langchain router": lambda model, **address: langchain.ZeroShotRouter(model, ["a"], **address),
    "langchain tools": langchain.zero_shot_tools,
    "llama-index embedding": llama_index.ZeroShotEmbedding,
    "llama-index graph store": llama_index.ZeroShotPropertyGraphStore,
    "llama-index query engine": llama_index.ZeroShotQueryEngine,
    "llama-index reranking": llama_index.ZeroShotRerank,
    "llama-index retriever": llama_index.ZeroShotRetriever,
    "llama-index selector": llama_index.ZeroShotSelector,
    "llama-index tool retriever": lambda **given: llama_index.ZeroShotToolRetriever([], **given),
    "llama-index tools": llama_index.zero_shot_tools,
}
if find_spec("langchain") is not None:  # the oldest LangChain has no agents beside it
    LAZY["langchain tool selector"] = langchain.ZeroShotToolSelector
EAGER: dict[str, Callable[..., Any]] = {
    "load_model": load_model,
    "Retriever": Retriever.load,
    "langchain vector store": ZeroShotVectorStore,
    "langchain vector store of texts": lambda model, **address: ZeroShotVectorStore.from_texts(
        ["a"], **address
    ),
    "VectorIndex": lambda model, **address: VectorIndex.connect(**address),
    "Connection": lambda model, **address: Connection.open(**address),
    **{kind.__name__: kind.load for kind in (ZeroShotRegressor, ZeroShotClassifier, ZeroShotRanker)},
    "NoveltyDetector": NoveltyDetector.load,
}
TEXTS = [f"text {number}" for number in range(12)]
ESTIMATORS: dict[Any, tuple[Any, ...]] = {
    ZeroShotRegressor: (TEXTS, list(range(12))),
    ZeroShotClassifier: (TEXTS, ["a", "b"] * 6),
    NoveltyDetector: (TEXTS,),
}


def test_every_public_name_that_takes_an_address_is_among_those_tested() -> None:
    tested = {getattr(maker, "__qualname__", "") for maker in (*LAZY.values(), *EAGER.values())}
    tested |= {
        "VectorIndex.connect",
        "ZeroShotRouter",
        "ZeroShotToolRetriever",
        "ZeroShotToolSelector",
        "ZeroShotVectorStore.from_texts",
        *(kind.__qualname__ for kind in (*ESTIMATORS, ZeroShotRanker)),
    }
    # Of a base class, for each kind.
    tested |= {"SavedModel.load"}
    found = {
        each.__qualname__
        for package in (zeroshot_core, langchain, llama_index)
        for name in package.__all__
        for each in _callables(getattr(package, name))
        if {"uri", "token"} & _parameters(each)
    }
    assert found - tested == set()


def _parameters(value: Any) -> set[str]:
    try:
        return set(inspect.signature(value).parameters)
    except ValueError:  # of an exception
        return set()


def _callables(value: Any) -> Iterator[Any]:
    if inspect.isclass(value):
        yield value
        yield from (each for _, each in inspect.getmembers(value, inspect.ismethod))
    elif inspect.isfunction(value):
        yield value


@pytest.mark.parametrize("given", GIVEN, ids=["in the uri", "as a token"])
@pytest.mark.parametrize("name", LAZY)
def test_what_opens_a_model_later_shows_no_secret(
    name: str, given: dict[str, str], saved_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = LAZY[name](model=str(saved_model), **given)
    for each in made if isinstance(made, list) else [made]:
        for shown in _shown(each):
            assert SECRET not in shown
    assert SECRET not in caplog.text


def _shown(made: Any) -> Iterator[str]:
    """All that a user, a log or a trace may print of an object."""
    yield from (repr(made), str(made), f"{vars(made)}")
    handle = getattr(made, "_handle", None)
    yield f"{handle} {vars(handle) if handle else ''}"
    for dump in ("model_dump", "model_dump_json", "dict", "json", "to_dict", "to_json"):
        if hasattr(made, dump):
            yield _dumped(getattr(made, dump))
    if getattr(made, "is_lc_serializable", lambda: False)():
        yield dumps(made)
    for other in (copy.copy, copy.deepcopy):
        yield f"{other(made)!r}"
    try:
        pickled = pickle.dumps(made)
    except (AttributeError, TypeError, pickle.PicklingError):
        return
    yield pickled.decode("latin-1")


def _dumped(dump: Callable[[], Any]) -> str:
    try:
        return str(dump())
    except Exception as error:  # of a tool, whose functions no JSON can hold
        return _whole(error)


@pytest.mark.parametrize("given", GIVEN, ids=["in the uri", "as a token"])
@pytest.mark.parametrize("name", EAGER)
def test_what_connects_at_once_fails_without_the_secret(
    name: str, given: dict[str, str], saved_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Exception, match=r".") as caught:
        EAGER[name](saved_model, **given)
    assert SECRET not in _whole(caught.value)
    assert SECRET not in caplog.text


def _whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_estimator_shows_no_secret_and_keeps_it_through_a_clone(kind: Any) -> None:
    encoder = HashEncoder(16)
    for model in (kind(encoder, index=URI), kind(encoder).set_params(index=URI)):
        for other in (model, clone(model), copy.deepcopy(model)):
            assert SECRET not in f"{other!r} {other} {vars(other)} {other.get_params()}"
            assert SECRET not in pickle.dumps(other.index).decode("latin-1")
            assert uri_and_token(other.index) == (ADDRESS, f"root:{SECRET}")
        with pytest.raises(ConnectionFailedError) as caught:
            model.fit(*ESTIMATORS[kind])
        assert SECRET not in _whole(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        f"root:{SECRET}@host:19530",
        f"ftp://root:{SECRET}@host",
        f"http://root:{SECRET}/x@host",
        f"http:/root:{SECRET}@host",
        f"http://root:{SECRET}%40host:19530",
        f"http://root:{SECRET}",
        [URI],
        URI.encode(),
        {"uri": URI},
    ],
)
def test_uri_that_is_refused_is_shown_without_the_secret(uri: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"expected .*uri") as caught:
        VectorIndex.connect(uri)
    assert SECRET not in _whole(caught.value)


def test_token_of_another_type_is_refused_and_not_shown(saved_model: Path) -> None:
    for token in ([SECRET], SECRET.encode(), HiddenText(SECRET)):
        with pytest.raises(InvalidInputError, match="expected token as a text, got a") as caught:
            load_model(saved_model, uri=ADDRESS, token=token)  # type: ignore[arg-type]
        assert SECRET not in _whole(caught.value)


@pytest.mark.parametrize("kind", [langchain.ZeroShotRetriever, llama_index.ZeroShotRerank])
def test_refused_arguments_are_told_without_the_secret(kind: Any, saved_model: Path) -> None:
    for wrong in ({"k_": 1}, {"graph_weight": 7}, {"uri": f"http://root:{SECRET}/x@host"}, {"uri": 7}):
        with pytest.raises(ValueError, match=r".") as caught:
            kind(**{"model": saved_model, "uri": URI, "token": SECRET} | wrong)
        assert SECRET not in _whole(caught.value)


def test_traces_and_events_hold_no_secret(saved_model: Path) -> None:
    runs = RunCollectorCallbackHandler()
    retriever = langchain.ZeroShotRetriever(model=saved_model, uri=URI)
    with pytest.raises(ConnectionFailedError):
        retriever.invoke("red wine", config={"callbacks": [runs]})
    assert len(runs.traced_runs) == 1
    assert SECRET not in json.dumps(runs.traced_runs[0].model_dump(), default=repr)

    events: list[Any] = []

    class Collector(BaseEventHandler):
        def handle(self, event: Any, **kwargs: Any) -> None:
            events.append(event)

    root, collector = get_dispatcher(), Collector()
    root.add_event_handler(collector)
    try:
        for made in (
            llama_index.ZeroShotRetriever(str(saved_model), uri=URI).retrieve,
            llama_index.ZeroShotEmbedding(model=str(saved_model), uri=URI).get_text_embedding,
        ):
            with pytest.raises(ConnectionFailedError):
                made("red wine")
    finally:
        root.event_handlers.remove(collector)
    assert events
    assert SECRET not in "".join(f"{event!r} {event.model_dump()}" for event in events)


def test_credentials_of_a_uri_reach_milvus_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[dict[str, Any]] = []

    class Client:
        def __init__(self, uri: str, **settings: Any) -> None:
            clients.append({"uri": uri, **settings})

        def list_collections(self) -> list[str]:
            return []

        def close(self) -> None:
            pass

    class Socket:
        def close(self) -> None:
            pass

    monkeypatch.setattr("pymilvus.MilvusClient", Client)
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: Socket())
    with VectorIndex.connect("http://root:p%40ss@host:1/db") as index:
        assert (clients[0]["uri"], clients[0]["token"]) == ("http://host:1/db", "root:p@ss")
        assert index.uri == "http://host:1"
        assert "p@ss" not in f"{index!r} {vars(index)} {vars(index._connection)}"
    VectorIndex.connect("http://root:old@host:1", token="new").close()
    assert clients[1]["token"] == "new"


def test_unpickled_handle_takes_the_token_of_the_environment(
    saved_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILVUS_TOKEN", "of the environment")
    handle = pickle.loads(pickle.dumps(ModelHandle(str(saved_model), URI)))
    address = {"uri": ADDRESS, "token": "of the environment", "read_only": False}
    assert handle._address == address
    for made in (
        langchain.ZeroShotRetriever(model=saved_model, uri=URI),
        llama_index.ZeroShotRerank(model=saved_model, uri=URI),
    ):
        again = pickle.loads(pickle.dumps(made))
        assert again._handle._address == address
        assert made._handle._address == {**address, "token": f"root:{SECRET}"}
    # Where no secret was given, none is sent.
    assert pickle.loads(pickle.dumps(ModelHandle(str(saved_model), ADDRESS)))._address["token"] is None


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("http://root:pw@host:19530/db?x=1#y", ("http://host:19530/db", "root:pw")),
        ("https://root:p@w@host", ("https://host", "root:p@w")),
        ("https://key@host", ("https://host", "key")),
        ("http://host:1", ("http://host:1", None)),
        ("a@b/index.db", ("a@b/index.db", None)),
    ],
)
def test_user_and_password_are_parted_from_the_address(uri: str, parts: tuple[str, str | None]) -> None:
    assert uri_and_token(uri) == parts
    assert Uri(Uri(uri)) is not None
    assert uri_and_token(copy.copy(Uri(uri))) == parts
    assert uri_and_token(pickle.loads(pickle.dumps(Uri(uri)))) == (parts[0], None)
