"""Put the retriever into a RAG query engine, where the retriever of a vector index stood.

The nodes are embedded once, by an ingestion pipeline as ever. A step through the graph finds the Barolo too,
which shares no word with the question. Over a MilvusVectorStore that you have already it is
`ZeroShotRetriever.from_milvus(store, graph, concept_fields=["kind"], embed_model=...)`.
"""

import tempfile

from llama_index.core import Document
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from zeroshot_core import KnowledgeGraph, Retriever, VectorIndex, load_encoder

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotRetriever, from_nodes, reuse_vectors

SHELF = {
    "a dry red wine from Apulia, 9 euros": "red wine",
    "Barolo 2019, full-bodied, 38 euros": "red wine",
    "pale ale, six cans, 7 euros": "beer",
    "red tomatoes from Sicily, 2 euros a kilo": "vegetables",
}
AISLES = {"red wine": "drinks", "beer": "drinks", "vegetables": "fresh"}


def main() -> None:
    """Ask the shelf a question."""
    encoder = load_encoder("all-MiniLM-L6-v2")
    documents = [
        Document(text=text, id_=text, metadata={"concepts": [f"kind:{kind}"]}) for text, kind in SHELF.items()
    ]
    nodes = IngestionPipeline(transformations=[ZeroShotEmbedding(model=encoder)]).run(documents=documents)

    rows = [{"kind": kind, "aisle": aisle} for kind, aisle in AISLES.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    index = VectorIndex.connect(f"{tempfile.mkdtemp()}/shelf.db")
    index.activate(index.build(from_nodes(nodes), reuse_vectors(nodes, encoder), graph))
    version = index.open(fingerprint=encoder.fingerprint)
    retriever = ZeroShotRetriever(Retriever(version, encoder, graph), k=2, graph_weight=0.5)

    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())  # any LLM; this one says its prompt
    response = engine.query("which red wine do you have?")
    for node in response.source_nodes:
        print(f"{node.score:.2f} {node.text} ({node.metadata['zeroshot_path']})")
    print(response)


if __name__ == "__main__":
    main()
