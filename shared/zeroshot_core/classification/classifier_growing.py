"""New labels and examples of a fitted classifier: into its live index, and into its head."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.classification.classifier_inputs import checked_examples, linked
from zeroshot_core.classification.label_hierarchy import label_hierarchy
from zeroshot_core.classification.label_vectors import label_graph, label_vectors
from zeroshot_core.classification.partial_fit import grown
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    import numpy.typing as npt
    from typing_extensions import Self

    from zeroshot_core.classification.label_head import LabelHead
    from zeroshot_core.classification.label_hierarchy import LabelHierarchy
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.novelty.scorer import NoveltyScorer
    from zeroshot_core.types import Concept, Ints, Item, Vectors

__all__ = ["GrowingClassifier"]

_N_NEIGHBOURS = 20


class GrowingClassifier:
    """A fitted classifier that takes in labels and examples."""

    classes_: npt.NDArray[np.str_]
    encoder_: Encoder
    graph_: KnowledgeGraph
    head_: LabelHead
    hierarchy_: LabelHierarchy
    template: str | None
    version_: OpenVersion
    _novelty: NoveltyScorer | None

    def partial_fit(
        self,
        X: Sequence[Item | str] | None = None,
        y: Sequence[str] | None = None,
        labels: Iterable[str | Concept] | None = None,
    ) -> Self:
        """Take in new labels, and new examples of new and old ones, without building the index anew.

        Examples are written into the live version and found at once. Only the rows of labels that have
        something new are learned, against their neighbours in Milvus; a new label counts as one without
        examples in the stacking, and an example of it names its label in its metadata, until `fit`. What is
        usual is learned anew when it is next asked for.

        Parameters
        ----------
        X, y
            Examples and their labels, shape (n,); ids that are known, or the same texts again, replace the
            old items.
        labels
            New labels; those of `y` need not be given.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If labels or examples are wrong, or there is neither; nothing has been changed then.
        """
        self._check_fitted()
        items, names = checked_examples(X, y, prefix=f"added-{_digest(X)}-")
        given = [*(labels or ()), *(name for name in names or () if name not in self.classes_)]
        if not given and not items:
            raise InvalidInputError("expected new labels or examples for partial_fit, got neither")
        new = list(dict.fromkeys(given))
        ids, graph = label_graph([*self.classes_.tolist(), *new], None, self.graph_)
        graph.require(concept for item in items for concept in item.concepts)
        hierarchy = label_hierarchy(ids, graph)
        head = _take_in(self, items, names or [], hierarchy, graph)
        self.graph_, self.classes_, self.head_, self.hierarchy_ = graph, np.array(ids), head, hierarchy
        self._novelty = None
        return self

    @abstractmethod
    def _check_fitted(self) -> None:
        """Refuse a model before `fit`."""


def _take_in(
    model: GrowingClassifier,
    items: Sequence[Item],
    names: Sequence[str],
    hierarchy: LabelHierarchy,
    graph: KnowledgeGraph,
) -> LabelHead:
    """Write examples into the model's version, and grow its head.

    Parameters
    ----------
    items, names
        New examples and their labels, shape (n,).
    hierarchy
        Of all labels, old and new, sorted.
    """
    version, encoder = model.version_, model.encoder_
    ids = hierarchy.ids[: hierarchy.within.shape[0]]
    places = np.searchsorted(ids, model.classes_).astype(np.int64)
    new = [graph.concepts[id_] for id_ in np.delete(ids, places).tolist()]
    labels = _new_vectors(model, new, hierarchy, places)
    vectors = np.zeros((0, encoder.dimension), dtype=np.float32)
    if items:
        vectors = encoder.encode([item.content for item in items])
    codes = np.searchsorted(ids, list(names)).astype(np.int64)
    touched = sorted({*codes.tolist(), *np.setdiff1d(np.arange(len(ids)), places).tolist()})
    others = _near(model, np.vstack([labels, vectors]), {ids[row] for row in touched})
    head = grown(
        model.head_,
        places,
        labels,
        vectors,
        codes,
        others,
        touched=touched,
    )
    if items:
        known = version.known_concepts(set(names))
        version.upsert([_noted(*pair, known) for pair in zip(items, names, strict=True)], encoder)
    return head


def _digest(X: Any) -> str:
    """Eight digits for examples, lest texts get ids of others; to count the index would take seconds."""
    told = "\0".join(map(str, X)) if hasattr(X, "__iter__") else ""
    return blake2b(told.encode("utf-8", "replace"), digest_size=4).hexdigest()


def _new_vectors(
    model: GrowingClassifier, new: Sequence[Concept], hierarchy: LabelHierarchy, places: Ints
) -> Vectors:
    """Vectors of new labels with what their kin lend them, shape (m, d); `places` has the old."""
    vectors = np.zeros((len(places) + len(new), model.encoder_.dimension), dtype=np.float32)
    if not new:
        return vectors[:0]
    is_new = ~np.isin(np.arange(len(vectors)), places)
    vectors[places] = model.head_.labels
    vectors[is_new] = label_vectors(new, model.encoder_, model.template)
    return np.asarray(hierarchy.with_kin(vectors)[is_new])


def _noted(item: Item, label: str, known: Container[str]) -> Item:
    """Link an example to its label, or name in its metadata a label that the version lacks."""
    return (
        linked(item, label) if label in known else replace(item, metadata={**item.metadata, "label": label})
    )


def _near(model: GrowingClassifier, vectors: Vectors, labels: set[str]) -> Vectors:
    """Vectors of known examples near by that have none of these labels, shape (k, d)."""
    # Without a regression there is nothing to tell neighbours apart with.
    if not model.head_.coef.any():
        return vectors[:0]
    found = model.version_.search_items(vectors, _N_NEIGHBOURS)
    classes = set(model.classes_.tolist()) - labels
    near = {item.id for records in found.records for item in records if classes & set(item.concepts)}
    return model.version_.item_vectors(sorted(near)) if near else vectors[:0]
