"""How time and memory of building an index from files grow with the rows, and then those of searching it.

    python benchmarks/scale.py [--rows 10000 40000 160000] [--uri URI] [--ways ray stream build insert]
                               [--ray 2] [--encoder hash] [--search]

Texts are product lines of Complete Journey with made-up brands, flavours, claims and packs, from a seed: as
long as the lines themselves, 60 characters on average, hardly two alike. Items are linked to their product
type, and the graph goes on to category and department. Each way and size is measured in a process of its own
and printed as soon as it is known:

- ``ray``: `build_from` Parquet by actors of a local Ray, started before the clock;
- ``stream``: `build_from` Parquet in one process;
- ``build``: `build` of items in memory, in one process;
- ``insert``: the bare client's insert of ready vectors, and a flush; nothing is encoded.

Without ``--uri`` it is a local file, which ``ray`` can't write, and which counts to the process. ``hash``
hashes letters and so measures reading and writing; ``torch``, ``onnx`` and ``onnx-int8`` run the default
encoder. Memory is what processes hold, sampled twice a second, at a quarter, half, three quarters of the time
and at most; the server is known by its port. The exponent is the slope of log time over log rows.

``--search`` asks the version that the first way has built, once the server has nothing left to index: 64
queries, one at a time, their vectors given, by vectors alone and with the graph; recall@10 is that of the
nearest items against all vectors read back.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from output import argument_parser, print_header
from search import wait_until_settled
from timing import versions
from zeroshot_core import Item, KnowledgeGraph, Retriever
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import Encoder, HashEncoder, load_encoder
from zeroshot_core.encoders.processor import this_processor
from zeroshot_core.index import RayOptions, VectorIndex
from zeroshot_core.index.schema import ITEMS, create_collection, item_row

_ROWS_PER_FILE = 10_000
_N_QUERIES, _TOP_K, _N_ROUNDS = 64, 10, 3
_SAMPLE_S = 0.5
_QUERY_SEED = 10**9
_SYLLABLES = (
    "ba",
    "cor",
    "del",
    "fe",
    "gri",
    "ka",
    "lun",
    "mo",
    "nor",
    "pi",
    "ras",
    "sol",
    "ta",
    "ver",
    "zu",
)
_FLAVOURS = (
    "apple",
    "barbecue",
    "black cherry",
    "caramel",
    "chili lime",
    "cinnamon",
    "coconut",
    "dark chocolate",
    "garlic and herb",
    "honey mustard",
    "lavender",
    "lemon",
    "mint",
    "peanut butter",
    "roasted onion",
    "sea salt",
    "smoked paprika",
    "strawberry",
    "tomato basil",
    "vanilla",
)
_CLAIMS = (
    "organic",
    "low fat",
    "sugar free",
    "family size",
    "limited edition",
    "extra strong",
    "for sensitive skin",
    "ready in five minutes",
    "no artificial colours",
    "made from recycled material",
)
_PACKS = ("bag", "bottle", "box", "can", "jar", "pack of 2", "pack of 6", "pouch", "tub")


class Lines:
    """Made-up product lines by their number, the same on every run."""

    def __init__(self) -> None:
        lines = load_product_lines()
        self.graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns[:3], lines.graph_edges)
        self._rows = lines.rows

    def item(self, number: int) -> Item:
        """Vary a line, by a generator of this number's own."""
        rng = np.random.default_rng(number)
        row = self._rows[int(rng.integers(len(self._rows)))]
        brand = "".join(rng.choice(_SYLLABLES, rng.integers(2, 4)))
        parts = [f"{brand} {row['product_type'].lower()}"]
        if rng.random() < 0.5:
            parts.append(row["product_category"].lower())
        if rng.random() < 0.6:
            parts.append(str(rng.choice(_FLAVOURS)))
        if rng.random() < 0.3:
            parts.append(str(rng.choice(_CLAIMS)))
        if rng.random() < 0.8:
            parts.append(f"{rng.integers(1, 200) / 4:g} oz {rng.choice(_PACKS)}")
        return Item(id=f"i{number}", text=", ".join(parts), concepts=(f"product_type:{row['product_type']}",))

    def write(self, folder: Path, n_rows: int) -> None:
        """Write lines as Parquet, 10,000 rows a file."""
        import pyarrow
        import pyarrow.parquet

        for start in range(0, n_rows, _ROWS_PER_FILE):
            items = [self.item(number) for number in range(start, min(start + _ROWS_PER_FILE, n_rows))]
            rows = [{"id": item.id, "text": item.text, "concepts": list(item.concepts)} for item in items]
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{start:09d}.parquet")


def opened(name: str) -> Encoder:
    """Open the encoder of ``--encoder``."""
    return HashEncoder(384) if name == "hash" else load_encoder(runtime=name)  # type: ignore[arg-type]


