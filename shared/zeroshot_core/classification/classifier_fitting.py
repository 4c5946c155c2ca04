"""The two things that a classifier learns: an encoder, where it is tuned, and a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.classification.label_head import LabelHead, fit_label_head
from zeroshot_core.classification.label_vectors import label_texts, label_vectors
from zeroshot_core.classification.pseudo_labels import self_labelled
from zeroshot_core.classification.transduced_head import fit_transduced_head
from zeroshot_core.classification.transduction import TUNED_TEMPERATURE, neighbour_graph
from zeroshot_core.estimators.calibration_split import calibration_split, has_calibration_split
from zeroshot_core.estimators.encoder_tuning import encoder_before, tuned_encoder
from zeroshot_core.training.assignment import TEMPERATURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.classification.label_hierarchy import LabelHierarchy
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.encoder_tuning import Report, Tuning
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Concept, Ints, Item, Vectors

__all__ = ["LabelTask", "Taught"]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """The encoder that won.

    Parameters
    ----------
    accuracy
        To be expected of the guesses that it was tuned on; None if it was tuned on none.
    """

    encoder: Encoder
    report: Report | None
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class LabelTask:
    """Labels, and the texts to learn them from.

    Parameters
    ----------
    concepts
        Of the labels, sorted by id.
    hierarchy
        What the labels are kinds of.
    examples, y
        Shape (n,): items linked to their labels, and these.
    others
        Items without labels.
    """

    concepts: Sequence[Concept]
    hierarchy: LabelHierarchy
    template: str | None
    examples: Sequence[Item]
    y: Sequence[str]
    others: Sequence[Item]

    @property
    def items(self) -> list[Item]:
        """All that is indexed: the examples, then those without labels."""
        return [*self.examples, *self.others]

    def tune(
        self, base: Encoder, tuning: Tuning, *, graph: KnowledgeGraph, model_index: ModelIndex
    ) -> Taught:
        """Tune an encoder on the examples, and on the surest guesses for the texts without labels.

        Of about 1,000 examples or more a tenth is not read, so that it shows what new texts look like. Joint
        rounds read them all, and the other texts too, whose neighbours in the live version they learn from.
        """
        kept = calibration_split([item.id for item in self.examples]) & has_calibration_split(tuning.method)
        read = np.flatnonzero(~kept).tolist()
        taught: list[Item] = [self.examples[row] for row in read]
        names: list[str | None] = [self.y[row] for row in read]
        accuracy = None
        if self.others and tuning.method != "none":
            labels, ids = self._labels(base), [concept.id for concept in self.concepts]
            guesses = self_labelled(self.others, labels, ids, base, graph, model_index, tuning.random_state)
            taught, names, accuracy = taught + guesses.items, [*names, *guesses.labels], guesses.accuracy
        if tuning.method == "joint":
            known = {item.id for item in taught}
            rest = [item for item in self.others if item.id not in known]
            taught, names = taught + rest, [*names, *(None for _ in rest)]
        encoder, report = tuned_encoder(
            base,
            tuning,
            taught,
            names,
            label_texts={c.id: label_texts(c, self.template) for c in self.concepts},
            graph=graph,
            model_index=model_index,
        )
        is_tuned = encoder.fingerprint != base.fingerprint
        return Taught(encoder=encoder, report=report, accuracy=accuracy if is_tuned else None)

    def head(self, version: OpenVersion, taught_by: Taught, base: Encoder, random_state: int) -> LabelHead:
        """Learn a head from the vectors in the index."""
        encoder = taught_by.encoder
        ids = [item.id for item in self.items]
        labels, vectors = self._labels(encoder), version.item_vectors(ids)
        codes = np.searchsorted([concept.id for concept in self.concepts], self.y).astype(np.int64)
        if not self.others:
            return self._taught_head(labels, vectors, codes, encoder, base, random_state)
        taught = None
        if self.examples:
            own = vectors[: len(codes)]
            taught = self._taught_head(labels, own, codes, encoder, base, random_state)
        known = np.concatenate([codes, np.full(len(self.others), -1)])
        graph = neighbour_graph(version, ids, vectors)
        is_tuned = encoder.fingerprint != base.fingerprint
        temperature = TUNED_TEMPERATURE if is_tuned else TEMPERATURE
        return fit_transduced_head(
            labels,
            vectors,
            graph,
            known,
            random_state,
            temperature=temperature,
            taught=taught,
            accuracy=taught_by.accuracy,
        )

    def _taught_head(
        self,
        labels: Vectors,
        vectors: Vectors,
        codes: Ints,
        encoder: Encoder,
        base: Encoder,
        random_state: int,
    ) -> LabelHead:
        """Learn a head from the examples alone."""
        untouched = None
        if encoder.fingerprint != base.fingerprint:
            before = encoder_before(encoder, base)
            untouched = self._labels(before), before.encode([item.content for item in self.examples])
        return fit_label_head(labels, vectors, codes, random_state, untaught=untouched)

    def _labels(self, encoder: Encoder) -> Vectors:
        return self.hierarchy.with_kin(label_vectors(self.concepts, encoder, self.template))
