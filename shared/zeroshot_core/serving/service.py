"""A saved model as a web service: FastAPI over the same inputs, answers and batches that adapters use."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from zeroshot_core.checks import listed, shown
from zeroshot_core.errors import InvalidInputError, VectorIndexError, ZeroShotError
from zeroshot_core.files import digest
from zeroshot_core.index.filters import filter_of
from zeroshot_core.index.uri import HiddenText
from zeroshot_core.serving.inputs import to_item
from zeroshot_core.serving.loading import load_model
from zeroshot_core.serving.predictions import Explainer, PredictionSettings, predictions
from zeroshot_core.serving.request_batcher import BusyError, RequestBatcher
from zeroshot_core.serving.request_guard import RequestGuard, RequestLimits
from zeroshot_core.serving.searches import SearchSettings, search
from zeroshot_core.serving.service_metrics import ServiceMetrics
from zeroshot_core.serving.service_schemas import (
    ClassifyReply,
    ClassifyRequest,
    DetectReply,
    DetectRequest,
    ExplainRequest,
    LabelProbabilities,
    LabelsReply,
    LabelsRequest,
    Novelty,
    PredictReply,
    PredictRequest,
    Readiness,
    RetrieveReply,
    RetrieveRequest,
    State,
)
from zeroshot_core.serving.tool_inputs import ToolInput
from zeroshot_core.serving.tool_outputs import found_hit, reasoned_prediction
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.serving.loading import Model

__all__ = [
    "TOKEN",
    "ModelService",
    "ServiceSettings",
    "service_from_environment",
    "service_of",
    "settings_for_workers",
]

TOKEN: Final = "ZEROSHOT_TOKEN"
"""Environment variable of the token that clients must send."""
SETTINGS: Final = "ZEROSHOT_SERVICE"
"""Environment variable by which workers are told their settings."""

_PUBLIC = ("/health", "/ready", "/docs", "/openapi.json")
_WAITING = 4
# A picture of one pixel, of which a model of images alone is asked first.
_DOT: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAP8AACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
_LOG = logging.getLogger("uvicorn.error")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What is served, to whom, and how much of it.

    Parameters
    ----------
    model
        Folder of a saved model.
    uri
        Milvus server that holds the index, if one does; its token is ``MILVUS_TOKEN`` of the environment.
    is_writable
        Whether clients may add labels and examples, which are saved at once.
    limits
        Of each request.
    inputs
        Most inputs of a request, and of a call of the model.
    """

    model: str
    uri: str | None = None
    is_writable: bool = False
    limits: RequestLimits = field(default_factory=RequestLimits)
    inputs: int = 256


