"""Sound bytes and values made unsound: cut, doubled, replaced, in another encoding."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["changed_json", "mutated"]

_FRAGMENTS = (
    "", "\0", "\n", "\r", '"', "'", "<", ">", "&", "&x;", "]]>", "<!--", "{", "}", "[", "]", ",", ";", ":",
    ".", "@", "#", "_:b", "null", "NaN", "-1", "1e999", "é", "\ufeff", "\ud800", "\u202e", "😀", "[Term]",
    "! comment", "is_a: X:9 ! x", "id: X:1", "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'>]>", "&a;",
    "file:///etc/passwd", "http://127.0.0.1:1/x", "@base <x> .", "@context", "xml:lang=\"en\"", "x" * 5000,
    "\t", "|", "\\", "\\u0000", "\\x", '"""', "^^<x>", "encoding=\"x-none\"",
)  # fmt: skip
_ENCODINGS = ("utf-16", "latin-1", "utf-8-sig", "utf-32", "cp037")


@st.composite
def mutated(draw: Any, text: str) -> bytes:
    """Bytes of a text after one to three edits."""
    for _ in range(draw(st.integers(1, 3))):
        if not text:
            break
        start = draw(st.integers(0, len(text) - 1))
        end = min(len(text), start + draw(st.sampled_from((0, 1, 2, 5, 20, 100))))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            text = text[:start] + text[end:]
        elif kind == 1:
            text = text[:end] + text[start:end] * draw(st.sampled_from((1, 2, 50))) + text[end:]
        elif kind == 2:
            text = text[:start] + draw(st.sampled_from(_FRAGMENTS)) + text[end:]
        elif kind == 3:
            lines = text.splitlines(keepends=True)
            line = draw(st.integers(0, len(lines) - 1))
            other = draw(st.integers(0, len(lines) - 1))
            lines[line], lines[other] = lines[other], lines[line]
            text = "".join(lines)
        else:
            text = text[:start]
    if draw(st.integers(0, 19)) == 0:
        return text.encode(draw(st.sampled_from(_ENCODINGS)), "replace")
    return text.encode("utf-8", "surrogatepass")


@st.composite
def changed_json(draw: Any, value: Any, other: Any) -> Any:
    """Replace, remove or rename one part of a JSON value, somewhere inside."""
    if isinstance(value, dict) and value and draw(st.integers(0, 7)):
        key = draw(st.sampled_from(sorted(value)))
        kind = draw(st.integers(0, 9))
        if kind == 0:
            return {name: part for name, part in value.items() if name != key}
        if kind == 1:
            return {(f"{name}x" if name == key else name): part for name, part in value.items()}
        return {**value, key: draw(changed_json(value[key], other))}
    if isinstance(value, list) and value and draw(st.integers(0, 7)):
        place = draw(st.integers(0, len(value) - 1))
        kind = draw(st.integers(0, 9))
        if kind == 0:
            return value[:place] + value[place + 1 :]
        if kind == 1:
            return value + value[place:]
        return [*value[:place], draw(changed_json(value[place], other)), *value[place + 1 :]]
    return draw(other)
