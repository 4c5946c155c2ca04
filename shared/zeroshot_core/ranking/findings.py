"""Cases to be ranked for: what is found, and what was looked for and is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.retrieval.linking import Link, Linker, Mention

__all__ = ["Case", "Findings", "as_findings", "link_cases"]

_N_MEANINGS = 3


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is known of one case.

    Parameters
    ----------
    present, excluded
        Findings that are there, and that were looked for and are not: concept ids, or names in free text.
    """

    id: str = ""
    present: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.id, str):
            raise InvalidInputError(f"expected the id of findings as a text, got {checks.shown(self.id)}")
        for name in ("present", "excluded"):
            values = checks.sequence(
                f"{name} of findings {checks.shown(self.id)}", getattr(self, name), of="findings"
            )
            if not all(isinstance(text, str) and text.strip() for text in values):
                raise InvalidInputError(
                    f"findings {checks.shown(self.id)}: expected {name} as a list of non-empty strings, got "
                    f"{checks.shown(values)}"
                )
            object.__setattr__(self, name, tuple(dict.fromkeys(text.strip() for text in values)))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Findings as concepts.

    Parameters
    ----------
    present, excluded
        The findings that were understood, as they were given.
    meant, ruled_out
        Shapes (f, n), (e, n): how probably each of them means each concept, rows summing to 1.
    unknown
        Findings that mean no concept.
    """

    id: str
    present: tuple[str, ...]
    excluded: tuple[str, ...]
    meant: sparse.csr_matrix
    ruled_out: sparse.csr_matrix
    unknown: tuple[str, ...]


def as_findings(
    X: Sequence[Findings | Item | str], mentions: Callable[[Sequence[str]], Sequence[Sequence[Mention]]]
) -> list[Findings]:
    """Take findings as they are, an item's concepts, or what a text mentions.

    Parameters
    ----------
    mentions
        From texts to lists of mentions, as of `Linker.link_mentions`.

    Raises
    ------
    InvalidInputError
        If `X` is a single case, or holds something else.
    """
    cases: list[Findings | Item | str] = checks.sequence("X", X, of="findings, items or texts")
    for row, case in enumerate(cases):
        if not isinstance(case, str | Item | Findings):
            raise InvalidInputError(
                f"expected findings, items or texts, got {type(case).__name__} in row {row}: "
                f"{checks.shown(case)}"
            )
    for case in cases:
        if isinstance(case, Item) and case.text is None and not case.concepts:
            raise InvalidInputError(
                f"item {checks.shown(case.id)}: expected findings, or a text that names some, got an image; "
                "give its concepts, or see what is near it by Retriever.related_concepts"
            )
    texts = {row: _text(case) for row, case in enumerate(cases) if not _is_stated(case)}
    found = dict(zip(texts, mentions(list(texts.values())), strict=True)) if texts else {}
    return [_findings_of(case, row, found.get(row, ())) for row, case in enumerate(cases)]


def _is_stated(case: Findings | Item | str) -> bool:
    return isinstance(case, Findings) or (isinstance(case, Item) and bool(case.concepts))


def _text(case: Findings | Item | str) -> str:
    return case.text or "" if isinstance(case, Item) else str(case)


def _findings_of(case: Findings | Item | str, row: int, mentions: Sequence[Mention]) -> Findings:
    """Take the findings of one case, which has an id of its own or is named after its row."""
    if isinstance(case, Findings):
        return case if case.id else replace(case, id=f"query-{row}")
    if isinstance(case, Item) and case.concepts:
        return Findings(id=case.id, present=case.concepts)
    return Findings(
        id=case.id if isinstance(case, Item) else f"query-{row}",
        present=tuple(mention.link.concept for mention in mentions if not mention.is_negated),
        excluded=tuple(mention.link.concept for mention in mentions if mention.is_negated),
    )


def link_cases(cases: Sequence[Findings], graph: KnowledgeGraph, linker: Linker) -> list[Case]:
    """Give each finding the concepts that it probably means.

    An id means itself or the concept that has it now, in whatever spelling; one that the graph doesn't know
    means nothing, whatever names are spelt like it. Of several ids of one concept in a case the first counts.
    """
    texts = dict.fromkeys(text for case in cases for text in (*case.present, *case.excluded))
    ids = {text: graph.current_id(text) for text in texts}
    free = [text for text, id_ in ids.items() if id_ is None and not graph.is_like_an_id(text)]
    links = dict(zip(free, linker.link(free, top_k=_N_MEANINGS), strict=True)) if free else {}
    meanings = {text: _meanings(id_, links.get(text, ()), graph) for text, id_ in ids.items()}
    return [_case(_distinct(case, ids), meanings, len(graph)) for case in cases]


def _distinct(case: Findings, ids: Mapping[str, str | None]) -> Findings:
    """Leave out what tells a concept again by another of its ids."""
    first: dict[tuple[str, str], str] = {}
    for part in ("present", "excluded"):
        for text in getattr(case, part):
            first.setdefault((part, ids[text] or text), text)
    return replace(
        case,
        present=tuple(text for (part, _), text in first.items() if part == "present"),
        excluded=tuple(text for (part, _), text in first.items() if part == "excluded"),
    )


def _meanings(id_: str | None, links: Sequence[Link], graph: KnowledgeGraph) -> dict[int, float]:
    """Positions of the concepts that a text may mean, with shares that sum to 1; none if unknown."""
    if id_ is not None:
        return {graph.positions[id_]: 1.0}
    total = sum(link.probability for link in links)
    return {graph.positions[link.concept]: link.probability / total for link in links}


def _case(case: Findings, meanings: dict[str, dict[int, float]], n_concepts: int) -> Case:
    present, excluded = (
        tuple(text for text in texts if meanings[text]) for texts in (case.present, case.excluded)
    )
    return Case(
        id=case.id,
        present=present,
        excluded=excluded,
        meant=_matrix([meanings[text] for text in present], n_concepts),
        ruled_out=_matrix([meanings[text] for text in excluded], n_concepts),
        unknown=tuple(text for text in (*case.present, *case.excluded) if not meanings[text]),
    )


def _matrix(rows: Sequence[dict[int, float]], n_columns: int) -> sparse.csr_matrix:
    places = [(row, column, share) for row, shares in enumerate(rows) for column, share in shares.items()]
    row_numbers, columns, shares = zip(*places, strict=True) if places else ((), (), ())
    return sparse.csr_matrix((shares, (row_numbers, columns)), shape=(len(rows), n_columns))
