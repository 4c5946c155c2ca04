"""A web service that runs in this process, over a real socket."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from zeroshot_core.serving.service import ServiceSettings, service_of


@contextmanager
def serving(settings: ServiceSettings, token: str | None = None) -> Iterator[httpx.Client]:
    """A client of a service that runs in this process, once it is ready."""
    server = uvicorn.Server(
        uvicorn.Config(service_of(settings, token=token), port=0, log_level="critical", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            while client.get("/ready").status_code == 503:
                time.sleep(0.02)
            yield client
    finally:
        server.should_exit = True
        thread.join()
