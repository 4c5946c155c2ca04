"""How far a training run has come, in a folder from which the next run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import ArtifactError, InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

__all__ = ["Checkpoints", "Progress", "run_digest"]

_FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run has done.

    Parameters
    ----------
    losses, scores
        Of each epoch.
    best
        Trained parameters after the epoch of the best score, by name.
    seconds
        Spent so far, in all runs together.
    """

    losses: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    best: Mapping[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.losses)

    def after(
        self, parameters: Mapping[str, Parameter], loss: float, score: float, seconds: float
    ) -> Progress:
        """Add an epoch; the first of equally good ones stays the best."""
        is_best = not self.scores or score > max(self.scores)
        own = {name: value.detach().clone() for name, value in parameters.items()} if is_best else self.best
        return replace(
            self,
            losses=(*self.losses, loss),
            scores=(*self.scores, score),
            best=own,
            seconds=seconds,
        )


def run_digest(**parts: Any) -> str:
    """16 hex digits over what a run depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Checkpoints:
    """The last state of one run: ``<name>.json``, which names a file of tensors, replaced by renaming.

    Parameters
    ----------
    folder
        None keeps nothing.
    name
        Of the part of the run, since several may share a folder.
    digest
        What the run depends on, by `run_digest`.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, name: str, digest: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._name = name
        self._digest = digest

    def resume(self, parameters: Mapping[str, Parameter], optimizer: Any) -> Progress:
        """Read the last state into parameters and optimizer; without one, a run begins.

        Raises
        ------
        InvalidInputError
            If the folder holds the state of another run.
        ArtifactError
            If its files are damaged.
        """
        if self._folder is None or not (self._folder / f"{self._name}.json").is_file():
            return Progress()
        notes, tensors = self._read(self._folder)
        _restore(parameters, optimizer, tensors)
        return Progress(
            losses=tuple(notes["losses"]),
            scores=tuple(notes["scores"]),
            best={name: tensors[f"best.{name}"].to(each.device) for name, each in parameters.items()},
            seconds=notes["seconds"],
        )

    def write(self, progress: Progress, parameters: Mapping[str, Parameter], optimizer: Any) -> None:
        """Write a state beside the last one, and make it the last."""
        from safetensors.torch import save_file

        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"now.{name}": each.detach().clone() for name, each in parameters.items()}
        tensors |= {f"best.{name}": each.clone() for name, each in progress.best.items()}
        for name, each in parameters.items():
            moments = optimizer.state.get(each, {})
            tensors |= {f"{key}.{name}": torch_value.clone() for key, torch_value in moments.items()}
        file = f"{self._name}-{progress.epoch}.safetensors"
        beside = self._folder / f".{file}.tmp"
        save_file({key: value.contiguous().cpu() for key, value in tensors.items()}, beside)
        beside.replace(self._folder / file)
        notes = {
            "format_version": _FORMAT_VERSION,
            "digest": self._digest,
            "tensors": file,
            "losses": progress.losses,
            "scores": progress.scores,
            "seconds": progress.seconds,
        }
        draft = self._folder / f".{self._name}.json.tmp"
        draft.write_text(json.dumps(notes), encoding="utf-8")
        draft.replace(self._folder / f"{self._name}.json")
        for old in self._folder.glob(f"{self._name}-*.safetensors"):
            if old.name != file:
                old.unlink()

    def _read(self, folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = folder / f"{self._name}.json"
        try:
            notes = json.loads(path.read_text(encoding="utf-8"))
            digest = notes["digest"] if notes["format_version"] == _FORMAT_VERSION else None
            tensors = load_file(folder / notes["tensors"])
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ArtifactError(f"{path} is damaged ({error}); delete {folder} to begin anew") from error
        if digest != self._digest:
            raise InvalidInputError(
                f"expected checkpoints of this run in {folder}, got those of another one (other texts, "
                "labels, encoder or settings); give another folder, or delete this one"
            )
        return notes, tensors


def _restore(parameters: Mapping[str, Parameter], optimizer: Any, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of a checkpoint where they came from."""
    import torch

    with torch.no_grad():
        for name, each in parameters.items():
            each.copy_(tensors[f"now.{name}"])
            moments = {
                key: tensors[f"{key}.{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{key}.{name}" in tensors
            }
            if moments:
                optimizer.state[each] = {
                    key: value if key == "step" else value.to(each.device) for key, value in moments.items()
                }
