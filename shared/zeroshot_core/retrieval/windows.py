"""Runs of words in a text that may be names of concepts, and which of them are negated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Window", "find_windows"]

_MAX_WORDS = 8
_WORD = re.compile(r"[^\s,.;!?()\[\]/\"]+(?:[./][^\s,.;!?()\[\]/\"]+)*")
# Names don't reach over these, nor begin or end with the small words.
_BREAK = re.compile(r"[,;!?()\[\]\"\n]|[.:](?=\s|$)")
_SENTENCE_END = re.compile(r"[;!?\n]|[.:](?=\s|$)")
_SMALL = re.compile(
    r"an?|and|any|are|as|at|be|been|both|but|by|for|from|had|has|have|hers?|he|his|him|in|into|is|its?|of|on|or|"
    r"our|she|some|tha[nt]|the|their|them|there|they|this|to|was|we|were|which|who|with",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no (?:evidence|history|signs?|symptoms?) of|no|not|never|nor|neither|without|"
    r"den(?:y|ies|ied|ying)|negative for|absence of|free (?:of|from)|lack of|ruled out)\b",
    re.IGNORECASE,
)
# As NegEx does, a negation ends where the sentence turns.
_TURN = re.compile(
    r"\b(?:but|however|although|though|except|yet|whereas|while|which|has|had|have|shows?|presents?|presented|with)\b",
    re.IGNORECASE,
)
_NEGATED_AFTER = re.compile(
    r"\s*(?::|-|is|are|was|were|has been|have been)?\s*"
    r"(?:absent|denied|negative|ruled out|not (?:present|seen|observed|found|noted|reported))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A run of words in a text that may be a name.

    Parameters
    ----------
    start, end
        Where it stands: ``text[start:end]``.
    is_negated
        Whether the text says that it is absent.
    """

    text: str
    start: int
    end: int
    is_negated: bool = False


def find_windows(text: str) -> list[Window]:
    """All runs of at most eight words within the clauses of a text, the longest first at each place.

    Negation follows NegEx [1]_, more cautiously: it reaches from its word to the next comma, or to the last
    part of a list with 'or', and never over a turn such as 'but'. Words such as 'no' belong to no name.

    References
    ----------
    .. [1] Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge
       summaries", Journal of Biomedical Informatics 34, 2001.
    """
    denied = list(_negated_spans(text))
    cues = [match.span() for match in _NEGATION.finditer(text)]
    windows = []
    for start, end in _clauses(text, cues):
        words = [match.span() for match in _WORD.finditer(text, start, end)]
        for first, (begin, _) in enumerate(words):
            for last in range(min(first + _MAX_WORDS, len(words)) - 1, first - 1, -1):
                stop = words[last][1]
                if _is_small(text, words[first]) or _is_small(text, words[last]):
                    continue
                is_negated = any(low <= begin and stop <= high for low, high in denied)
                is_negated = is_negated or _NEGATED_AFTER.match(text, stop) is not None
                windows.append(Window(text=text[begin:stop], start=begin, end=stop, is_negated=is_negated))
    return windows


def _clauses(text: str, cues: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Stretches of text without punctuation and without words of negation."""
    breaks = sorted([*(match.span() for match in _BREAK.finditer(text)), *cues])
    start = 0
    for low, high in breaks:
        if start < low:
            yield start, low
        start = max(start, high)
    if start < len(text):
        yield start, len(text)


def _negated_spans(text: str) -> Iterator[tuple[int, int]]:
    for cue in _NEGATION.finditer(text):
        end = _SENTENCE_END.search(text, cue.end())
        turn = _TURN.search(text, cue.end())
        stop = min(match.start() if match else len(text) for match in (end, turn))
        scope = text[cue.end() : stop]
        last_or = max(scope.rfind(" or "), scope.rfind(" nor "))
        comma = scope.find(",", max(last_or, 0))
        yield cue.end(), stop if comma < 0 else cue.end() + comma


def _is_small(text: str, span: tuple[int, int]) -> bool:
    return _SMALL.fullmatch(text, *span) is not None
