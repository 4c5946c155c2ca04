"""What an ontology file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zeroshot_core.types import Concept, Relation

__all__ = ["Ontology"]


@dataclass(frozen=True, kw_only=True)
class Ontology:
    """Concepts and relations of an ontology file, as `read_obo` and `read_rdf` find them.

    Parameters
    ----------
    alternative_ids
        The current id by each id that was merged into it or replaced by it.
    """

    concepts: tuple[Concept, ...]
    relations: tuple[Relation, ...]
    alternative_ids: Mapping[str, str] = field(default_factory=dict)
