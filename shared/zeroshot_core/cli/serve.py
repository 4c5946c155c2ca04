"""``zeroshot serve``: a saved model as a web service."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.console import note
from zeroshot_core.errors import InvalidInputError, require

if TYPE_CHECKING:
    from zeroshot_core.serving.service import ServiceSettings

__all__ = ["ends_well", "guarded_token", "serve"]

_FACTORY = "zeroshot_core.serving.service:service_from_environment"
_HERE = ("127.0.0.1", "localhost", "::1")
_GRACE_S = 10


def serve(
    model: Annotated[Path, typer.Option(help="Folder of the model, of whichever kind.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes, each with the model open.", min=1)] = 1,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let clients add labels and examples by /labels.")
    ] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
    max_body: Annotated[int, typer.Option(help="Most bytes of a request.", min=1)] = 1_000_000,
    max_inputs: Annotated[int, typer.Option(help="Most inputs of a request.", min=1)] = 256,
) -> None:
    """Serve a model by HTTP; what may be asked is under /docs. ZEROSHOT_TOKEN is what clients must send."""
    for module in ("fastapi", "uvicorn", "prometheus_client"):
        require(module, extra="serve")
    from zeroshot_core.estimators.saving import read_manifest
    from zeroshot_core.serving.request_guard import RequestLimits
    from zeroshot_core.serving.service import ServiceSettings

    if writable and workers > 1:
        raise InvalidInputError(
            f"expected one worker of a writable service, got {workers}: none knows what another learns"
        )
    read_manifest(model)
    token = guarded_token(host, is_writable=writable)
    settings = ServiceSettings(
        model=str(model.resolve()),
        uri=uri,
        is_writable=writable,
        limits=RequestLimits(body=max_body),
        inputs=max_inputs,
    )
    with ends_well():
        if workers > 1:
            _serve_by_several(settings, host, port, workers)
        else:
            _serve_alone(settings, host, port, token)


def guarded_token(host: str, *, is_writable: bool = False) -> str | None:
    """Token that clients must send, of the environment; who listens to others without one is told.

    Raises
    ------
    InvalidInputError
        If others might write without one.
    """
    token = os.environ.get("ZEROSHOT_TOKEN") or None
    if token is None and host not in _HERE:
        if is_writable:
            raise InvalidInputError(
                f"expected a token of clients that may write from elsewhere, got none for {host}; "
                "set ZEROSHOT_TOKEN"
            )
        note(f"note: whoever reaches {host} may ask; set ZEROSHOT_TOKEN to have clients send a token")
    return token


@contextmanager
def ends_well() -> Iterator[None]:
    """Let SIGTERM end a server as what it was asked to, with exit code 0."""
    # uvicorn raises the signal again when it has stopped.
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve_alone(settings: ServiceSettings, host: str, port: int, token: str | None) -> None:
    import uvicorn

    from zeroshot_core.serving.service import service_of

    failures: list[BaseException] = []

    def stop(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    app = service_of(settings, token=token, stop=stop)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    server.run()
    if failures:
        raise failures[0]


def _serve_by_several(settings: ServiceSettings, host: str, port: int, workers: int) -> None:
    import uvicorn

    from zeroshot_core.serving.service import settings_for_workers

    with tempfile.TemporaryDirectory(prefix="zeroshot-metrics-") as counts:
        # Read by the workers, which are processes of their own.
        os.environ.update(settings_for_workers(settings), PROMETHEUS_MULTIPROC_DIR=counts)
        uvicorn.run(
            _FACTORY,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
