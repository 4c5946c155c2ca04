"""What XML may ask of its reader: entities that stay small, and no file or address but itself."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from zeroshot_core.errors import InvalidInputError

__all__ = ["check_xml"]

_MOST_DEPTH = 256
_MOST_NAMESPACES = 256
_MOST_EXPANDED = 10_000_000
"""Characters that entities may add to a document."""
_MOST_COPIED = 20_000_000_000
"""Characters that a reader may copy when it puts a text together piece by piece, about a second's worth."""
_PIECE_OF_LITERAL = 40
_READINGS_OF_LITERAL = 4_000
"""rdflib reads an XML literal again for each piece: so many times slower than a copy, tags counted as 40."""
_LITERAL = "http://www.w3.org/1999/02/22-rdf-syntax-ns# parseType"


def check_xml(path: Path, data: str | bytes) -> None:
    """Refuse XML that a few bytes make slow, large, or reach outside its file.

    Entities of an internal document type are allowed where they are plain texts, as ontology editors write
    them to abbreviate IRIs. Expat reads the document once; nothing is kept.

    Parameters
    ----------
    path
        Where it comes from, for the message.

    Raises
    ------
    InvalidInputError
        If it declares nested, external or parameter entities, default attributes or an external document
        type, its entities add over 10 million characters, its elements are over 256 deep or have over 256
        namespaces at once, or one text has too many pieces.
    xml.parsers.expat.ExpatError
        If it is not XML.
    """
    _Reader(path, data).read()


class _Reader:
    """One pass of expat over a document, which ends where a limit is passed."""

    def __init__(self, path: Path, data: str | bytes) -> None:
        self.path = path
        self.data = data
        self.entities: dict[str, str] = {}
        self.depth = self.namespaces = self.literal_depth = self.held = self.copied = 0

    def read(self) -> None:
        is_text = isinstance(self.data, str)
        # A text is UTF-8 by now, whatever its declaration says.
        parser = expat.ParserCreate("utf-8" if is_text else None, namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.entity
        parser.AttlistDeclHandler = self.attribute
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.StartNamespaceDeclHandler = self.open_namespace
        parser.EndNamespaceDeclHandler = self.close_namespace
        parser.Parse(self.data.encode() if isinstance(self.data, str) else self.data, True)

    def refuse(self, got: str, remedy: str) -> NoReturn:
        raise InvalidInputError(f"{self.path}: expected XML that stands by itself, got {got}; {remedy}")

    def doctype(self, name: str, system_id: str | None, public_id: str | None, has_subset: int) -> None:
        if system_id or public_id:
            self.refuse("a document type kept elsewhere", "remove its DOCTYPE")

    def entity(
        self,
        name: str,
        is_parameter: int,
        value: str | None,
        base: str | None,
        system_id: str | None,
        public_id: str | None,
        notation: str | None,
    ) -> None:
        if value is None or is_parameter:
            self.refuse(f"the external or parameter entity {name[:50]!r}", "write its text in its place")
        if re.search(r"&[^#]", value):
            self.refuse(f"the nested entity {name[:50]!r}", "write its text in its place")
        self.entities[name] = value

    def attribute(self, element: str, name: str, type_: str, default: str | None, is_required: int) -> None:
        if default is not None:
            self.refuse(f"a default for the attribute {name[:50]!r}", "write it where it is meant")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.depth:
            self.check_expansion()
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            self.refuse(f"elements over {_MOST_DEPTH} deep", "flatten them")
        if self.literal_depth:
            self.hold(sum(map(len, attributes.values())))
        else:
            self.held = 0
            if attributes.get(_LITERAL) == "Literal":
                self.literal_depth = self.depth

    def end(self, name: str) -> None:
        if self.literal_depth:
            self.hold(0)
        else:
            self.held = 0
        if self.literal_depth == self.depth:
            self.literal_depth = 0
        self.depth -= 1

    def characters(self, data: str) -> None:
        self.hold(len(data))

    def hold(self, n: int) -> None:
        """Count a piece that a reader appends to the text that it holds, which Python copies for that."""
        self.held += n + (_PIECE_OF_LITERAL if self.literal_depth else 0)
        self.copied += self.held * (_READINGS_OF_LITERAL if self.literal_depth else 1)
        if self.copied > _MOST_COPIED:
            self.refuse("a text in too many lines or elements", "shorten it")

    def open_namespace(self, prefix: str | None, uri: str | None) -> None:
        self.namespaces += 1
        if self.namespaces > _MOST_NAMESPACES:
            self.refuse(f"over {_MOST_NAMESPACES} namespaces at once", "declare fewer")

    def close_namespace(self, prefix: str | None) -> None:
        self.namespaces -= 1

    def check_expansion(self) -> None:
        """Refuse entities that add too much, counted before the first is expanded."""
        if not self.entities:
            return
        if isinstance(self.data, bytes):
            self.refuse("entities", "write their texts in their places")
        used = Counter(re.findall(r"&([^&;#\s]+);", self.data))
        if sum(used[name] * len(value) for name, value in self.entities.items()) > _MOST_EXPANDED:
            self.refuse(f"entities of over {_MOST_EXPANDED:,} characters in all", "write shorter ones")
