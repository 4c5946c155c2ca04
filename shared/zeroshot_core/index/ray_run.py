"""Runs of Ray Data whose actors end with them, and what Ray failed of in one sentence."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from zeroshot_core import checks
from zeroshot_core.errors import (
    ConnectionFailedError,
    InvalidInputError,
    VectorIndexError,
    ZeroShotError,
    require,
)
from zeroshot_core.index.item_stream import BLOCK_ROWS

__all__ = ["RayOptions", "RayRun", "map_by_actors", "start_ray"]

# Blocks that an actor has been given and not done: what bounds memory and keeps it busy.
_BLOCKS_IN_FLIGHT = 2
_RAY_ADDS = "Failed to apply UDF"
# What an actor holds as long as it lives.
_RESOURCES = ("num_cpus", "num_gpus", "memory", "resources", "accelerator_type", "label_selector")
# For an answer of an actor that does nothing else.
_ANSWER_S = 60


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where and by how many actors a data set is worked on.

    Parameters
    ----------
    n_actors
        Each with a model of its own.
    address
        Of a cluster, such as ``head:6379`` or ``auto``, from one of its nodes; None for the Ray that runs
        already, or a local one.
    remote_args
        Of each actor, as Ray takes them: ``{"num_gpus": 1}``, ``{"num_cpus": 4}``. Without ``num_cpus`` an
        actor has a core, or so much less that one is left to read the data.
    block_rows
        How many rows are encoded in one go.
    wait_s
        Seconds to wait until the cluster has room for an actor.
    """

    n_actors: int = 2
    address: str | None = None
    remote_args: Mapping[str, Any] = field(default_factory=dict)
    block_rows: int = BLOCK_ROWS
    wait_s: float = 300.0

    def __post_init__(self) -> None:
        checks.whole("n_actors", self.n_actors, least=1)
        checks.whole("block_rows", self.block_rows, least=1)
        checks.real("wait_s", self.wait_s, above=0)

    def start(self) -> None:
        """Connect to Ray, unless this process is connected; what goes wrong is then told by errors alone.

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        InvalidInputError
            If the address is Ray Client's (``ray://``), through which Ray Data does not run.
        ConnectionFailedError
            If no cluster answers at the address, or a local Ray does not start, twice.
        """
        if self.address is not None and self.address.startswith("ray://"):
            raise InvalidInputError(
                f"expected an address such as head:6379 or auto, from a node of the cluster, got "
                f"{checks.shown(self.address)}: Ray Data does not run through Ray Client; run this on a "
                "node, or hand it in with `ray job submit`"
            )
        if not require("ray", extra="ray").is_initialized():
            start_ray(self.address)

    @property
    def actor_args(self) -> dict[str, Any]:
        """Arguments of each actor, once this process is connected."""
        n_cores = require("ray", extra="ray").cluster_resources().get("CPU", 1)
        # Actors that hold all cores wait for ever for what is read by tasks, which need one.
        share = math.floor(100 * max(0, n_cores - 1) / self.n_actors) / 100
        return {"num_cpus": min(1, share), **self.remote_args}


class RayRun:
    """One run of Ray over a Dataset, which is worked through within `watched`.

    Ray lets the actors of a run that failed end by themselves, but one that waits meanwhile, such as for a
    server that has died, keeps its cores, for which the next run would wait as long. So each says that it is
    there, before it does anything, and all are killed at the end.
    """

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        self._needed: Mapping[str, Any] = {"num_cpus": 1}
        self._members: Any = None

    def by_tasks(self, dataset: Any, function: Callable[..., Any], /, **given: Any) -> Any:
        """Have each block of a Dataset, as an Arrow table, answered by a function, with `given`."""
        return _blocks(dataset, self._options).map_batches(
            function, batch_format="pyarrow", batch_size=self._options.block_rows, fn_kwargs=given
        )

    def by_actors(self, dataset: Any, kind: type, /, **given: Any) -> Any:
        """Have each block of a Dataset answered as by `map_by_actors`."""
        self._needed = {key: value for key, value in self._options.actor_args.items() if key in _RESOURCES}
        lasting = require("ray", extra="ray").remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
        self._members = lasting(_Members).remote()
        return map_by_actors(dataset, _Member, self._options, members=self._members, kind=kind, given=given)

    def rows(self, dataset: Any) -> Iterator[Any]:
        """Rows of a Dataset of this run as they are made.

        Raises
        ------
        ZeroShotError
            As of `watched`.
        """
        with self.watched(dataset):
            yield from dataset.iter_rows()

    @contextmanager
    def watched(self, dataset: Any) -> Iterator[None]:
        """Work through a Dataset of this run within the block, at whose end all its actors end.

        Raises
        ------
        ZeroShotError
            What an actor raised of ours; VectorIndexError for others, saying how to go on, and if the
            cluster has no room in time.
        """
        dataset.context.enable_progress_bars = False
        dataset.context.raise_original_map_exception = True
        try:
            self._wait_for_room()
            yield
        except _failures() as error:
            raise _own_error(error) from None
        finally:
            self._end_actors()

    def _wait_for_room(self) -> None:
        ray = require("ray", extra="ray")
        # A cluster that grows when it is asked does so for this too.
        place = ray.remote(**self._needed)(lambda: None).remote()
        try:
            ray.get(place, timeout=self._options.wait_s)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(place)
            free = {key: amount for key, amount in ray.available_resources().items() if ":" not in key}
            raise VectorIndexError(
                f"expected Ray to have room for {dict(self._needed)} within {self._options.wait_s:g} s, got "
                f"{free} free; end what holds the rest, ask for less by RayOptions(remote_args=...), or wait "
                "longer by wait_s"
            ) from None

    def _end_actors(self) -> None:
        ray = require("ray", extra="ray")
        # A Ray that has ended has no actors, and to ask it would begin one.
        if self._members is None or not ray.is_initialized():
            return
        with suppress(ray.exceptions.RayError):
            for actor in ray.get(self._members.all.remote(), timeout=_ANSWER_S):
                ray.kill(actor)
        # One that begins now finds nobody to tell, and ends.
        ray.kill(self._members)


