"""What LangChain promises of every Runnable, kept by the retriever and the predictor."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import ConfigurableField, Runnable
from zeroshot_core import InvalidInputError
from zeroshot_core.serving.loading import open_model, open_retriever

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotPredictor, ZeroShotRetriever

WINE, TIN = "dry red wine from Calabria, small bottle", "chicken pate for cats, small tin"


@pytest.fixture(params=[ZeroShotRetriever, ZeroShotPredictor])
def runnable(request: pytest.FixtureRequest, saved_model: Path) -> Runnable[Any, Any]:
    return request.param(model=saved_model)


def ids(answer: Any) -> list[str | None]:
    return [document.id for document in getattr(answer, "documents", answer)]


class Starts(BaseCallbackHandler):
    """Tags and names of the runs that start."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def on_chain_start(self, *args: Any, tags: Any = None, name: Any = None, **kwargs: Any) -> None:
        self.seen.append((name, tuple(tags)))

    on_retriever_start = on_chain_start


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, saved_model: Path) -> Callable[[int], None]:
    """Let the model fail the given number of times, as a server does that restarts."""

    def fail(times: int) -> None:
        left = [times]
        for owner, method in (
            (open_model(saved_model), "explain"),
            (open_retriever(saved_model), "retrieve"),
        ):
            whole = getattr(owner, method)

            def flaky(*args: Any, whole: Any = whole, **kwargs: Any) -> Any:
                left[0] -= 1
                if left[0] >= 0:
                    raise ConnectionError("restarting")
                return whole(*args, **kwargs)

            monkeypatch.setattr(owner, method, flaky)

    return fail


def test_each_input_of_a_batch_has_its_own_config(runnable: Runnable[Any, Any]) -> None:
    for run in (runnable.batch, lambda *args: asyncio.run(runnable.abatch(*args))):
        events = Starts()
        one, two = ({"tags": [tag], "run_name": f"about {tag}", "callbacks": [events]} for tag in "ab")
        run([WINE, TIN], [one, two])
        assert {(name, *tags) for name, tags in events.seen} == {("about a", "a"), ("about b", "b")}


def test_with_config_adds_to_every_run(runnable: Runnable[Any, Any]) -> None:
    events = Starts()
    runnable.with_config(tags=["shop"], callbacks=[events]).invoke(WINE)
    assert [tags for _, tags in events.seen] == [("shop",)]


def test_with_retry_asks_again(runnable: Runnable[Any, Any], failing: Callable[[int], None]) -> None:
    expected = ids(runnable.invoke(WINE))
    patient = runnable.with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    for run in (
        patient.invoke,
        lambda text: patient.batch([text])[0],
        lambda t: asyncio.run(patient.ainvoke(t)),
    ):
        failing(2)
        assert ids(run(WINE)) == expected
    failing(9)
    with pytest.raises(ConnectionError):
        patient.invoke(WINE)


def test_with_fallbacks_another_model_takes_over(saved_model: Path, tmp_path: Path) -> None:
    for kind in (ZeroShotRetriever, ZeroShotPredictor):
        good = kind(model=saved_model)
        chain = kind(model=tmp_path / "not there").with_fallbacks([good])
        assert ids(chain.invoke(WINE)) == ids(good.invoke(WINE))
        assert [ids(one) for one in chain.batch([WINE, TIN])] == [ids(one) for one in good.batch([WINE, TIN])]
        assert ids(asyncio.run(chain.ainvoke(WINE))) == ids(good.invoke(WINE))


def test_fields_are_configured_per_call(saved_model: Path) -> None:
    retriever = ZeroShotRetriever(model=saved_model).configurable_fields(
        k=ConfigurableField(id="k"), graph_weight=ConfigurableField(id="graph_weight")
    )
    found = retriever.invoke(WINE, {"configurable": {"k": 3, "graph_weight": 0.0}})
    assert found == ZeroShotRetriever(model=saved_model, k=3, graph_weight=0.0).invoke(WINE)
    assert {"k", "graph_weight"} <= set(
        retriever.config_schema().model_json_schema()["$defs"]["Configurable"]["properties"]
    )
    both = retriever.batch([WINE, TIN], {"configurable": {"k": 2}})
    assert [len(documents) for documents in both] == [2, 2]
    predictor = ZeroShotPredictor(model=saved_model).configurable_fields(top_k=ConfigurableField(id="top_k"))
    assert len(predictor.invoke(WINE, {"configurable": {"top_k": 2}}).documents) == 2


async def test_events_of_a_stream_name_the_run(saved_model: Path) -> None:
    for kind, start in ((ZeroShotRetriever, "on_retriever_start"), (ZeroShotPredictor, "on_chain_start")):
        chain = kind(model=saved_model) | (lambda answer: ids(answer))
        events = [event async for event in chain.astream_events(WINE, version="v2")]
        assert (start, kind.__name__) in {(event["event"], event["name"]) for event in events}
        assert events[-1]["data"]["output"] == ids(kind(model=saved_model).invoke(WINE))


