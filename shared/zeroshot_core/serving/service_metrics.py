"""What Prometheus is told of a service."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["SHARED", "ServiceMetrics"]

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which several workers count together."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ServiceMetrics:
    """Counts of one service; those of all workers where they share a folder.

    Parameters
    ----------
    paths
        Those that are counted by name; all others are ``other``.
    waiting
        Gives how many inputs wait.
    """

    def __init__(self, paths: Collection[str], waiting: Callable[[], int]) -> None:
        self._paths = frozenset(paths)
        self._registry = CollectorRegistry()
        is_shared = SHARED in os.environ
        own = None if is_shared else self._registry
        if is_shared:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "zeroshot_requests", "Requests, by path and status.", ["path", "status"], registry=own
        )
        self._seconds = Histogram(
            "zeroshot_request_seconds", "Seconds of a request.", ["path"], buckets=_SECONDS, registry=own
        )
        self._inputs = Histogram(
            "zeroshot_batch_inputs",
            "Inputs that one call of the model answers.",
            buckets=_SIZES,
            registry=own,
        )
        if not is_shared:
            Gauge("zeroshot_waiting_inputs", "Inputs that wait.", registry=own).set_function(waiting)

    def note_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        name = path if path in self._paths else "other"
        self._requests.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)

    def note_batch(self, n_inputs: int) -> None:
        """Count a call of the model."""
        self._inputs.observe(n_inputs)

    def page(self) -> bytes:
        """All counts in Prometheus's text format."""
        return generate_latest(self._registry)
