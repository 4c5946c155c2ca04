"""Many small tenants in one index of a server: what each costs to bring in, to open and to search.

    python scripts/milvus_server.py run -- bash -c 'python benchmarks/tenants.py --uri $ZEROSHOT_TEST_URI'
                                                                             [--tenants 1000] [--items 3]

Each tenant has items of the same ids and texts, is brought in by a connection of its own, and asked by
another; whoever finds an item of somebody else ends the run. What is written stays on the server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from output import argument_parser, print_command, print_header
from timing import versions
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item

_ENCODER = HashEncoder(384)
_NAME = "tenants_benchmark"


def main() -> None:
    """Bring in, ask, and report."""
    parser = argument_parser(__doc__)
    parser.add_argument("--uri", required=True, help="a server")
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--items", type=int, default=3, help="of each tenant")
    parser.add_argument("--threads", type=int, default=8, help="tenants at once")
    options = parser.parse_args()
    print_command(__file__, None)
    print(versions("pymilvus"), f"load {os.getloadavg()[0]:.1f}\n")
    texts = [f"thing {n}" for n in range(options.items)]

    def bring_in(tenant: str) -> list[float]:
        start = time.perf_counter()
        items = [Item(id=f"i{n}", text=text, metadata={"owner": tenant}) for n, text in enumerate(texts)]
        with VectorIndex.connect(options.uri, name=_NAME, tenant=tenant) as index:
            index.activate(index.build(items, _ENCODER))
        return [time.perf_counter() - start]

    def ask(tenant: str) -> list[float]:
        start = time.perf_counter()
        with VectorIndex.connect(options.uri, name=_NAME, tenant=tenant) as index:
            version = index.open(fingerprint=_ENCODER.fingerprint)
            opened = time.perf_counter()
            found = version.search_items(_ENCODER.encode(["thing 1"]), 10).records[0]
            searched = time.perf_counter()
        owners = {item.metadata["owner"] for item in found}
        if owners != {tenant} or len(found) != options.items:
            raise SystemExit(f"{tenant} found {len(found)} items of {owners}")
        return [opened - start, searched - opened]

    names = [f"t{n}" for n in range(options.tenants)]
    bring_in(names[0])
    with ThreadPoolExecutor(options.threads) as pool:
        print_header("step", "tenants a second", "p50", "p95")
        _report(["bring in"], bring_in, names[1:], pool)
        _report(["connect and open", "search"], ask, names, pool)


def _report(
    steps: Sequence[str],
    work: Callable[[str], list[float]],
    names: Sequence[str],
    pool: ThreadPoolExecutor,
) -> None:
    start = time.perf_counter()
    took = np.array(list(pool.map(work, names)))
    rate = len(names) / (time.perf_counter() - start)
    for step, seconds in zip(steps, took.T, strict=True):
        p50, p95 = 1e3 * np.percentile(seconds, [50, 95])
        print(f"| {step} | {rate:.1f} | {p50:.0f} ms | {p95:.0f} ms |", flush=True)


if __name__ == "__main__":
    main()
