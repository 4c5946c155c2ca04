"""RDF texts as triples, by rdflib's parsers, which read nothing but the text and take bounded time."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rdflib
from rdflib.plugins.parsers.jsonld import to_rdf

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.xml_limits import check_xml

__all__ = ["parse"]

_MOST_CONTEXT_COPIES = 3_000_000
_SWITCHES = threading.Lock()


class _Triples(rdflib.Graph):
    """A graph without prefixes: rdflib compares each new one with all others, and nothing needs them."""

    def bind(self, *args: Any, **kwargs: Any) -> None:
        """Forget the prefix."""


class _Dataset(rdflib.ConjunctiveGraph):
    """As `_Triples`, for named graphs too."""

    def bind(self, *args: Any, **kwargs: Any) -> None:
        """Forget the prefix."""


def parse(path: Path, text: str, format: str) -> rdflib.Graph:
    """Parse Turtle, RDF/XML, N-Triples or JSON-LD.

    Parameters
    ----------
    path
        Where the text comes from, for messages.

    Raises
    ------
    InvalidInputError
        If it points elsewhere, or asks for time or memory out of proportion.
    Exception
        Whatever damage makes the parser raise.
    """
    with _switched():
        graph = _Triples(bind_namespaces="none")
        if format == "json-ld":
            data = json.loads(text)
            _check_contexts(path, data)
            dataset = _Dataset(store=graph.store, identifier=graph.identifier)
            to_rdf(data, dataset, base=graph.absolutize(""))
            return graph
        if format == "xml":
            check_xml(path, text)
        # Turtle contains N-Triples, and its parser takes linear time, which that of N-Triples doesn't.
        return graph.parse(data=text, format="turtle" if format == "nt" else format)


@contextmanager
def _switched() -> Iterator[None]:
    """Keep literals as they are written, and leave it unsaid if one is not of its type.

    To normalise ``"1e999999999"^^xsd:decimal`` takes a gigabyte. rdflib's switches are global, so parsers
    take turns.
    """
    log = logging.getLogger("rdflib.term")
    with _SWITCHES, warnings.catch_warnings():
        # rdflib's parsers still call what rdflib itself has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        before = rdflib.NORMALIZE_LITERALS
        rdflib.NORMALIZE_LITERALS = False
        log.addFilter(_silent)
        try:
            yield
        finally:
            log.removeFilter(_silent)
            rdflib.NORMALIZE_LITERALS = before


def _silent(record: logging.LogRecord) -> bool:
    return False


def _check_contexts(path: Path, data: Any) -> None:
    """Refuse JSON-LD whose contexts are kept elsewhere, or are copied too often."""
    n_contexts = n_terms = 0
    waiting = [data]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            for context in _contexts(node.get("@context")):
                if isinstance(context, str):
                    _refuse_context(path, context)
                n_contexts += 1
                n_terms += len(context) if isinstance(context, dict) else 0
            if "@import" in node:
                _refuse_context(path, node["@import"])
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    if n_contexts * n_terms > _MOST_CONTEXT_COPIES:
        raise InvalidInputError(
            f"{path}: expected JSON-LD with one context, got {n_contexts} with {n_terms} terms in all; "
            "unite them at its beginning"
        )


def _contexts(context: Any) -> Iterator[Any]:
    """Contexts of a list, however nested."""
    waiting = [context]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif each is not None:
            yield each


def _refuse_context(path: Path, where: object) -> None:
    raise InvalidInputError(
        f"{path}: expected JSON-LD that stands by itself, got a context kept at {str(where)[:200]!r}; "
        "write that context into the file"
    )
