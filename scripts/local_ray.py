"""A small Ray on this machine, for tests and campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["local_ray"]


@contextmanager
def local_ray(*, object_store_mb: int) -> Iterator[str]:
    """Start a Ray of two cores and give its address; a busy machine may have no time for a dashboard."""
    import ray

    started = ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=object_store_mb * 2**20,
        log_to_driver=False,
        logging_level="error",
    )
    try:
        yield started.address_info["address"]
    finally:
        ray.shutdown()
