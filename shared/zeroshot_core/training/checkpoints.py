"""How far a run has come, in a folder from which the next one goes on: single tunings and joint rounds alike.

Why not `transformers.Trainer` or `accelerate`: their checkpoints are of their own loops, and do not tell what
else a run depends on, so that another one would go on from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.files import digest, replacing, write_json

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Checkpoints", "run_digest"]

_FORMAT_VERSION = 1

State = TypeVar("State")


def run_digest(**parts: Any) -> str:
    """16 hex digits over what a run depends on, JSON-able."""
    return digest(json.dumps(parts, sort_keys=True))


class Checkpoints:
    """The last state of one run: ``<name>.json``, which names a file of tensors, each replaced by renaming.

    A kill at any moment leaves the state before, or the new one.

    Parameters
    ----------
    folder
        Several parts of a run may share it.
    name
        Of the part of the run.
    run
        What the run depends on, as a digest.
    inputs
        The same in words, for errors.
    tensors_name
        How the names of the files of tensors begin; None is `name`.
    run_field, tensors_field
        Under what names the JSON keeps the digest and the name of the file of tensors.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str,
        run: str,
        *,
        inputs: str,
        tensors_name: str | None = None,
        run_field: str = "digest",
        tensors_field: str = "tensors",
    ) -> None:
        self._folder = Path(folder)
        self._path = self._folder / f"{name}.json"
        self._run, self._inputs = run, inputs
        self._tensors_name = tensors_name or name
        self._run_field, self._tensors_field = run_field, tensors_field

    def read(self, parse: Callable[[dict[str, Any], dict[str, Tensor]], State]) -> State | None:
        """Read the last state; None where the folder holds none.

        Parameters
        ----------
        parse
            From what was written to the state; a `KeyError`, `TypeError` or `ValueError` means damage.

        Raises
        ------
        InvalidInputError
            If it is the state of another run.
        ArtifactError
            If the files are damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self._path.is_file():
            return None
        try:
            notes = json.loads(self._path.read_text(encoding="utf-8"))
            if (notes["format_version"], notes[self._run_field]) == (_FORMAT_VERSION, self._run):
                file = notes[self._tensors_field]
                return parse(notes, load_file(self._folder / file) if file else {})
        except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
            raise ArtifactError(
                f"{self._path} is damaged ({error}); remove the folder to begin anew"
            ) from error
        raise InvalidInputError(
            f"expected the checkpoint of this run in {str(self._folder)!r}, got one of other {self._inputs}; "
            "give another folder, or remove this one"
        )

    def write(self, notes: Mapping[str, Any], tensors: Mapping[str, Tensor], number: int) -> None:
        """Write a state beside the last one, and make it the last.

        Parameters
        ----------
        notes
            JSON-able.
        number
            Ends the name of the file of tensors; another one for other tensors.
        """
        from safetensors.torch import save_file

        self._folder.mkdir(parents=True, exist_ok=True)
        file = f"{self._tensors_name}-{number}.safetensors" if tensors else None
        if file is not None:
            with replacing(self._folder / file) as beside:
                # Copies, since tensors that share memory are refused.
                save_file(
                    {name: each.detach().clone().contiguous().cpu() for name, each in tensors.items()}, beside
                )
        fields = {self._run_field: self._run, self._tensors_field: file}
        write_json(self._path, {"format_version": _FORMAT_VERSION, **fields, **notes}, indent=None)
        # Those of the states before, and what a kill left half written.
        for old in self._folder.glob(f"{self._tensors_name}-*.safetensors"):
            if old.name != file:
                old.unlink()
        for half in self._folder.glob(f".{self._tensors_name}-*.safetensors.*"):
            half.unlink()
