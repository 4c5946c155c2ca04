"""What a table costs beside items: its share of a fit, and predict_frame beside the forecasts alone.

OMP_NUM_THREADS=1 python benchmarks/tables.py --rows 20000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from zeroshot_core import TableSchema, ZeroShotRegressor, items_from_frame
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.frames import graph_from_frame

N_ASKED = 1000
N_REPEATS = 5
SCHEMA = TableSchema(
    text=["name"],
    concepts=["kind", "maker"],
    numeric=["price", "size", "shops"],
    dates=["launch"],
    id="sku",
    target=["units"],
)


def made_up_table(n: int, seed: int = 0) -> pd.DataFrame:
    """Products of 300 kinds and 800 makers with three numbers and a date."""
    rng = np.random.default_rng(seed)
    kind, maker = rng.integers(0, 300, n), rng.integers(0, 800, n)
    return pd.DataFrame(
        {
            "sku": np.arange(n),
            "name": [
                f"kind {a} of maker {b} no {row % 97}"
                for row, (a, b) in enumerate(zip(kind, maker, strict=True))
            ],
            "kind": [f"kind {number}" for number in kind],
            "maker": [f"maker {number}" for number in maker],
            "price": rng.random(n) * 20,
            "size": rng.random(n),
            "shops": rng.integers(1, 50, n),
            "launch": pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "units": rng.poisson(5 + kind % 40),
        }
    )


def seconds(ask: Callable[[], object]) -> float:
    """Seconds of the processor that a call takes."""
    start = time.process_time()
    ask()
    return time.process_time() - start


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    known = made_up_table(rows)
    reading = seconds(lambda: items_from_frame(known, SCHEMA, graph_from_frame(known, SCHEMA)))
    model = ZeroShotRegressor(HashEncoder(64))
    fitting = seconds(lambda: model.fit(known, schema=SCHEMA))
    print(
        f"{rows:,} rows: {reading:.2f} s to read, {fitting:.1f} s to fit; "
        f"a table takes {fitting / (fitting - reading):.3f} times as long as items"
    )
    new = known.drop(columns="units")[:N_ASKED].assign(sku=lambda table: "new-" + table.sku.astype(str))
    model.predict(new[:10])
    plain = [seconds(lambda: (model.predict(new), model.predict_interval(new))) for _ in range(N_REPEATS)]
    frame = [seconds(lambda: model.predict_frame(new)) for _ in range(N_REPEATS)]
    print(
        f"{N_ASKED:,} forecasts: predict and predict_interval {np.median(plain):.2f} s, predict_frame "
        f"{np.median(frame):.2f} s, ratio {np.median(frame) / np.median(plain):.2f}"
    )


if __name__ == "__main__":
    main()
