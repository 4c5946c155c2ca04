"""Files of any size forecast into Parquet: what ``zeroshot predict --input`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zeroshot_core import checks
from zeroshot_core.cli.console import note

if TYPE_CHECKING:
    from zeroshot_core.index import RayOptions

__all__ = ["forecast_data_set"]


def forecast_data_set(
    model: Path,
    files: Sequence[str],
    out: str | None,
    *,
    uri: str | None,
    token: str | None,
    ray: RayOptions | None,
) -> None:
    """Forecast files into a Parquet file, or by Ray into a folder of them."""
    from zeroshot_core.serving.dataset_prediction import predict_files

    wanted = ".parquet" if ray is None else ""
    if out is None or Path(out).suffix != wanted:
        form = "a file that ends with .parquet" if ray is None else "a folder, without a suffix"
        raise typer.BadParameter(f"expected --out to be {form}, got {checks.shown(out)}")
    n_rows = predict_files(model, list(files), out, uri=uri, token=token, ray=ray)
    note(f"{n_rows} predictions are in {checks.shown(out)}")
