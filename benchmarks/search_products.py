"""Searches of product lines and the graph of their attributes, on a server.

    python scripts/milvus_server.py run -- bash -c \
        'python benchmarks/search_products.py --uri $ZEROSHOT_TEST_URI [--rounds 10]'

All product lines of Complete Journey but 64 are indexed. The 64 are the queries, their vectors given: once as
items that know their attributes, once as bare texts, whose concepts are sought. The bare client and this
package by vectors only and with the graph ask for ten hits, for one query or 64 at a time; of one query at a
time 16 different ones are asked. Nothing is measured before the server has indexed all.
"""

from __future__ import annotations

import warnings

import numpy as np
from output import argument_parser
from search import BASELINE, ONE_BY_ONE, race_searches, wait_until_settled
from timing import print_head, print_table, versions
from zeroshot_core import KnowledgeGraph
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import load_encoder
from zeroshot_core.evaluation.demand import linked_items
from zeroshot_core.index import IndexParams, VectorIndex
from zeroshot_core.retrieval import Retriever

_N_QUERIES = 64


def main() -> None:
    """Build, wait, and compare for both kinds of queries."""
    parser = argument_parser(__doc__)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    lines, encoder = load_product_lines(), load_encoder(runtime="onnx")
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, lines.graph_edges)
    linked = linked_items(lines)
    items = [linked[row] for row in np.random.default_rng(0).permutation(len(lines.items))]
    print(versions("pymilvus"))
    params = IndexParams(index_type="HNSW")
    with VectorIndex.connect(options.uri, name="products", params=params) as index:
        index.activate(index.build(items[_N_QUERIES:], encoder, graph))
        version = index.open(fingerprint=encoder.fingerprint)
        wait_until_settled(version)
        ours = Retriever(version, encoder, graph)
        print(f"{version.count():,} items, {len(graph):,} concepts")
        print_head("search", "query")
        held_out = items[:_N_QUERIES]
        for kind, queries in (("items", held_out), ("texts", [item.text for item in held_out])):
            vectors = encoder.encode([item.text for item in held_out], role="query")
            for at_once in (1, _N_QUERIES):
                n = max(at_once, ONE_BY_ONE)
                times = race_searches(ours, queries[:n], vectors[:n], at_once, options.rounds)
                print_table(f"{at_once} {kind}", times, n, BASELINE)


if __name__ == "__main__":
    main()
