"""The web service over a real socket: what it answers, what it refuses, and who harms whom."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from aisle_samples import saved_aisles
from running_service import serving
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction import NoveltyDetector, load_model
from zeroshot_core.serving.request_batcher import BusyError, RequestBatcher
from zeroshot_core.serving.request_guard import RequestLimits
from zeroshot_core.serving.service import ServiceSettings
from zeroshot_core.serving.tool_inputs import PredictionInput, with_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_aisles(tmp_path_factory.mktemp("service") / "aisles")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    limits = RequestLimits(body=20_000, seconds=1.5)
    with serving(ServiceSettings(model=str(folder), limits=limits, inputs=16)) as client:
        yield client


def raw(client: httpx.Client, sent: bytes, *, stays: bool = True) -> bytes:
    """What the service answers to bytes; nothing is read where the client leaves at once."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=5) as connection:
        connection.sendall(sent)
        answer = b""
        while stays and (part := connection.recv(65536)):
            answer += part
        return answer


def is_well(client: httpx.Client) -> bool:
    return client.post("/classify", json={"inputs": ["red wine number 7"]}).status_code == 200


def test_labels_are_those_of_the_model(client: httpx.Client) -> None:
    reply = client.post(
        "/classify", json={"inputs": ["red wine 9", {"text": "dog food 9", "id": "d"}]}
    ).json()

    assert [(one["id"], one["label"]) for one in reply["labels"]] == [("query-0", "drinks"), ("d", "pets")]
    assert sum(reply["labels"][0]["probabilities"].values()) == pytest.approx(1)


def test_an_explanation_has_items_with_scores_and_paths(client: httpx.Client) -> None:
    (told,) = client.post("/explain", json={"inputs": ["red wine 9"], "top_k": 2}).json()["predictions"]
    (plain,) = client.post("/predict", json={"inputs": ["red wine 9"]}).json()["predictions"]

    assert [one["kind"] for one in told["items"]] == ["item", "item"]
    assert "drinks" in told["items"][0]["path"]
    assert (plain["value"], plain["items"]) == ("drinks", [])


