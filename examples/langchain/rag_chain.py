"""Retrieve for a RAG chain from an existing Milvus store, by meaning and through a knowledge graph.

The store is made as ever. A step through the graph finds the Barolo too, which shares no word with the
question.
"""

import tempfile

from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_milvus import Milvus
from zeroshot_core import KnowledgeGraph

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotRetriever

SHELF = {
    "a dry red wine from Apulia, 9 euros": "red wine",
    "Barolo 2019, full-bodied, 38 euros": "red wine",
    "pale ale, six cans, 7 euros": "beer",
    "red tomatoes from Sicily, 2 euros a kilo": "vegetables",
}
AISLES = {"red wine": "drinks", "beer": "drinks", "vegetables": "fresh"}


def main() -> None:
    """Ask the shelf a question."""
    documents = [Document(text, id=text, metadata={"kind": kind}) for text, kind in SHELF.items()]
    store = Milvus.from_documents(
        documents,
        ZeroShotEmbeddings(model="all-MiniLM-L6-v2"),
        connection_args={"uri": f"{tempfile.mkdtemp()}/shelf.db"},
        ids=list(SHELF),
    )
    rows = [{"kind": kind, "aisle": aisle} for kind, aisle in AISLES.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    retriever = ZeroShotRetriever.from_milvus(store, graph, concept_fields=["kind"], k=2, graph_weight=0.5)

    prompt = ChatPromptTemplate.from_template("Answer from these goods:\n{goods}\n\nQuestion: {question}")
    chat = FakeListChatModel(responses=["The Apulian for 9 euros, or the Barolo for 38."])  # any chat model
    goods = retriever | (lambda found: "\n".join(document.page_content for document in found))
    chain = {"goods": goods, "question": RunnablePassthrough()} | prompt | chat | StrOutputParser()

    question = "which red wine do you have?"
    for document in retriever.invoke(question):
        score, path = document.metadata["zeroshot_score"], document.metadata["zeroshot_path"]
        print(f"{score:.2f} {document.page_content} ({path})")
    print(chain.invoke(question))


if __name__ == "__main__":
    main()
