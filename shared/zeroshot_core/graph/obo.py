"""Concepts and relations from OBO files, the format of the biomedical ontologies (OBO 1.4)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.graph.loaders import open_text
from zeroshot_core.graph.ontology import Ontology, chosen_types, refuse_other_syntax
from zeroshot_core.graph.validation import arrow, first_of, reason_of, refuse_damaged
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    import fastobo

__all__ = ["read_obo"]


def read_obo(
    path: Path,
    *,
    relation_types: Collection[str] | None = None,
    concept_type: str | None = None,
    on_dangling: Literal["raise", "drop"] = "raise",
) -> Ontology:
    """Read the terms of an OBO file that are not obsolete.

    ``is_a`` and ``relationship`` clauses become relations, with the sources that they name; a definition
    becomes the description; synonyms of any scope are kept. Alternative ids are those of ``alt_id`` and
    ``replaced_by``. Relations to obsolete terms are left out.

    Parameters
    ----------
    relation_types
        Which relations to keep, such as ``["is_a"]``, where others end outside the file; all by default.
    concept_type
        Type of all concepts; by default the namespace of each term, ``"term"`` where it has none.
    on_dangling
        What happens to relations that end at a term that is not in the file: they are refused, or with
        ``"drop"`` left out, and a warning counts them.

    Raises
    ------
    InvalidInputError
        If the file can't be read, has no terms, has damaged lines (one error for all), is of another syntax,
        or has dangling relations.
    MissingExtraError
        If fastobo is not installed.
    """
    checks.choice("on_dangling", on_dangling, ("raise", "drop"))
    kept_types = chosen_types(relation_types, concept_type)
    obo = require("fastobo", extra="ontology")
    with open_text(path) as file:
        text = _plain(file.read())
    refuse_other_syntax(path, text, but="OBO")
    if not re.search(r"^\[Term\]", text, flags=re.MULTILINE):
        raise InvalidInputError(f"{path}: expected [Term] frames, got none; is it an OBO file?")
    try:
        document = obo.loads(text)
    except BaseException as error:
        _refuse(path, text, error)
        raise
    terms = {str(frame.id): frame for frame in document if isinstance(frame, obo.term.TermFrame)}
    default_type = concept_type or _value(document.header, "default-namespace") or "term"
    live = {id_: frame for id_, frame in terms.items() if _value(frame, "is_obsolete") != "true"}
    kept, dangling = [], []
    for relation in (relation for id_, frame in live.items() for relation in _relations(id_, frame)):
        if kept_types is None or relation.type in kept_types:
            if relation.tail in live:
                kept.append(relation)
            elif relation.tail not in terms:
                dangling.append(relation)
    _settle(path, dangling, on_dangling)
    return Ontology(
        concepts=tuple(
            _concept(id_, frame, concept_type or _value(frame, "namespace") or default_type)
            for id_, frame in live.items()
        ),
        relations=tuple(kept),
        alternative_ids=dict(_alternatives(terms, live)),
    )


def _plain(text: str) -> str:
    """Blank the lines that are comments, which fastobo can't read, and end the last line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"^[ \t]*![^\n]*$", "", lines, flags=re.MULTILINE).rstrip("\n") + "\n"


def _refuse(path: Path, text: str, error: BaseException) -> None:
    """Say what of a text is not OBO, if that is why reading it failed."""
    if not _is_damage(error):
        return
    refuse_damaged(str(path), list(_damaged_lines(text)), unit="line")
    place = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
    raise InvalidInputError(f"{path}: {place}expected OBO, got {reason_of(error)}") from error