def test_known_things_are_found_under_a_filter(client: httpx.Client) -> None:
    asked = {"queries": ["red wine", "dog food"], "k": 1, "filter": {"concepts": {"$contains": "pets"}}}
    first, second = client.post("/retrieve", json=asked).json()["results"]

    assert [one["concepts"] for one in first + second] == [["pets"], ["pets"]]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/predict", {"inputs": [{"txt": "wine"}]}, "expected 'text'"),
        ("/predict", {"input": ["wine"]}, "did you mean 'inputs'?"),
        ("/predict", {"inputs": []}, "at least 1 item"),
        ("/predict", {"inputs": [{"text": "wine", "image": "/etc/hostname"}]}, "got an image"),
        ("/predict", {"inputs": [" "]}, "expected a non-empty text"),
        ("/predict", {"inputs": ["wine"], "coverage": 2}, "coverage"),
        ("/predict", {"inputs": ["wine"], "quantiles": [0.5]}, "expected a ZeroShotRegressor"),
        ("/predict", {"inputs": ["wine"] * 17}, "expected at most 16 inputs, got 17"),
        ("/retrieve", {"queries": ["wine"], "filter": {"a": {"$like": 1}}}, "$like"),
        ("/predict", {"inputs": [{"text": "wine", "concepts": ["cellar"]}]}, "cellar"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(
    client: httpx.Client, path: str, body: dict[str, object], said: str
) -> None:
    reply = client.post(path, json=body)

    assert reply.status_code == 422
    assert said in reply.json()["detail"]
    assert len(reply.json()["detail"]) < 1100


@pytest.mark.filterwarnings("ignore:1 of 1 items hold lone surrogates")
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00", b"[[[" * 3000, b"null", b'{"inputs": ["\\ud800"]}', b'{"inputs": [1e400]}'],
)
def test_garbage_harms_nobody(client: httpx.Client, body: bytes) -> None:
    reply = client.post("/predict", content=body, headers={"content-type": "application/json"})

    assert reply.status_code in {200, 400, 422}
    assert is_well(client)


def test_bytes_that_are_no_http_harm_nobody(client: httpx.Client) -> None:
    assert b"400" in raw(client, b"\x16\x03\x01 hello\r\n\r\n")
    assert is_well(client)


@pytest.mark.parametrize("is_announced", [True, False])
def test_ten_megabytes_are_refused_unread(client: httpx.Client, is_announced: bool) -> None:
    parts = iter([b"x" * 100_000] * 100)
    size = {"content-length": "10000000"} if is_announced else {}
    try:
        status = client.post("/predict", content=parts, headers=size).status_code
    except httpx.WriteError:  # refused, and the rest not waited for
        status = 413

    assert status == 413
    assert is_well(client)


def test_a_slow_body_is_given_up(client: httpx.Client) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
    )
    with ThreadPoolExecutor(1) as beside:
        slow = beside.submit(raw, client, head)
        assert is_well(client)
        assert b"408" in slow.result().splitlines()[0]


def test_who_leaves_halfway_harms_nobody(client: httpx.Client) -> None:
    body = json.dumps({"inputs": ["red wine"]}).encode()
    head = f"POST /explain HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n"
    head += "content-type: application/json\r\n\r\n"
    for sent in (head.encode(), head.encode() + body[:5], head.encode() + body):
        raw(client, sent, stays=False)

    assert is_well(client)


def test_many_at_once_are_answered_as_one_by_one(client: httpx.Client) -> None:
    bodies = [{"inputs": [f"{kind} {n}"]} for n in range(20) for kind in ("red wine", "dog food", "pasta")]
    bodies[7] = {"inputs": [" "]}
    alone = [client.post("/classify", json=body).json() for body in bodies]
    with ThreadPoolExecutor(16) as many:
        together = [*many.map(lambda body: client.post("/classify", json=body).json(), bodies)]

    assert [one.get("detail") for one in together] == [one.get("detail") for one in alone]
    for one, other in zip(alone, together, strict=True):
        assert [each["label"] for each in one.get("labels", ())] == [
            each["label"] for each in other.get("labels", ())
        ]
    counted = client.get("/metrics").text
    calls = next(line for line in counted.splitlines() if line.startswith("zeroshot_batch_inputs_count"))
    assert float(calls.split()[1]) < 2 * len(bodies) + 20
    assert 'zeroshot_requests_total{path="/classify",status="422"}' in counted


def test_openapi_is_made_of_the_types_of_the_tools(client: httpx.Client) -> None:
    told = client.get("/openapi.json").json()

    assert {"/predict", "/classify", "/retrieve", "/explain", "/health", "/ready"} <= told["paths"].keys()
    shown = told["components"]["schemas"]["PredictionInput"]["properties"]
    assert shown.keys() == with_image(PredictionInput).model_json_schema()["properties"].keys()
    assert "/labels" not in told["paths"]


def test_only_who_has_the_token_may_ask_and_add_labels_which_stay(tmp_path: Path) -> None:
    folder = saved_aisles(tmp_path / "aisles")
    settings = ServiceSettings(model=str(folder), is_writable=True)
    with serving(settings, token="sésame") as client:
        assert client.get("/health").status_code == 200
        for header in ({}, {"authorization": "Bearer sesame"}, {"authorization": "sésame".encode()}):
            assert client.post("/classify", json={"inputs": ["wine"]}, headers=header).status_code == 401
        client.headers = httpx.Headers({"authorization": "Bearer sésame".encode()})
        added = {"labels": ["toys"], "examples": [{"text": "lawn mower", "label": "garden"}]}
        assert client.post("/labels", json={"examples": [{"text": "", "label": "x"}]}).status_code == 422
        assert client.post("/labels", json=added).json()["labels"] == [
            "drinks",
            "garden",
            "pantry",
            "pets",
            "toys",
        ]
        reply = client.post("/classify", json={"inputs": ["lawn mower"]}).json()
        assert reply["labels"][0]["label"] == "garden"

    model = load_model(folder)
    assert model.predict(["lawn mower"]).tolist() == ["garden"]
    model.close()


def test_a_detector_tells_how_new_things_are_as_it_does_in_python(
    tmp_path: Path, client: httpx.Client
) -> None:
    texts = [f"{kind} number {n}" for n in range(10) for kind in ("red wine", "dog food", "fresh pasta")]
    detector = NoveltyDetector(HashEncoder(64)).fit(texts)
    detector.save(tmp_path / "detector")
    asked = ["red wine number 7", "quantum chromodynamics"]
    with serving(ServiceSettings(model=str(tmp_path / "detector"))) as own:
        told = own.post("/detect", json={"inputs": asked}).json()["novelties"]
        refused = own.post("/predict", json={"inputs": asked})
        found = own.post("/retrieve", json={"queries": asked[:1], "k": 1}).json()["results"]

    assert [one["id"] for one in told] == ["query-0", "query-1"]
    assert [one["novelty"] for one in told] == pytest.approx(detector.novelty_score(asked).tolist())
    assert [one["is_new"] for one in told] == (detector.predict(asked) < 0).tolist() == [False, True]
    assert (refused.status_code, "/detect" in refused.json()["detail"]) == (422, True)
    assert "red wine" in found[0][0]["text"]
    strange = client.post("/detect", json={"inputs": asked})
    assert (strange.status_code, "expected a detector" in strange.json()["detail"]) == (422, True)
    detector.close()


async def test_requests_that_wait_are_answered_by_one_call() -> None:
    calls: list[int] = []
    batcher = RequestBatcher(most=4, most_waiting=6, note=calls.append)
    is_free = threading.Event()

    def double(numbers: list[int]) -> list[int]:
        is_free.wait(5)
        if 0 in numbers:
            raise InvalidInputError("expected no 0")
        return [2 * number for number in numbers]

    asked = [asyncio.create_task(batcher.ask("double", double, [1]))]
    await asyncio.sleep(0.05)
    asked += [asyncio.create_task(batcher.ask("double", double, inputs)) for inputs in ([2, 3], [0], [4, 5])]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="ask later"):
        await batcher.ask("double", double, [6, 7])
    asked[3].cancel()
    is_free.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await batcher.close()

    assert answers[:2] == [[2], [4, 6]]
    assert isinstance(answers[2], InvalidInputError)
    assert calls == [1, 3]
