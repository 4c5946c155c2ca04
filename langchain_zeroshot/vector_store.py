"""The items of a model's index as a vector store of LangChain's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_milvus import Milvus
from pydantic import SecretStr
from zeroshot_core.checks import known_arguments, known_names, sequence
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.indexing import ModelIndex
from zeroshot_core.explain.attributes import CONCEPTS, IMAGE
from zeroshot_core.images import kept_image
from zeroshot_core.index import VectorIndex
from zeroshot_core.index.connection import LITE_CHANNEL
from zeroshot_core.index.filters import filter_of, render
from zeroshot_core.index.open_version import require_version
from zeroshot_core.index.params import to_distances, to_relevance, to_scores
from zeroshot_core.index.schema import IMAGE as STORED_IMAGE
from zeroshot_core.index.schema import MODALITIES, MODALITY, of_modality
from zeroshot_core.index.uri import uri_and_token
from zeroshot_core.retrieval import Retriever, diversify
from zeroshot_core.serving import inputs
from zeroshot_core.serving.loading import open_retriever
from zeroshot_core.serving.threads import run_in_thread
from zeroshot_core.types import Hit, Item

from langchain_zeroshot.embeddings import ZeroShotEmbeddings, to_encoder

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.retrieval.modality_scales import ModalityScales

# Of MilvusClient.search, to which langchain-milvus hands on what it does not know; expr is its own.
_SEARCH = (
    "expr",
    "filter",
    "consistency_level",
    "group_by_field",
    "group_size",
    "partition_names",
    "strict_group_size",
)
# Nothing here depends on them, but LangChain's indexing gives the size of its batches.
_WRITE = ("batch_size", "timeout")
_KEPT = (STORED_IMAGE, MODALITY)
_NEW = ("texts", "embedding", "metadatas", "ids", "graph", "concept_fields", "uri", "token", "name")


@known_arguments
class ZeroShotVectorStore(Milvus):
    """`langchain_milvus.Milvus` on the items that a model searches, read and written.

    What is written is what the model finds from then on; a list of ``concepts`` in the metadata links a
    document to concepts of the graph, and is read as ``zeroshot_concepts``. Searches take
    ``filter={"price": {"$gt": 3}}``, or an expression in which metadata are ``metadata["price"] > 3``.
    Relevance is 1 for what is alike and .5 for what has nothing in common. Where the index holds texts and
    images, all searches put the scores of both on one scale, as the model's retriever does (but for those by
    ``group_by_field``). The async methods leave the loop
    free, and go on in another loop.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    # Keeps the file of a store of texts open, and deletes a temporary one.
    _owner: ModelIndex | None = None
    _concept_fields: Sequence[str] = ()

    def __init__(self, model: Any, *, uri: str | None = None, token: SecretStr | str | None = None) -> None:
        uri, token = _address(uri, token)
        self._retriever = open_retriever(model, uri=uri, token=token)
        self._version = require_version(self._retriever.version, "a ZeroShotVectorStore")
        address = self._version.address
        uri = uri or address.uri
        options = {"grpc_options": LITE_CHANNEL} if uri.endswith(".db") else {}
        super().__init__(
            ZeroShotEmbeddings(model=self._retriever),
            collection_name=address.collection,
            connection_args={"uri": uri, "token": token or "", "db_name": address.db_name, **options},
            primary_field="id",
        )

    @classmethod
    def from_texts(  # type: ignore[override]
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        graph: KnowledgeGraph | None = None,
        concept_fields: Sequence[str] = (),
        uri: str | None = None,
        token: SecretStr | str | None = None,
        name: str = "zeroshot",
        **kwargs: Any,
    ) -> ZeroShotVectorStore:
        """Write texts into an index of their own, or add them to the one that is there.

        Parameters
        ----------
        embedding
            Any Embeddings; None is the default encoder.
        graph
            What metadata ``concepts`` name; the one that an index which is there was built with.
        concept_fields
            Metadata that link a text to more concepts, here and in `add_texts`, as in `from_documents` of
            the package.
        uri, token
            File ending in ``.db``, or server and credentials; None is a file that goes with the store.
        name
            Prefix of the index's collections.

        Raises
        ------
        InvalidInputError
            As `add_texts`; or if the index was built with another graph.
        FingerprintMismatchError
            If it was built with another encoder.
        """
        known_names("from_texts", kwargs, (*_NEW, *_WRITE))
        items = _items(texts, metadatas, ids, concept_fields)
        encoder = to_encoder(ZeroShotEmbeddings() if embedding is None else embedding)
        uri, token = _address(uri, token)
        owner = ModelIndex(None if uri is None else VectorIndex.connect(uri, name=name, token=token))
        if owner.index.live is None:
            owner.publish(owner.build(items, encoder, graph, show_progress=False))
            items = []
        version = owner.index.open(fingerprint=encoder.document_fingerprint)
        retriever = Retriever(version, encoder, graph)
        version.upsert(items, encoder)
        store = cls(retriever, token=token)
        store._owner, store._concept_fields = owner, concept_fields
        return store

    @classmethod
    async def afrom_texts(cls, *args: Any, **kwargs: Any) -> ZeroShotVectorStore:
        """Write texts into an index as `from_texts`, off the loop."""
        return await run_in_thread(cls.from_texts)(*args, **kwargs)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *args: Any,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Write texts into the index; a text without an id gets one.

        Raises
        ------
        InvalidInputError
            If a text is empty, names a concept that is not in the graph, or has metadata that are no strings,
            numbers and booleans; nothing is written then.
        """
        known_names("ZeroShotVectorStore", kwargs, ("ids", "metadatas", *_WRITE))
        items = _items(texts, metadatas, ids, self._concept_fields)
        self._version.upsert(items, self._retriever.encoder)
        return [item.id for item in items]

    def add_images(
        self,
        uris: list[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Write images into the index: paths, data URIs, or URLs where the encoder may fetch them.

        Their Documents have no page content; where the image is, their metadata say as ``zeroshot_image``.

        Raises
        ------
        InvalidInputError
            As `add_texts`; or if an image cannot be read, or the encoder takes texts only.
        """
        uris = sequence("uris", uris, of="images")
        items = _items(["image"] * len(uris), metadatas, ids, self._concept_fields)
        items = [replace(item, text=None, image=uri) for item, uri in zip(items, uris, strict=True)]
        self._version.upsert(items, self._retriever.encoder)
        return [item.id for item in items]

    def similarity_search_by_image(self, uri: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Find the Documents nearest to an image; `kwargs` as of `similarity_search`."""
        (vector,) = ZeroShotEmbeddings(model=self._retriever).embed_image([uri])
        return self.similarity_search_by_vector(vector, k, **kwargs)

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Write Documents into the index, those with a known id in the place of the old ones."""
        return VectorStore.add_documents(self, documents, **kwargs)

    def upsert(self, ids: Any = None, documents: Any = None, *args: Any, **kwargs: Any) -> None:
        """Write Documents into the index, those with a known id in the place of the old ones."""
        self.add_documents(documents or [], **({"ids": ids} if ids else {}))

    def delete(self, ids: list[str] | None = None, expr: str | None = None, **kwargs: Any) -> bool:
        """Delete from the index by ids or by an expression; unknown ids are passed over."""
        known_names("ZeroShotVectorStore", kwargs, ("ids", "expr", *_WRITE))
        self._version.delete(ids or [str(id_) for id_ in self.get_pks(expr or 'id == ""') or ()])
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Read Documents by their ids; ids that are not there are left out."""
        found = self._version.known_items(ids)
        return [self._parse_document(vars(found[id_])) for id_ in ids if id_ in found]

    def _collection_search(
        self,
        embedding_or_text: list[float] | dict[int, float] | str,
        k: int = 4,
        param: dict[str, Any] | None = None,
        expr: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> list[list[dict[str, Any]]] | None:
        # All searches come by here, with what they have no parameter for among the keywords.
        known_names("ZeroShotVectorStore", kwargs, _SEARCH)
        expr = _all_of(expr, render(filter_of(kwargs.pop("filter", None))))
        search = partial(super()._collection_search, embedding_or_text, k, param, timeout=timeout, **kwargs)
        scales = None if "group_by_field" in kwargs else self._scales(embedding_or_text)
        if scales is None:
            return search(expr=expr)
        found: list[tuple[float, dict[str, Any]]] = []
        for kind in MODALITIES:
            ((*rows,),) = search(expr=_all_of(expr, render(of_modality(kind)))) or [[]]
            scores = to_scores([row["distance"] for row in rows], self._metric)
            found += zip(scales.scaled_by_kind(0, [kind] * len(rows), scores), rows, strict=True)
        best = sorted(found, key=lambda each: (-each[0], each[1]["id"]))[:k]
        distances = to_distances([score for score, _ in best], self._metric).tolist()
        return [[{**row, "distance": each} for each, (_, row) in zip(distances, best, strict=True)]]

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float] | dict[int, float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *args: Any,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose Documents that are near and unlike each other, in an index of several kinds by its scale."""
        if self._scales(embedding) is None:
            return super().max_marginal_relevance_search_by_vector(
                embedding, k, fetch_k, lambda_mult, *args, **kwargs
            )
        (rows,) = self._collection_search(embedding, fetch_k, *args, **kwargs) or [[]]
        known = {row["id"]: self._parse_document(row["entity"]) for row in rows}
        scores = to_scores([row["distance"] for row in rows], self._metric)
        near = [Hit(id=id_, kind="item", score=score) for id_, score in zip(known, scores, strict=True)]
        (chosen,) = diversify(self._version, [near], top_k=k, diversity=1 - lambda_mult)
        return [known[hit.id] for hit in chosen]

    @property
    def _metric(self) -> str:
        return self._version.info.params.metric

    def _scales(self, vector: Any) -> ModalityScales | None:
        """Scales of texts and images for a query; None where all items are of one kind."""
        return self._retriever.scales([vector])

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        # The parent takes every score for a distance where it has not made the index itself.
        return partial(to_relevance, metric=self._metric)

    def _parse_document(self, data: dict[str, Any]) -> Document:
        more: dict[str, Any] = {CONCEPTS: list(data["concepts"])} if data["concepts"] else {}
        metadata = {key: value for key, value in data["metadata"].items() if key not in _KEPT}
        image = data.get("image") or data["metadata"].get(STORED_IMAGE)
        if image is not None:
            more[IMAGE] = kept_image(image)
        return Document(id=data["id"], page_content=data["text"] or "", metadata={**metadata, **more})


def _all_of(*conditions: str | None) -> str | None:
    """Join conditions of Milvus, those that there are."""
    return " and ".join(f"({each})" for each in conditions if each) or None


def _address(uri: str | None, token: SecretStr | str | None) -> tuple[str | None, str | None]:
    """Address without credentials, and these."""
    shown = token.get_secret_value() if isinstance(token, SecretStr) else token
    return (None, shown) if uri is None else uri_and_token(uri, shown)


def _items(
    texts: Iterable[str],
    metadatas: list[dict[str, Any]] | None,
    ids: Sequence[str | None] | None,
    concept_fields: Sequence[str],
) -> list[Item]:
    """Items to be written of texts, with ids where they have none."""
    texts = list(texts)
    for name, given in (("metadatas", metadatas), ("ids", ids)):
        if given and len(given) != len(texts):
            raise InvalidInputError(
                f"expected {name} one for each of {len(texts)} texts, got {len(given)}; give None for none"
            )
    known = [id_ or str(uuid4()) for id_ in (ids or [None] * len(texts))]
    rows = zip(known, texts, metadatas or [{}] * len(texts), strict=True)
    return [inputs.item_to_store(*row, concept_fields) for row in rows]


# Those of the parent hold on to the first event loop that they meet.
for _name, _ in inspect.getmembers(Milvus, inspect.isfunction):
    if inspect.iscoroutinefunction(_) and not _name.startswith("_"):
        setattr(ZeroShotVectorStore, _name, run_in_thread(getattr(ZeroShotVectorStore, _name[1:])))
