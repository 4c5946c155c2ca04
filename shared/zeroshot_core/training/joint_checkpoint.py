"""Where a joint run stands, in a folder: one JSON file, replaced by one rename, that names a weights file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import ArtifactError, InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "JointState",
    "RoundReport",
    "load_checkpoint",
    "remove_checkpoint",
    "save_checkpoint",
    "written_versions",
]

_FORMAT_VERSION = 1
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
    n_neighbours
        Number of mined pairs of unlabelled texts, each counted from both sides.
    seconds
        What the round took: indexing, mining, training and measuring.
    is_kept
        Whether the round's encoder became the current one.
    """

    gain: float
    interval: tuple[float, float]
    gain_unseen: float | None
    n_negatives: int
    n_neighbours: int
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
        Versions that the run went through.
    before
        Versions that were there when the run began.
    is_refitted
        Whether the values come from all texts; then the run is over.
    values
        What was trained, by name of the parameter; empty while the given encoder is the current one.
    """

    rounds: tuple[RoundReport, ...] = ()
    made: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    is_refitted: bool = False
    values: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def written(self) -> tuple[str, ...]:
        """Versions that are the run's own."""
        return tuple(version for version in self.made if version not in self.before)

    @property
    def is_over(self) -> bool:
        """Whether the last round gained nothing, or no text is held out any more."""
        return self.is_refitted or (bool(self.rounds) and not self.rounds[-1].is_kept)


def save_checkpoint(folder: Path, state: JointState, *, key: str) -> None:
    """Write the state; a kill at any moment leaves the one before or this one.

    Parameters
    ----------
    key
        Stands for all that the run depends on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = None
    if state.values:
        weights = f"weights-{sum(report.is_kept for report in state.rounds) + state.is_refitted}.safetensors"
        _replace(folder / weights, lambda draft: _write_values(state.values, draft))
    notes = {
        "format_version": _FORMAT_VERSION,
        "key": key,
        "weights": weights,
        "rounds": [asdict(report) for report in state.rounds],
        "made": state.made,
        "before": state.before,
        "is_refitted": state.is_refitted,
    }
    _replace(folder / _FILE, lambda draft: draft.write_text(json.dumps(notes, indent=1), encoding="utf-8"))
    for old in folder.glob("weights-*.safetensors"):
        if old.name != weights:
            old.unlink()


def load_checkpoint(folder: Path, *, key: str) -> JointState | None:
    """Read the state of a run; None if the folder holds none.

    Raises
    ------
    InvalidInputError
        If it is the state of a run on other items, labels, graph, encoder, settings or seed.
    ArtifactError
        If the files are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / _FILE
    if not path.exists():
        return None
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        found = notes["format_version"], notes["key"]
        state = JointState(
            rounds=tuple(map(_report, notes["rounds"])),
            made=tuple(notes["made"]),
            before=tuple(notes["before"]),
            is_refitted=notes["is_refitted"],
        )
        values = load_file(folder / notes["weights"]) if notes["weights"] else {}
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); remove the folder to begin anew") from error
    if found != (_FORMAT_VERSION, key):
        raise InvalidInputError(
            f"expected the checkpoint of this run in {str(folder)!r}, got one of other items, labels, graph, "
            "encoder, settings or seed; give another folder, or remove this one"
        )
    return replace(state, values=values)


def written_versions(folder: Path) -> tuple[str, ...]:
    """Versions that the run of a checkpoint wrote, whatever run it is; none where it is damaged."""
    try:
        notes = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return JointState(made=tuple(notes["made"]), before=tuple(notes["before"])).written
    except (KeyError, TypeError, ValueError, OSError):
        return ()


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; a kill at any moment leaves it whole or none."""
    (folder / _FILE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _write_values(values: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous().cpu() for name, value in values.items()}, path)


def _report(values: dict[str, Any]) -> RoundReport:
    low, high = values.pop("interval")
    return RoundReport(interval=(low, high), **values)


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    write(draft)
    draft.replace(path)
