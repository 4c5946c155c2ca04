"""A knowledge graph from texts, through anything that finds triples in them."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

from zeroshot_core import checks
from zeroshot_core.construction.extraction import extract_all, read_sources
from zeroshot_core.construction.resolution import Mention, NameLinker, resolve
from zeroshot_core.construction.triples import Extractor, Reading, Triple
from zeroshot_core.construction.vocabulary import Vocabulary
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Item, Relation

__all__ = ["BuildReport", "GraphBuild", "build_graph"]

_N_QUOTED = 5

Said: TypeAlias = tuple[str, Triple]
"""The id of a text, and a triple that it says."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What became of the texts and of what was found in them.

    Parameters
    ----------
    n_texts, n_failed
        Texts, and those without an answer.
    n_triples, n_malformed, n_refused, n_loops
        Triples that entered the graph; that were damaged; whose types are not allowed; whose ends are one
        concept. A triple that several texts say counts for each.
    n_new, n_linked
        Concepts that are new, and concepts of the given graph that the texts name.
    problems
        The first of what is malformed, refused or failed, in words.
    """

    n_texts: int
    n_failed: int
    n_triples: int
    n_malformed: int
    n_refused: int
    n_loops: int
    n_new: int
    n_linked: int
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GraphBuild:
    """A graph with what is known of its making.

    Parameters
    ----------
    mentions
        For each text, by id, the concepts that it names: what links an item to the graph.
    """

    graph: KnowledgeGraph
    mentions: Mapping[str, tuple[str, ...]]
    report: BuildReport


class _CitedEdge(NamedTuple):
    """A triple with its ends resolved to concept ids, and the id of the text that says it."""

    head: str
    type: str
    tail: str
    source: str


def build_graph(
    texts: Sequence[str | Item],
    extract: Extractor,
    *,
    graph: KnowledgeGraph | None = None,
    link: NameLinker | None = None,
    concept_types: Sequence[str] | None = None,
    relation_types: Sequence[str] | None = None,
    checkpoint: str | Path | None = None,
    batch_size: int = 16,
    show_progress: bool = False,
) -> GraphBuild:
    """Build a graph from the triples that `extract` finds in texts, or extend one.

    Names and types are compared without case, spacing and regular plurals. Each relation cites the ids of the
    texts that say it as its sources, and weighs as many as they are; on a relation that `graph` has already,
    new sources add to the weight. Damaged triples, and texts that failed, are left out with a warning.

    Parameters
    ----------
    texts
        Items, cited by their ids, or bare texts; equal texts are asked once.
    graph
        What is known: its concepts are kept as they are, and names that are theirs are linked to them.
    link
        Names in, for each the id of a concept of `graph` or None out; by default equal names and synonyms.
    concept_types, relation_types
        What is allowed; all where None.
    checkpoint
        A file of JSON lines to which answers are added batch by batch, so that an interrupted run goes on
        where it stopped. It belongs to one extractor with one prompt.
    batch_size
        Texts in one call of `extract`, at least 1.

    Raises
    ------
    InvalidInputError
        If an argument is wrong, or the answers hold no usable triple at all while some are damaged.
    """
    if link is not None and graph is None:
        raise InvalidInputError("expected a graph beside `link`, got none; give the graph that it links to")
    checks.whole("batch_size", batch_size, least=1)
    vocabulary = Vocabulary(concept_types, relation_types, graph)
    sources = read_sources(texts)
    readings = extract_all(
        [source.text for source in sources],
        extract,
        checkpoint=Path(checkpoint) if checkpoint else None,
        batch_size=batch_size,
        show_progress=show_progress,
    )
    by_id = {source.id: readings[source.text] for source in sources}
    build = _assemble(by_id, vocabulary, KnowledgeGraph() if graph is None else graph, link)
    _warn(build.report)
    return build


def _assemble(
    readings: Mapping[str, Reading], vocabulary: Vocabulary, graph: KnowledgeGraph, link: NameLinker | None
) -> GraphBuild:
    read = [(id_, vocabulary.spell(t)) for id_, reading in readings.items() for t in reading.triples]
    said = [(id_, triple) for id_, triple in read if vocabulary.allows(triple)]
    refused = [(id_, triple) for id_, triple in read if not vocabulary.allows(triple)]
    problems = [*_problems(readings), *(f"{id_}: {vocabulary.objection(triple)}" for id_, triple in refused)]
    _refuse_useless(readings, said, problems)
    ids, new = resolve(Counter(end for _, triple in said for end in _ends(triple)), graph, link)
    edges = _edges(said, ids)
    kept = [edge for edge in edges if edge.head != edge.tail]
    report = BuildReport(
        n_texts=len(readings),
        n_failed=sum(bool(reading.error) for reading in readings.values()),
        n_triples=len(kept),
        n_malformed=sum(len(reading.problems) for reading in readings.values()),
        n_refused=len(refused),
        n_loops=len(edges) - len(kept),
        n_new=len(new),
        n_linked=len(set(ids.values()) & graph.positions.keys()),
        problems=tuple(problems[:_N_QUOTED]),
    )
    whole = graph.replace(concepts=[*graph.concepts.values(), *new], relations=_merged(graph.relations, kept))
    return GraphBuild(graph=whole, mentions=_mentions(readings, edges), report=report)


def _ends(triple: Triple) -> tuple[Mention, Mention]:
    """Head and tail, each with its type."""
    return (triple.head, triple.head_type), (triple.tail, triple.tail_type)


def _edges(said: Iterable[tuple[str, Triple]], ids: Mapping[Mention, str]) -> list[_CitedEdge]:
    """Resolve the triples of texts, given as (text id, triple)."""
    return [
        _CitedEdge(head=ids[_ends(t)[0]], type=t.relation, tail=ids[_ends(t)[1]], source=source)
        for source, t in said
    ]


def _merged(known: Iterable[Relation], edges: Iterable[_CitedEdge]) -> list[Relation]:
    """Add edges to relations: each new source of a relation counts 1 in its weight."""
    relations = {(r.head, r.type, r.tail): r for r in known}
    cited: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for head, type_, tail, source in edges:
        cited[head, type_, tail][source] = None
    for (head, type_, tail), sources in cited.items():
        old = relations.get((head, type_, tail))
        before = old.sources if old else ()
        added = tuple(source for source in sources if source not in before)
        weight = (old.weight if old else 0.0) + len(added)
        relations[head, type_, tail] = Relation(
            head=head, type=type_, tail=tail, weight=weight, sources=before + added
        )
    return list(relations.values())


def _mentions(text_ids: Iterable[str], edges: Iterable[_CitedEdge]) -> dict[str, tuple[str, ...]]:
    """Concepts that each text names, in its order; none for a text that says nothing."""
    named: dict[str, dict[str, None]] = {id_: {} for id_ in text_ids}
    for edge in edges:
        named[edge.source] |= {edge.head: None, edge.tail: None}
    return {id_: tuple(concepts) for id_, concepts in named.items()}


def _problems(readings: Mapping[str, Reading]) -> list[str]:
    return [
        f"{id_}: {problem}"
        for id_, reading in readings.items()
        for problem in (*reading.problems, *([reading.error] if reading.error else []))
    ]


def _refuse_useless(readings: Mapping[str, Reading], said: Sequence[Said], problems: Sequence[str]) -> None:
    all_failed = all(reading.error for reading in readings.values())
    some_damaged = len(problems) > sum(bool(reading.error) for reading in readings.values())
    if readings and not said and (all_failed or some_damaged):
        raise InvalidInputError(
            f"expected usable triples from {len(readings)} texts, got none and {len(problems)} problems: "
            f"{'; '.join(islice(problems, _N_QUOTED))}; look at what the extractor answers"
        )


def _warn(report: BuildReport) -> None:
    if report.problems:
        warnings.warn(
            f"left out {report.n_malformed} malformed triples, {report.n_refused} of other types and "
            f"{report.n_failed} texts that failed; first: {'; '.join(report.problems)}",
            stacklevel=3,
        )