class ModelService:
    """A model that is opened in the background, and asked by one request or many at once.

    Parameters
    ----------
    settings
        What is served.
    stop
        Called if the model cannot be opened, with what is wrong.
    """

    def __init__(
        self, settings: ServiceSettings, stop: Callable[[BaseException], None] = lambda error: None
    ) -> None:
        self.settings = settings
        self.metrics = ServiceMetrics(_PATHS, lambda: self.batcher.n_waiting)
        self.batcher = RequestBatcher(
            most=settings.inputs, most_waiting=_WAITING * settings.inputs, note=self.metrics.note_batch
        )
        self._model: Model | None = None
        self._stop = stop

    @property
    def is_ready(self) -> bool:
        """Whether the model is open and has answered once."""
        return self._model is not None

    @property
    def model(self) -> Model:
        """The model.

        Raises
        ------
        BusyError
            While it is being opened.
        """
        if self._model is None:
            raise BusyError("expected a service that is ready, got one that opens its model; ask later")
        return self._model

    async def open(self) -> None:
        """Open the model, and have it answer once, so that the first client does not wait."""
        try:
            self._model = await asyncio.to_thread(self._opened)
        except Exception as error:  # whoever runs the service reports it
            _LOG.error("the model cannot be served: %s", error)
            self._stop(error)

    async def close(self) -> None:
        """Answer what waits, and close the model."""
        await self.batcher.close()
        if self._model is not None:
            self._model.close()

    async def predict(
        self, settings: PredictionSettings, inputs: Sequence[Any], key: Hashable
    ) -> list[Prediction]:
        """Predict for inputs by one call of the model for all that ask for the same."""
        model = self.model
        if not isinstance(model, Explainer):
            raise InvalidInputError(
                f"expected a model that predicts, got a {type(model).__name__}; ask /detect"
            )
        items = self._items(inputs)
        return await self.batcher.ask(key, partial(predictions, model, settings=settings), items)

    async def detect(self, request: DetectRequest) -> DetectReply:
        """Tell how new things are.

        Raises
        ------
        InvalidInputError
            If the model is no novelty detector.
        """
        model: Any = self.model
        if isinstance(model, Explainer):
            raise InvalidInputError(f"expected a detector, got a {type(model).__name__}; ask /predict")
        items = self._items(request.inputs)

        def detect(asked: list[Item]) -> list[Novelty]:
            scores = model.novelty_score(asked)
            told = scores > model.novelty_.threshold(model.false_alarm_rate)
            return [
                Novelty(id=item.id, novelty=score, is_new=is_new)
                for item, score, is_new in zip(asked, scores, told, strict=True)
            ]

        return DetectReply(novelties=await self.batcher.ask(DetectRequest, detect, items))

    async def retrieve(self, request: RetrieveRequest) -> RetrieveReply:
        """Look up known things."""
        settings = SearchSettings(
            k=request.k,
            graph_weight=request.graph_weight,
            filter=filter_of(request.filter),
            score_threshold=request.score_threshold,
        )
        retriever = self.model.retriever_
        items = self._items(request.queries)
        found = await self.batcher.ask(
            _key(request, "queries"), lambda asked: search(retriever, asked, settings), items
        )
        return RetrieveReply(results=[[*map(found_hit, hits)] for hits in found])

    async def learn(self, request: LabelsRequest) -> LabelsReply:
        """Take in labels and examples, and save the model at once.

        Raises
        ------
        InvalidInputError
            If the service is not writable, the model is no classifier, or a label or an example is wrong.
        """
        model: Any = self.model
        if not self.settings.is_writable:
            raise InvalidInputError("expected a writable service to add labels to, got one that only reads")
        if not hasattr(model, "partial_fit"):
            raise InvalidInputError(f"expected a classifier to add labels to, got a {type(model).__name__}")
        self._check_number(request.examples)

        def learn(requests: list[LabelsRequest]) -> list[list[Any]]:
            for each in requests:
                y = [one.label for one in each.examples]
                model.partial_fit(self._examples(each) or None, y or None, each.labels or None)
            model.save(self.settings.model, overwrite=True, extra=model.saved_extra_)
            return [model.classes_.tolist()] * len(requests)

        # A key of its own: what is learned by one request is saved before the next one is read.
        (labels,) = await self.batcher.ask(object(), learn, [request])
        return LabelsReply(labels=labels)

    def _examples(self, request: LabelsRequest) -> list[str | Item]:
        """Texts as they are, whose ids the model makes, and items of what has an id or an image."""
        examples: list[str | Item] = []
        for each in request.examples:
            id_ = f"added-{digest(each.text or '', each.image or '', n=16)}"
            item = to_item(each.model_dump(exclude={"label"}, exclude_none=True), id_, self.model)
            is_text = each.id is None and each.image is None
            examples.append(item.text or "" if is_text else item)
        return examples

    def _opened(self) -> Model:
        model = load_model(
            self.settings.model,
            uri=self.settings.uri,
            token=os.environ.get("MILVUS_TOKEN") or None,
            read_only=not self.settings.is_writable,
        )
        is_text = "text" in model.encoder_.modalities
        asked = Item(id="warm-up", text="warm-up") if is_text else Item(id="warm-up", image=_DOT)
        model.retriever_.retrieve([asked], top_k=1)
        # A novelty detector, or a model of tables, refuses a mere text.
        with suppress(InvalidInputError):
            predictions(model, [asked], PredictionSettings(coverage=0.9, top_k=1))
        return model

    def _items(self, inputs: Sequence[Any]) -> list[Item]:
        self._check_number(inputs)
        given = (one.model_dump(exclude_none=True) if isinstance(one, ToolInput) else one for one in inputs)
        return [to_item(one, f"query-{row}", self.model) for row, one in enumerate(given)]

    def _check_number(self, inputs: Sequence[Any]) -> None:
        if len(inputs) > self.settings.inputs:
            raise InvalidInputError(
                f"expected at most {self.settings.inputs} inputs, got {len(inputs)}; send several requests"
            )


def _key(request: ToolInput, *inputs: str) -> Hashable:
    """Give what requests have alike that may be answered by one call."""
    return type(request), json.dumps(request.model_dump(exclude={*inputs}), sort_keys=True)


# Async, since FastAPI runs what is not in a thread, which takes longer than the rest of a request.
async def _service(request: Request) -> ModelService:
    service: ModelService = request.app.state.service
    return service


Service = Annotated[ModelService, Depends(_service)]


async def _predict(body: PredictRequest, service: Service) -> PredictReply:
    """Predict numbers, curves, labels or rankings, without what is behind them."""
    settings = PredictionSettings(
        top_k=1, evidence=False, **body.model_dump(exclude={"inputs"}, exclude_none=True)
    )
    found = await service.predict(settings, body.inputs, _key(body, "inputs"))
    return PredictReply(predictions=[*map(reasoned_prediction, found)])