def by_files(index: VectorIndex, folder: str, encoder: Encoder, ray: RayOptions | None) -> Callable[[], str]:
    """Prepare `build_from`."""
    graph = Lines().graph
    if ray is not None:
        ray.start()
    return lambda: index.build_from(folder, encoder, graph, ray=ray)


def items_of(folder: str) -> list[Item]:
    """Read the items into memory."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(folder).to_pylist()
    return [Item(id=row["id"], text=row["text"], concepts=tuple(row["concepts"])) for row in rows]


def by_build(index: VectorIndex, folder: str, encoder: Encoder) -> Callable[[], str]:
    """Prepare `build` of items in memory."""
    graph, items = Lines().graph, items_of(folder)
    return lambda: index.build(items, encoder, graph)


def by_insert(index: VectorIndex, folder: str, encoder: Encoder) -> Callable[[], None]:
    """Prepare the bare client's insert of ready rows with any unit vectors: they cost the same."""
    client, name = index._connection._client, "scale_insert"
    rows = [item_row(item) for item in items_of(folder)]
    vectors = np.random.default_rng(0).standard_normal((2048, encoder.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if client.has_collection(name):
        client.drop_collection(name)
    create_collection(index._connection, name, ITEMS, encoder.dimension, {}, index.params)

    def insert() -> None:
        for start in range(0, len(rows), len(vectors)):
            part = rows[start : start + len(vectors)]
            client.insert(name, [{**row, "vector": vectors[at]} for at, row in enumerate(part)])
        client.flush(name)
        client.drop_collection(name)

    return insert


def work(way: str, folder: str, uri: str, encoder_name: str, n_actors: int, pipe: Any) -> None:
    """Prepare one way, say so, do it, and say what it took; in a process of its own."""
    encoder = opened(encoder_name)
    with VectorIndex.connect(uri, name="scale") as index:
        if way == "insert":
            run: Callable[[], str | None] = by_insert(index, folder, encoder)
        elif way == "build":
            run = by_build(index, folder, encoder)
        else:
            run = by_files(index, folder, encoder, RayOptions(n_actors=n_actors) if way == "ray" else None)
        pipe.send("ready")
        start = time.perf_counter()
        version = run()
        pipe.send((time.perf_counter() - start, version))
        # What the process holds is sampled until the figures are taken.
        pipe.recv()


class MemorySampler:
    """Resident MB of processes by what they are for, sampled while something runs; for ``with``."""

    def __init__(self, driver: int, uri: str) -> None:
        self._driver, self._port = driver, uri.rpartition(":")[2].rstrip("/") if "://" in uri else ""
        self._samples: list[dict[str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def cells(self) -> Iterator[str]:
        """Say what each kind of process held: at the quarters, and at most."""
        for kind in ("driver", "actors", "rest of Ray", "server"):
            held = [sample.get(kind, 0.0) for sample in self._samples] or [0.0]
            quarters = [held[int(part * (len(held) - 1))] for part in (0.25, 0.5, 0.75)]
            told = " ".join(f"{megabytes:,.0f}" for megabytes in quarters)
            yield f"{told}, {max(held):,.0f}" if max(held) else "-"

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            sample: dict[str, float] = {}
            for kind, megabytes in self._held():
                sample[kind] = sample.get(kind, 0.0) + megabytes
            self._samples.append(sample)

    def _held(self) -> Iterator[tuple[str, float]]:
        found = dict(_processes())
        for pid, (_, title, megabytes) in found.items():
            ancestors = list(_ancestors(pid, found))
            if pid == self._driver:
                yield "driver", megabytes
            elif self._driver in ancestors:
                yield "actors" if "MapWorker(" in title else "rest of Ray", megabytes
            elif self._port and any(f"--proxy-port {self._port}" in found[each][1] for each in ancestors):
                yield "server", megabytes


def _processes() -> Iterator[tuple[int, tuple[int, str, float]]]:
    """Parent, command line and resident MB of each process, as Linux tells them."""
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            title = (folder / "cmdline").read_text().replace("\0", " ")
            pages = int((folder / "statm").read_text().split()[1])
            yield int(folder.name), (parent, title, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        except (ValueError, OSError, IndexError):
            continue


def _ancestors(pid: int, found: dict[int, tuple[int, str, float]]) -> Iterator[int]:
    while pid in found:
        yield pid
        pid = found[pid][0]


def measure(way: str, n_rows: int, folder: Path, uri: str, options: argparse.Namespace) -> tuple[float, Any]:
    """Measure one way and size, and print a line; the seconds, and the version."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(way, str(folder), uri, options.encoder, options.ray, theirs))
    process.start()
    theirs.close()
    ours.recv()
    with MemorySampler(process.pid or 0, uri) as memory:
        seconds, version = ours.recv()
    ours.send("taken")
    process.join()
    told = " | ".join(memory.cells())
    print(f"| {n_rows:,} | {way} | {seconds:.1f} | {n_rows / seconds:,.0f} | {told} |", flush=True)
    return seconds, version


def search(index: VectorIndex, version: str, n_rows: int, encoder: Encoder, lines: Lines) -> list[float]:
    """Ask a version, and print a line; milliseconds a query by vectors alone and with the graph."""
    found = index.open(version, fingerprint=encoder.fingerprint)
    start = time.perf_counter()
    if not index.is_lite:
        wait_until_settled(found)
    settled_s = time.perf_counter() - start
    found.hold_links()
    queries = [lines.item(_QUERY_SEED + number).text or "" for number in range(_N_QUERIES)]
    vectors = encoder.encode(queries)
    retriever = Retriever(found, encoder, lines.graph, top_k=_TOP_K)
    times = [
        1e3 * min(_seconds_a_query(retriever, queries, vectors, weight) for _ in range(_N_ROUNDS + 1))
        for weight in (0.0, None)
    ]
    told = ", ".join(f"{time_:.2f} ms" for time_ in times)
    recall = _recall(found, vectors, n_rows)
    print(
        f"search of {n_rows:,}, settled after {settled_s:,.0f} s: {told} with the graph, "
        f"recall@{_TOP_K} {recall:.3f}",
        flush=True,
    )
    return times


def _seconds_a_query(
    retriever: Retriever, queries: Sequence[str], vectors: Any, weight: float | None
) -> float:
    start = time.perf_counter()
    for at, query in enumerate(queries):
        retriever.retrieve([query], vectors=vectors[at : at + 1], graph_weight=weight)
    return (time.perf_counter() - start) / len(queries)


def _recall(version: Any, vectors: Any, n_rows: int) -> float:
    """Share of the nearest items that are found; of equally near ones any will do."""
    best = np.full((len(vectors), _TOP_K), -np.inf)
    for start in range(0, n_rows, _ROWS_PER_FILE):
        ids = [f"i{number}" for number in range(start, min(start + _ROWS_PER_FILE, n_rows))]
        scores = np.hstack([best, vectors @ version.item_vectors(ids).T])
        best = -np.sort(-scores, axis=1)[:, :_TOP_K]
    found = version.search_items(vectors, _TOP_K).scores
    return float(
        np.mean([np.mean(own >= least - 1e-5) for own, least in zip(found, best[:, -1], strict=True)])
    )


def clear(uri: str) -> None:
    """Drop all versions."""
    with VectorIndex.connect(uri, name="scale") as index:
        for version in index.versions():
            index.drop(version.id)


def exponent(sizes: Sequence[int], times: Iterable[float]) -> float:
    """Slope of log time over log size."""
    return float(np.polyfit(np.log(sizes), np.log(list(times)), 1)[0])


def main() -> None:
    """Measure each size by each way, then search, and print tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 40_000, 160_000])
    parser.add_argument(
        "--uri", default=os.environ.get("ZEROSHOT_TEST_URI"), help="a server; a local file without it"
    )
    parser.add_argument("--ways", nargs="+", choices=("ray", "stream", "build", "insert"), default=["stream"])
    parser.add_argument("--encoder", choices=("hash", "torch", "onnx", "onnx-int8"), default="hash")
    parser.add_argument("--ray", type=int, default=2, help="actors of Ray")
    parser.add_argument("--search", action="store_true")
    options = parser.parse_args()
    print(f"{this_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(versions("pymilvus", "milvus-lite", "pyarrow", "ray"), flush=True)
    print_header(
        "rows",
        "way",
        "seconds",
        "rows/s",
        *(f"{kind}, MB" for kind in ("driver", "actors", "rest of Ray", "server")),
    )
    lines, searched = Lines(), []
    times: dict[str, list[float]] = {way: [] for way in options.ways}
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, "rows")
            folder.mkdir()
            lines.write(folder, n_rows)
            uri = options.uri or str(Path(root, "index.db"))
            for way in options.ways:
                # A version that a killed run has left would be found, and take no time.
                clear(uri)
                seconds, version = measure(way, n_rows, folder, uri, options)
                times[way].append(seconds)
                if options.search and way == options.ways[0]:
                    with VectorIndex.connect(uri, name="scale") as index:
                        searched.append(search(index, version, n_rows, opened(options.encoder), lines))
            clear(uri)
    if len(options.rows) > 1:
        for way, took in times.items():
            print(f"{way}: exponent of time {exponent(options.rows, took):.2f}")
    if len(searched) > 1:
        for kind, took in zip(("vectors alone", "with the graph"), zip(*searched, strict=True), strict=True):
            print(f"search, {kind}: exponent of time {exponent(options.rows, took):.2f}")


if __name__ == "__main__":
    main()
