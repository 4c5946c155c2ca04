"""How time and memory of building an index from files grow with the rows.

    python benchmarks/scale.py [--rows 10000 40000 160000] [--uri URI] [--encoder hash | NAME] [--ray N]

Texts are product lines of Complete Journey, with a number each so that none is like another. Each size is
built in a process of its own, from Parquet; a local file is served by that process, so its memory counts too.
The exponent is that of time between the smallest and the largest. ``hash`` hashes words and so measures
reading and writing; a model's name encodes. With ``--ray`` that many actors write to the server at ``--uri``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from math import log
from pathlib import Path
from typing import Any

from output import print_header
from timing import versions
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import HashEncoder, load_encoder
from zeroshot_core.index import RayOptions, VectorIndex


def write_rows(folder: Path, n_rows: int) -> None:
    """Write product lines as Parquet, 10,000 rows a file."""
    import pyarrow
    import pyarrow.parquet

    lines = [line.text for line in load_product_lines().items]
    for start in range(0, n_rows, 10_000):
        numbers = range(start, min(start + 10_000, n_rows))
        texts = [f"{lines[n % len(lines)]} {n}" for n in numbers]
        table = pyarrow.table({"id": [f"i{n}" for n in numbers], "text": texts})
        pyarrow.parquet.write_table(table, folder / f"{start:09d}.parquet")


def build(folder: str, uri: str, encoder: str, n_actors: int, pipe: Any) -> None:
    """Build, and send seconds and the most memory that this process took, in MB."""
    opened = HashEncoder(384) if encoder == "hash" else load_encoder(encoder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with VectorIndex.connect(uri, name="scale") as index:
        start = time.perf_counter()
        ray = RayOptions(n_actors=n_actors) if n_actors else None
        version = index.build_from(folder, opened, ray=ray)
        seconds = time.perf_counter() - start
        index.drop(version)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send((seconds, before / 1024, after / 1024))


def measure(n_rows: int, options: argparse.Namespace) -> tuple[float, float, float]:
    """Measure one size in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as root:
        rows = Path(root, "rows")
        rows.mkdir()
        write_rows(rows, n_rows)
        ours, theirs = context.Pipe()
        uri = options.uri or str(Path(root, "index.db"))
        process = context.Process(target=build, args=(str(rows), uri, options.encoder, options.ray, theirs))
        process.start()
        theirs.close()
        result: tuple[float, float, float] = ours.recv()
        process.join()
    return result


def main() -> None:
    """Measure each size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 40_000, 160_000])
    parser.add_argument("--uri", help="a server; a local file without it")
    parser.add_argument("--encoder", default="hash")
    parser.add_argument("--ray", type=int, default=0, help="actors of Ray; none without it")
    options = parser.parse_args()
    print(versions("pymilvus", "milvus-lite", "pyarrow"))
    results = [measure(n_rows, options) for n_rows in options.rows]
    print_header("rows", "seconds", "rows/s", "MB before", "MB at most")
    for n, (seconds, before, after) in zip(options.rows, results, strict=True):
        print(f"| {n:,} | {seconds:.1f} | {n / seconds:,.0f} | {before:.0f} | {after:.0f} |")
    if len(results) > 1:
        exponent = log(results[-1][0] / results[0][0]) / log(options.rows[-1] / options.rows[0])
        print(f"exponent of time {exponent:.2f}")


if __name__ == "__main__":
    main()