async def _explain(body: ExplainRequest, service: Service) -> PredictReply:
    """Predict, with the known things and concepts behind each prediction."""
    settings = PredictionSettings(**body.model_dump(exclude={"inputs"}, exclude_none=True))
    found = await service.predict(settings, body.inputs, _key(body, "inputs"))
    return PredictReply(predictions=[reasoned_prediction(one, is_explained=True) for one in found])


async def _classify(body: ClassifyRequest, service: Service) -> ClassifyReply:
    """Give each text or image its label, with the probability of every label."""
    if not hasattr(service.model, "predict_proba"):
        kind = type(service.model).__name__
        raise InvalidInputError(f"expected a classifier, got a {kind}; ask /predict")
    settings = PredictionSettings(
        coverage=0.9, top_k=1, evidence=False, reject=body.reject, confidence=body.confidence
    )
    found = await service.predict(settings, body.inputs, _key(body, "inputs"))
    labels = [
        LabelProbabilities(id=one.id, label=str(one.value), probabilities=dict(one.probabilities))
        for one in found
    ]
    return ClassifyReply(labels=labels)


async def _detect(body: DetectRequest, service: Service) -> DetectReply:
    """Tell of each thing how new it is, and whether that is new."""
    return await service.detect(body)


async def _retrieve(body: RetrieveRequest, service: Service) -> RetrieveReply:
    """Look up known things by meaning and through the knowledge graph."""
    return await service.retrieve(body)


async def _learn(body: LabelsRequest, service: Service) -> LabelsReply:
    """Add labels and examples; the next request knows them, and so does a restarted service."""
    return await service.learn(body)


async def _health() -> State:
    """Say that the process runs."""
    return State(status="ok")


async def _ready(service: Service, response: Response) -> Readiness:
    """Say whether the model is open, 503 while it is not, and whether it reads texts, images or both."""
    if not service.is_ready:
        response.status_code = 503
        return Readiness(status="opening the model", reads=[])
    return Readiness(status="ready", reads=[f"{each}s" for each in service.model.encoder_.modalities])


async def _metrics(service: Service) -> Response:
    """Give counts and times of requests and batches."""
    return Response(service.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


_POSTED: Final[dict[str, Callable[..., Any]]] = {
    "/predict": _predict,
    "/classify": _classify,
    "/detect": _detect,
    "/retrieve": _retrieve,
    "/explain": _explain,
    "/labels": _learn,
}
_READ: Final[dict[str, Callable[..., Any]]] = {"/health": _health, "/ready": _ready, "/metrics": _metrics}
_PATHS: Final = (*_POSTED, *_READ)


def service_of(
    settings: ServiceSettings,
    *,
    token: str | None = None,
    stop: Callable[[BaseException], None] = lambda error: None,
) -> FastAPI:
    """Make the application that serves a model.

    Parameters
    ----------
    token
        What clients must send; None lets everybody ask.
    stop
        Called if the model cannot be opened.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(service.open())
        yield
        await opening
        await service.close()

    service = ModelService(settings, stop)
    app = FastAPI(
        title="zeroshot-milvus",
        version=version("zeroshot-milvus"),
        description="Predictions of a saved model.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    for path, answer in _POSTED.items():
        if path != "/labels" or settings.is_writable:
            app.post(path, name=path[1:])(answer)
    for path, answer in _READ.items():
        app.get(path, name=path[1:])(answer)
    app.exception_handler(RequestValidationError)(_refused_request)
    app.exception_handler(ZeroShotError)(_refused)
    app.add_middleware(
        RequestGuard,
        limits=settings.limits,
        token=None if token is None else HiddenText(token),
        public=_PUBLIC,
        note=service.metrics.note_request,
    )
    return app


def service_from_environment() -> FastAPI:
    """Make the application in a worker, by the settings that its parent left in the environment."""
    given = json.loads(os.environ[SETTINGS])
    settings = ServiceSettings(**{**given, "limits": RequestLimits(**given["limits"])})
    return service_of(settings, token=os.environ.get(TOKEN) or None)


def settings_for_workers(settings: ServiceSettings) -> dict[str, str]:
    """Give the environment by which workers know their settings."""
    return {SETTINGS: json.dumps(asdict(settings))}


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, InvalidInputError):
        status = 422
    else:
        status = 503 if isinstance(error, BusyError | VectorIndexError) else 500
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": _escaped(str(error))}, status, headers)


async def _refused_request(request: Request, error: Exception) -> JSONResponse:
    """Say in one sentence what is wrong with a request."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = [f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in problems[:3]]
    where = listed(shown(one) for one in said)
    return JSONResponse({"detail": f"expected a request as in /docs, got another: {_escaped(where)}"}, 422)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
