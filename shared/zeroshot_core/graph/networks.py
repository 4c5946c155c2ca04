"""Concepts and relations from networkx graphs and GraphML files, and back to networkx."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.records import Records, concept_of, relation_of
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["read_graphml", "read_networkx", "to_networkx"]


def read_networkx(g: nx.Graph) -> Records:
    """Take over nodes and edges of any networkx graph.

    Ids are ``str(node)``; the node attributes name, type, synonyms and description and the edge attributes
    type, weight and sources are used where they are. An edge without a type takes its key if that is a
    string, else ``"related"``. An undirected edge gives one relation.

    Raises
    ------
    InvalidInputError
        If synonyms or sources are not lists, or a weight is not a number.
    """
    edges = (
        g.edges(keys=True, data=True)
        if g.is_multigraph()
        else ((head, tail, None, attributes) for head, tail, attributes in g.edges(data=True))
    )
    relations = [
        relation_of(
            str(head),
            attributes.get("type", key if isinstance(key, str) else "related"),
            str(tail),
            attributes,
        )
        for head, tail, key, attributes in edges
    ]
    return _concepts(g.nodes(data=True)), relations


def read_graphml(path: Path) -> Records:
    """Read a GraphML file.

    Attributes are those of `read_networkx`; where a node has no name or an edge no type, its ``label``
    serves. Synonyms and sources are separated by bars (``"one|two"``).

    Raises
    ------
    InvalidInputError
        If the file can't be read or is no GraphML.
    """
    import networkx as nx

    try:
        g = nx.read_graphml(path, force_multigraph=True)
    except (OSError, SyntaxError, KeyError, ValueError, nx.NetworkXError) as error:
        raise InvalidInputError(f"expected a GraphML file, got {path}: {error}") from error
    labelled = (
        (node, {"name": attributes.get("label"), **attributes}) for node, attributes in g.nodes(data=True)
    )
    # The keys of edges are the ids that the file numbers them by, not types.
    relations = [
        relation_of(head, attributes.get("type") or attributes.get("label") or "related", tail, attributes)
        for head, tail, attributes in g.edges(data=True)
    ]
    return _concepts(labelled), relations


def _concepts(nodes: Iterable[tuple[Any, Mapping[str, Any]]]) -> list[Concept]:
    return [
        concept_of(str(node), attributes, type_=attributes.get("type") or "concept")
        for node, attributes in nodes
    ]


def to_networkx(concepts: Iterable[Concept], relations: Iterable[Relation]) -> nx.MultiDiGraph:
    """Copy the records into a MultiDiGraph that `read_networkx` gives back exactly."""
    import networkx as nx

    g = nx.MultiDiGraph()
    for c in concepts:
        g.add_node(c.id, name=c.name, type=c.type, synonyms=c.synonyms, description=c.description)
    for r in relations:
        g.add_edge(r.head, r.tail, key=r.type, type=r.type, weight=r.weight, sources=r.sources)
    return g