class _Members:
    """The actors of a run; an actor itself."""

    def __init__(self) -> None:
        self._actors: list[Any] = []

    def add(self, actor: Any) -> None:
        """Take one in."""
        self._actors.append(actor)

    def all(self) -> list[Any]:
        """Every one that came; it may have ended."""
        return self._actors


class _Member:
    """What answers blocks in an actor of a run."""

    def __init__(self, *, members: Any, kind: type, given: Mapping[str, Any]) -> None:
        ray = require("ray", extra="ray")
        ray.get(members.add.remote(ray.get_runtime_context().current_actor))
        self._answer: Callable[[Any], Any] = kind(**given)

    def __call__(self, block: Any) -> Any:
        return self._answer(block)


def map_by_actors(dataset: Any, kind: type, options: RayOptions, /, **given: Any) -> Any:
    """Have each block of a Dataset, as an Arrow table, answered by one of several actors.

    Parameters
    ----------
    kind
        Called with a block; made once an actor, of `given`.
    """
    data = require("ray.data", extra="ray")
    pool = data.ActorPoolStrategy(size=options.n_actors, max_tasks_in_flight_per_actor=_BLOCKS_IN_FLIGHT)
    return _blocks(dataset, options).map_batches(
        kind,
        batch_format="pyarrow",
        batch_size=options.block_rows,
        fn_constructor_kwargs=given,
        compute=pool,
        **options.actor_args,
    )


def start_ray(address: str | None = None, **settings: Any) -> Any:
    """Begin a local Ray, or connect to one; what `ray.init` gives.

    Raises
    ------
    ConnectionFailedError
        If there is none at the address, or a local one does not start, twice.
    """
    ray = require("ray", extra="ray")
    require("ray.data", extra="ray")
    # Ray Data logs errors of ours as its own, whole traces that end in "please open an issue".
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if address is None:
        # A busy machine may have no time for a dashboard.
        settings = {"include_dashboard": False, **settings}
    for is_last in (address is not None, True):
        try:
            return ray.init(address, log_to_driver=False, logging_level="error", **settings)
        # Ray raises a bare Exception where a local one has not started within 30 s, on a machine just woken.
        except Exception as error:
            ray.shutdown()
            if is_last:
                where, remedy = "on this machine", "run the same again when it has less to do"
                if address is not None:
                    where = f"at {checks.shown(address)}"
                    remedy = "check the address, or leave it out for a local Ray"
                reason = str(error).partition("\n")[0][:200]
                raise ConnectionFailedError(
                    f"expected a Ray that answers {where}, got none ({reason}); {remedy}"
                ) from error
    raise AssertionError


def _blocks(dataset: Any, options: RayOptions) -> Any:
    # Ray reads files into blocks of 128 MB: a million short texts would be one, and one actor's.
    return dataset.repartition(target_num_rows_per_block=options.block_rows)


def _failures() -> tuple[type[Exception], ...]:
    ray, data = require("ray.exceptions", extra="ray"), require("ray.data.exceptions", extra="ray")
    # A run that goes nowhere for half an hour; older versions of Ray don't end it.
    stalled = getattr(data, "ExecutionTimeoutError", ray.RayError)
    return ray.RayError, stalled


def _own_error(error: BaseException) -> ZeroShotError:
    """Make an error of ours of one that an actor raised, or say of another how to go on."""
    # Ray makes a class that is both its own and the actor's error, with a traceback as the message.
    cause: BaseException | None = getattr(error, "cause", None) or error.__cause__
    while cause is not None and not isinstance(cause, ZeroShotError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    if cause is None:
        return VectorIndexError(
            f"Ray failed: {type(error).__name__}: {str(error)[:200]}; run the same again to go on"
        )
    # Ray adds to the message how it could be told to try again.
    return type(cause)(str(cause).partition(_RAY_ADDS)[0].rstrip())
