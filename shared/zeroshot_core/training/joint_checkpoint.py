"""Where a joint run stands, in a folder: one JSON file, replaced by one rename, that names a weights file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.training.joint_learner import load_weights, save_weights

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder

__all__ = ["JointState", "RoundReport", "load_checkpoint", "save_checkpoint"]

_FORMAT = 1
_FILE = "joint.json"


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What one round did.

    Parameters
    ----------
    gain
        Mean difference on the held-out texts against the encoder before the round, of average precision for
        labels or of explained variance for targets; with unseen labels, they and the seen ones count alike.
    interval
        Of the gain, with coverage 0.95: paired bootstrap over the held-out texts.
    gain_unseen
        Of the held-out labels alone; None where there are none.
    n_negatives
        Number of mined pairs of text and negative.
    seconds
        What the round took: indexing, mining, training and measuring.
    is_kept
        Whether the round's encoder became the current one.
    """

    gain: float
    interval: tuple[float, float]
    gain_unseen: float | None
    n_negatives: int
    seconds: float
    is_kept: bool


@dataclass(frozen=True, kw_only=True)
class JointState:
    """Everything that a run needs to go on after its last finished round.

    Parameters
    ----------
    rounds
        Reports of the finished rounds.
    made
        Versions that the run wrote.
    served
        Version that served when the run began; None if none did.
    encoder
        The current encoder.
    """

    encoder: Encoder
    rounds: tuple[RoundReport, ...] = ()
    made: tuple[str, ...] = ()
    served: str | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether the last round gained nothing."""
        return bool(self.rounds) and not self.rounds[-1].is_kept


def save_checkpoint(folder: Path, state: JointState, base: Encoder, *, key: str) -> None:
    """Write the state; a kill at any moment leaves the one before or this one.

    Parameters
    ----------
    key
        Stands for all that the run depends on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = None
    if state.encoder is not base:
        weights = f"round-{sum(report.is_kept for report in state.rounds)}.safetensors"
        _replace(folder / weights, lambda draft: save_weights(state.encoder, draft))
    values = {
        "format": _FORMAT,
        "key": key,
        "weights": weights,
        "rounds": [asdict(report) for report in state.rounds],
        "made": state.made,
        "served": state.served,
    }
    _replace(folder / _FILE, lambda draft: draft.write_text(json.dumps(values, indent=1), encoding="utf-8"))
    for old in folder.glob("round-*.safetensors"):
        if old.name != weights:
            old.unlink()


def load_checkpoint(folder: Path, base: Encoder, *, key: str) -> JointState | None:
    """Read the state of a run; None if the folder holds none.

    Raises
    ------
    InvalidInputError
        If it is the state of a run on other items, labels, graph, encoder, settings or seed.
    ArtifactError
        If the files are damaged.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found, weights = (values["format"], values["key"]), values["weights"]
        rounds = tuple(map(_report, values["rounds"]))
        state = JointState(encoder=base, rounds=rounds, made=tuple(values["made"]), served=values["served"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); remove the folder to begin anew") from error
    if found != (_FORMAT, key):
        raise InvalidInputError(
            f"expected the checkpoint of this run in {str(folder)!r}, got one of other items, labels, graph, "
            "encoder, settings or seed; give another folder, or remove this one"
        )
    return state if weights is None else replace(state, encoder=_opened(folder / weights, base))


def _opened(path: Path, base: Encoder) -> Encoder:
    try:
        return load_weights(base, path)
    except Exception as error:
        raise ArtifactError(f"{path} is damaged ({error}); remove the folder to begin anew") from error


def _report(values: dict[str, Any]) -> RoundReport:
    low, high = values.pop("interval")
    return RoundReport(interval=(low, high), **values)


def _replace(path: Path, write: Any) -> None:
    draft = path.with_name(f".{path.name}.draft")
    write(draft)
    draft.replace(path)