def _is_damage(error: BaseException) -> bool:
    """Whether an error is fastobo's: what it doesn't foresee is a panic, which is no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _settle(path: Path, dangling: Sequence[Relation], on_dangling: str) -> None:
    """Refuse relations to terms that are not there, or count them in a warning."""
    if not dangling:
        return
    listed = f"{len(dangling)} that end elsewhere: {first_of(map(arrow, dangling), len(dangling))}"
    if on_dangling == "raise":
        raise InvalidInputError(
            f"{path}: expected relations between terms of the file, got {listed}; add those terms, name the "
            "relation_types to keep, or pass on_dangling='drop' to leave them out"
        )
    warnings.warn(f"{path}: dropped {listed}", stacklevel=4)


def _value(frame: Iterable[fastobo.abc.AbstractClause], tag: str) -> str:
    """Value of the first clause with the tag, or an empty string."""
    return next((clause.raw_value() for clause in frame if clause.raw_tag() == tag), "")


def _concept(id_: str, frame: fastobo.term.TermFrame, type_: str) -> Concept:
    name, description, synonyms = id_, "", []
    for clause in frame:
        tag = clause.raw_tag()
        if tag == "name":
            name = clause.name
        elif tag == "def":
            description = str(clause.definition)
        elif tag == "synonym":
            synonyms.append(clause.synonym.desc)
    distinct = tuple(synonym for synonym in dict.fromkeys(synonyms) if synonym.strip() and synonym != name)
    return Concept(id=id_, name=name, type=type_, synonyms=distinct, description=description)


def _relations(id_: str, frame: fastobo.term.TermFrame) -> Iterator[Relation]:
    """Distinct relations of a term."""
    found: dict[tuple[str, str], list[str]] = {}
    for clause in frame:
        tag = clause.raw_tag()
        if tag in {"is_a", "relationship"}:
            type_ = "is_a" if tag == "is_a" else str(clause.typedef)
            sources = (each.value for each in clause.qualifiers or () if str(each.key) == "source")
            found.setdefault((type_, str(clause.term)), []).extend(sources)
    for (type_, tail), named in found.items():
        yield Relation(head=id_, type=type_, tail=tail, sources=tuple(dict.fromkeys(named)))


def _alternatives(
    terms: Mapping[str, fastobo.term.TermFrame], live: Mapping[str, fastobo.term.TermFrame]
) -> Iterator[tuple[str, str]]:
    """Pairs of an id that is no longer used and the one that stands for it now."""
    replacements = {id_: _value(frame, "replaced_by") for id_, frame in terms.items() if id_ not in live}
    for id_ in replacements:
        current, seen = id_, {""}
        while current not in seen and current not in live:
            seen.add(current)
            current = replacements.get(current, "")
        if current in live:
            yield id_, current
    for id_, frame in live.items():
        for clause in frame:
            if clause.raw_tag() == "alt_id" and clause.raw_value() not in live:
                yield clause.raw_value(), id_


def _damaged_lines(text: str) -> Iterator[tuple[int, str]]:
    """Find each line that is not OBO, and what was expected there."""
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("[")]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        frame = lines[start:end]
        if _problem(frame):
            yield from ((start + number, reason) for number, reason in _damaged_in(frame))


def _damaged_in(frame: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each damaged line of a frame: the parser stops at the first, so every clause is read by itself."""
    opening = 0
    if frame[0].startswith("["):
        filled = (number for number, line in enumerate(frame[1:], 1) if not re.match(r"\s*(!|$)", line))
        opening = next(filled, 0) + 1
        problem = _problem(frame[:opening])
        if problem:
            yield problem
            return
    for number, line in enumerate(frame[opening:], opening + 1):
        problem = _problem([*frame[:opening], line])
        if problem:
            yield number, problem[1]


def _problem(lines: Sequence[str]) -> tuple[int, str] | None:
    """Line number from 1 and reason of the first damage in a frame."""
    obo = require("fastobo", extra="ontology")
    try:
        obo.loads("\n".join([*lines, ""]), threads=1)
    except SyntaxError as error:
        return error.lineno or 1, f"{error.msg}, got {checks.shown((error.text or '').strip())}"
    except BaseException as error:
        if not _is_damage(error):
            raise
        return 1, f"expected OBO, got {checks.shown(lines[-1])}"
    return None
