"""Which tools of 200 an agent is offered for requests in other words, and what that costs.

The design was chosen on the seeds 0, 2, 4 and 6 of the generator; the others are reported.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from output import print_header
from tool_requests import Request, Tool, toolbox
from zeroshot_core import Encoder, load_encoder
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.option_ranker import OptionRanker, options_of

AT = (1, 3, 8)


def words(text: str) -> list[str]:
    """Words in lower case, without the commonest endings."""
    return [re.sub(r"(ing|ed|es|s)$", "", word) for word in re.findall(r"[a-z]+", text.lower())]


def bm25(texts: Sequence[str], queries: Sequence[str], k1: float = 1.2, b: float = 0.75) -> np.ndarray:
    """Okapi BM25 of queries in texts, shape (q, n)."""
    documents = [Counter(words(text)) for text in texts]
    lengths = np.array([sum(document.values()) for document in documents])
    frequency = Counter(word for document in documents for word in document)
    scores = np.zeros((len(queries), len(texts)))
    for row, query in enumerate(queries):
        for word in set(words(query)) & frequency.keys():
            n = frequency[word]
            counts = np.array([document[word] for document in documents])
            idf = np.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
            scores[row] += idf * counts * (k1 + 1) / (counts + k1 * (1 - b + b * lengths / lengths.mean()))
    return scores


def past_calls(seed: int, requests: Sequence[Request], n: int) -> dict[str, list[str]]:
    """Draw `n` other requests for each tool, as a log would hold them."""
    asked, calls = {request.text for request in requests}, defaultdict(list)
    for text, tool in toolbox(seed, n_requests=2000)[1]:
        if text not in asked and text not in calls[tool] and len(calls[tool]) < n:
            calls[tool].append(text)
    return dict(calls)


def recalls(ranks: Sequence[Sequence[str]], requests: Sequence[Request]) -> list[float]:
    """Share of requests whose tool is among the first, for each of `AT`."""
    return [
        float(np.mean([one.tool in row[:k] for one, row in zip(requests, ranks, strict=True)])) for k in AT
    ]


def ordered(scores: np.ndarray, tools: Sequence[Tool]) -> list[list[str]]:
    """Names of tools by their scores (q, n), best first."""
    return [[tools[place].name for place in row] for row in np.argsort(-scores, axis=1, kind="stable")]


def main() -> None:
    """Print recall of each method for each seed, and the added latency."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--latency-only", action="store_true", help="leave the recall out")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    args = parser.parse_args()
    encoder = load_encoder(args.encoder)
    if not args.latency_only:
        print_recall(encoder, args.seeds)
    print_latency(encoder, *toolbox(args.seeds[-1]))


def print_recall(encoder: Encoder, seeds: Sequence[int]) -> None:
    """Print how often each method has the right tool among the first."""
    print_header("seed", "method", *(f"recall@{k}" for k in AT))
    for seed in seeds:
        tools, requests = toolbox(seed)
        texts, asked = [f"{tool.name}: {tool.description}" for tool in tools], [one.text for one in requests]
        cosines = encoder.encode(asked, role="query") @ encoder.encode(texts).T
        found = {"BM25": ordered(bm25(texts, asked), tools), "cosine": ordered(cosines, tools)}
        for n in (0, 2):
            ranker = OptionRanker(ModelHandle(encoder))
            options = options_of(tools, past_calls(seed, requests, n) if n else None)
            rows = [ranker.rank(text, options, top_k=max(AT)) for text in asked]
            name = f"ZeroShotToolSelector{f', {n} past calls a tool' if n else ''}"
            found[name] = [[options[place].name for place, _ in row] for row in rows]
        for name, ranks in found.items():
            print(f"| {seed} | {name} |", " | ".join(f"{each:.3f}" for each in recalls(ranks, requests)), "|")


def print_latency(encoder: Encoder, tools: Sequence[Tool], requests: Sequence[Request]) -> None:
    """Print what the middleware adds to a call of the agent's model."""
    from langchain.agents.middleware import ModelRequest
    from langchain_core.language_models import FakeListChatModel

    from langchain_zeroshot import ZeroShotToolSelector

    selector, model = ZeroShotToolSelector(encoder), FakeListChatModel(responses=["x"])
    given = [
        StructuredTool.from_function(lambda: "x", name=tool.name, description=tool.description)
        for tool in tools
    ]
    times = []
    for request in requests[:101]:
        call = ModelRequest(model=model, messages=[HumanMessage(request.text)], tools=given)
        start = time.perf_counter(), time.process_time()
        selector.select(call)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    clock, processor = 1e3 * np.array(times).T
    print(
        f"\nadded to a call: median {np.median(clock[1:]):.1f} ms, of the processor "
        f"{np.median(processor[1:]):.1f} ms; to the first, which encodes the tools, {clock[0]:.0f} ms"
    )


if __name__ == "__main__":
    main()