async def test_completed_inputs_come_with_their_places(runnable: Runnable[Any, Any]) -> None:
    expected = [ids(runnable.invoke(text)) for text in (WINE, TIN)]
    assert [
        ids(one) for _, one in sorted(runnable.batch_as_completed([WINE, TIN]), key=lambda p: p[0])
    ] == expected
    done = [pair async for pair in runnable.abatch_as_completed([WINE, TIN])]
    assert [ids(one) for _, one in sorted(done, key=lambda pair: pair[0])] == expected


def test_schemas_say_what_goes_in_and_comes_out(saved_model: Path) -> None:
    retriever, predictor = ZeroShotRetriever(model=saved_model), ZeroShotPredictor(model=saved_model)
    assert retriever.get_input_jsonschema()["type"] == "string"
    assert retriever.get_output_jsonschema()["type"] == "array"
    assert predictor.get_output_jsonschema()["properties"]["value"]["description"]
    assert predictor.invoke(WINE).model_validate_json(predictor.invoke(WINE).model_dump_json())


def loops() -> Iterator[Callable[[Any], Any]]:
    uvloop = pytest.importorskip("uvloop")
    yield asyncio.run
    yield asyncio.run
    yield uvloop.run


def test_many_calls_at_once_in_one_loop_after_the_other(runnable: Runnable[Any, Any]) -> None:
    expected = ids(runnable.invoke(WINE))

    async def gathered(calls: int) -> list[Any]:
        return await asyncio.gather(*(runnable.ainvoke(WINE) for _ in range(calls)))

    for run, calls in zip(loops(), (32, 4, 4), strict=True):
        assert [ids(answer) for answer in run(gathered(calls))] == [expected] * calls


def test_threads_share_a_model(runnable: Runnable[Any, Any]) -> None:
    expected = ids(runnable.invoke(WINE))
    with ThreadPoolExecutor(8) as pool:
        assert [ids(answer) for answer in pool.map(runnable.invoke, [WINE] * 32)] == [expected] * 32


def test_the_loop_is_never_held_up_for_longer_than_a_moment(saved_model: Path) -> None:
    retriever = ZeroShotRetriever(model=saved_model)
    retriever.invoke(WINE)
    longest = 0.0

    async def watch(until: asyncio.Event) -> None:
        nonlocal longest
        while not until.is_set():
            # Of this process's own time: what others take of the machine holds nothing up here.
            before = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - before)

    async def run() -> None:
        done = asyncio.Event()
        watching = asyncio.ensure_future(watch(done))
        await retriever.abatch([f"{WINE} {number}" for number in range(64)])
        done.set()
        await watching

    asyncio.run(run())
    # A search of 64 queries takes about 50 ms; the loop turns between its parts even on a busy machine.
    assert longest < 1.0


def test_several_models_live_in_one_process(saved_model: Path, saved_classifier: Path) -> None:
    models = [ZeroShotPredictor(model=folder) for folder in (saved_model, saved_classifier)]
    for _ in range(2):
        number, label = (model.invoke(WINE).value for model in models)
        assert isinstance(number, float)
        assert label == "red wine"


def test_a_copy_for_another_process_names_the_folder_alone(
    runnable: Runnable[Any, Any], saved_model: Path
) -> None:
    expected = ids(runnable.invoke(WINE))
    sent = pickle.dumps(runnable)
    assert len(sent) < 5_000
    assert ids(pickle.loads(sent).invoke(WINE)) == expected
    embeddings = ZeroShotEmbeddings(model="all-MiniLM-L6-v2")
    assert pickle.loads(pickle.dumps(embeddings)).model == embeddings.model


def test_a_model_in_memory_cannot_be_sent_and_says_so(saved_model: Path) -> None:
    with pytest.raises(InvalidInputError, match="save it, give its folder"):
        pickle.dumps(ZeroShotPredictor(model=open_model(saved_model)))


CHILD = """
import pickle, sys
from zeroshot_core import IndexLockedError
retriever = pickle.loads(bytes.fromhex(sys.argv[1]))
try:
    retriever.invoke("wine")
except IndexLockedError as error:
    print(error, flush=True)
sys.stdin.readline()
print(len(retriever.invoke("wine")), flush=True)
"""


@pytest.mark.slow
def test_a_second_process_on_a_local_file_is_told_what_to_do(saved_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved_model, folder)
    retriever = ZeroShotRetriever(model=folder, k=3)
    retriever.invoke("wine")
    command = [sys.executable, "-c", CHILD, pickle.dumps(retriever).hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert "close it there, or use a Milvus server" in child.stdout.readline()
        open_model(folder).close()
        assert child.communicate("\n")[0].strip() == "3"
