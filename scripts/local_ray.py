"""A small Ray on this machine, for tests and campaigns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from zeroshot_core.errors import require
from zeroshot_core.index.ray_run import start_ray

__all__ = ["local_ray"]


@contextmanager
def local_ray(*, object_store_mb: int) -> Iterator[str]:
    """Start a Ray of two cores and give its address."""
    # Ray's own is 15: beside other jobs its workers would hardly begin.
    os.environ.setdefault("RAY_worker_niceness", "0")
    started = start_ray(num_cpus=2, object_store_memory=object_store_mb * 2**20)
    try:
        yield started.address_info["address"]
    finally:
        require("ray", extra="ray").shutdown()
