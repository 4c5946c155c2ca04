"""A classifier served by HTTP: latency under a steady load of short texts, errors, and memory over time.

    python benchmarks/serve.py [--requests 20000] [--rate 200] [--clients 16] [--workers 1] [--runtime onnx]
                                [--known 1000]

The model labels product lines of Complete Journey with their departments. The clients keep their connections
and send on a fixed plan, whatever the service does, in a process of their own; a request's time counts from
the moment at which it was due, so that a service that falls behind shows it. Memory is PSS, in which what
processes have in common is shared out, and in the end RSS too, which counts that in each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from output import argument_parser, print_command, print_header
from timing import versions
from zeroshot_core import ZeroShotClassifier
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import HashEncoder, load_encoder

_STAGES = 10
_HEAD = b"POST /classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def main() -> None:
    """Fit, serve, ask, and report."""
    parser = argument_parser(__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument(
        "--rate", type=float, default=200.0, help="requests a second, of all clients together"
    )
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runtime", choices=("torch", "onnx", "onnx-int8", "hash"), default="onnx-int8")
    parser.add_argument("--known", type=int, default=1000, help="texts that the model has learned from")
    options = parser.parse_args()
    print_command(__file__, None)
    print(versions("fastapi", "uvicorn", "onnxruntime", "milvus-lite"), f"load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        texts = _saved(f"{folder}/model", options.runtime, options.known)
        port = _free_port()
        words = [
            "serve",
            "--model",
            f"{folder}/model",
            "--port",
            str(port),
            "--workers",
            str(options.workers),
        ]
        program = "from zeroshot_core.cli.main import app; app()"
        service = subprocess.Popen([sys.executable, "-c", program, *words], stderr=subprocess.DEVNULL)
        try:
            print(f"ready after {_until_ready(port, options.workers):.1f} s")
            asyncio.run(_ask(texts, port, service.pid, options))
        finally:
            service.send_signal(signal.SIGTERM)
            print(f"exit code {service.wait(60)}")


def _saved(folder: str, runtime: str, n_known: int) -> list[str]:
    """Fit and save a classifier; texts that it has not seen."""
    lines = load_product_lines()
    order = np.random.default_rng(0).permutation(len(lines.items))
    known, asked = order[:n_known], order[n_known : n_known + 4000]
    encoder = HashEncoder(384) if runtime == "hash" else load_encoder(runtime=runtime)
    labels = [str(lines.rows[i]["department"]) for i in known]
    model = ZeroShotClassifier(encoder).fit([str(lines.items[i].text) for i in known], labels)
    model.save(folder)
    model.close()
    return [str(lines.items[i].text) for i in asked]


async def _ask(texts: list[str], port: int, pid: int, options: object) -> None:
    n, rate, n_clients = options.requests, options.rate, options.clients  # type: ignore[attr-defined]
    due = asyncio.get_running_loop().time() + 0.5
    took, errors = np.zeros(n), [0]
    memory, cpu = [_memory(pid)], _cpu_seconds(pid)

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place in range(number, n, n_clients):
            start = due + place / rate
            await asyncio.sleep(max(0.0, start - asyncio.get_running_loop().time()))
            body = json.dumps({"inputs": [texts[place % len(texts)]]}).encode()
            writer.write(_HEAD % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(int(length.split(b":")[1]))
            errors[0] += not answer.startswith(b"HTTP/1.1 200")
            took[place] = asyncio.get_running_loop().time() - start
        writer.close()

    async def watch() -> None:
        for stage in range(1, _STAGES + 1):
            await asyncio.sleep(
                max(0.0, due + stage * n / rate / _STAGES - asyncio.get_running_loop().time())
            )
            memory.append(_memory(pid))

    start = time.perf_counter()
    await asyncio.gather(*map(client, range(n_clients)), watch())
    seconds = time.perf_counter() - start
    cpu = 1e3 * (_cpu_seconds(pid) - cpu) / n
    print_header("requests", "a second", "errors", "p50", "p95", "p99", "most", "processor a request")
    shown = [f"{1e3 * each:.1f} ms" for each in (*np.percentile(took, [50, 95, 99]), took.max())]
    print(f"| {n:,} | {n / seconds:.0f} | {errors[0]} | {' | '.join(shown)} | {cpu:.1f} ms |\n")
    print(
        "MiB (PSS) of each process over time:",
        "; ".join(" + ".join(f"{m:.0f}" for m in each) for each in memory),
    )
    print("MiB (RSS) of each in the end:", " + ".join(f"{m:.0f}" for m in _memory(pid, "Rss:")))
    print(f"load {os.getloadavg()[0]:.1f}")


def _memory(pid: int, field: str = "Pss:") -> list[float]:
    """Memory of a process and of those that it started, each in MiB; what is shared in equal parts."""
    found = []
    for process in [pid, *_children(pid)]:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
        found.append(sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024)
    return found


def _cpu_seconds(pid: int) -> float:
    """Seconds of the processor that a process and those that it started have taken."""
    stats = [
        Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2] for each in (pid, *_children(pid))
    ]
    ticks = sum(int(ticks) for stat in stats for ticks in stat.split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    return [each for child in own for each in (child, *_children(child))]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _until_ready(port: int, n_workers: int) -> float:
    """Seconds until whichever worker is asked is ready."""
    start, in_a_row = time.perf_counter(), 0
    while time.perf_counter() - start < 120:
        try:
            urlopen(f"http://127.0.0.1:{port}/ready").close()
            in_a_row += 1
        except (URLError, ConnectionError):
            in_a_row = 0
            time.sleep(0.05)
        if in_a_row == 20 * n_workers - 19:
            return time.perf_counter() - start
    raise SystemExit("the service is not ready after two minutes")


if __name__ == "__main__":
    main()
