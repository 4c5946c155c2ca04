"""Runs of words in a text that may be names of concepts, and which of them are negated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Window", "find_windows"]

_MAX_WORDS = 8
# Han and kana are written without blanks: each letter may begin or end a name.
_LETTER = r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff]"
_MARKS = r"，、。；！？：（）「」『』【】،؛؟"
_WORD = re.compile(
    rf"{_LETTER}|(?:(?!{_LETTER})[^\s,.;!?()\[\]/\"{_MARKS}])+"
    rf"(?:[./](?:(?!{_LETTER})[^\s,.;!?()\[\]/\"{_MARKS}])+)*"
)
# Names don't reach over these, nor begin or end with the small words.
_BREAK = re.compile(rf"[,;!?()\[\]\"\n{_MARKS}]|[.:](?=\s|$)")
_SENTENCE_END = re.compile(r"[;!?\n；！？。؛؟]|[.:](?=\s|$)")
_COMMA = re.compile(r"[,，،]")
_OR = re.compile(r"\s(?:or|nor|oder|noch|ou|o|ni|né|of|или|ни|lub|ani)\s|[、或]")
# What begins or ends names in English, as in "von Willebrand" and "le Fort", is left out.
_SMALL = re.compile(
    r"an?|and|any|are|as|at|be|been|both|but|by|for|from|had|has|have|hers?|he|his|him|in|into|is|its?|of|on|or|"
    r"our|she|some|tha[nt]|the|their|them|there|they|this|to|was|we|were|which|who|with|"
    r"das|dem|eine?[mnrs]?|und|oder|aber|ist|sind|mit|zu[mr]?|beim?|une?|et|ou|avec|"
    r"mais|una|con|pero|tiene|gli|della?|uma|het|een|maar|heeft|и|или|но|в|на|с|у|"
    r"في|من|على|مع|لكن|أو|的|了",
    re.IGNORECASE,
)
# Beside English those of other languages that mean nothing else in English.
_NEGATION = re.compile(
    r"\b(?:no (?:evidence|history|signs?|symptoms?) of|no|not|never|nor|neither|without|"
    r"den(?:y|ies|ied|ying)|negative for|absence of|free (?:of|from)|lack of|ruled out|"
    r"keine?[mnrs]?|ohne|weder|nicht|pas de|aucune?|sans|ni|sin|niega|ning[uú]na?|senza|nessun[oa]?|nega|"
    r"non (?:ha|presenta|riferisce|ci sono)|sem|não|nenhuma?|geen|zonder|niet|nie|bez|brak|без|нет|не|"
    r"ليس|بدون|دون|لا)\b|\b(?:pas d|nessun|non c)['’]|"
    r"没有|沒有|未见|未見|否认|否認|(?<![\u3400-\u9fff])[无無没](?=[\u3400-\u9fff])",
    re.IGNORECASE,
)
# As NegEx does, a negation ends where the sentence turns.
_TURN = re.compile(
    r"\b(?:but|however|although|though|except|yet|whereas|while|which|has|had|have|shows?|presents?|presented|with|"
    r"aber|jedoch|sondern|mais|pero|sino|mas|maar|но|ale|لكن)\b|但",
    re.IGNORECASE,
)
_NEGATED_AFTER = re.compile(
    r"\s*(?::|-|is|are|was|were|has been|have been)?\s*"
    r"(?:absent|denied|negative|ruled out|not (?:present|seen|observed|found|noted|reported))\b",
    re.IGNORECASE,
)
# Parts of words of Chinese and Japanese: a letter beside others, and endings.
_FRAGMENT = re.compile(
    r"(?<=[\u3400-\u9fff])[\u3400-\u9fff]|[\u3400-\u9fff](?=[\u3400-\u9fff])|[\u3040-\u309f]"
)
_ENDING = re.compile(r"[\u3040-\u309f]{2}")
# In Japanese, Korean and Turkish the negation follows, and is part of no name.
_NEGATION_BEHIND = re.compile(
    r"\s*(?:[はもが]?(?:あり|認められ|見られ|みられ)?(?:ません|ない|なし|無し|なく)|[はもがを]?認めず|"
    r"[은는이가도]?\s*없\w*|\byok\b)",
    re.IGNORECASE,
)
_BEHIND = (_NEGATED_AFTER, _NEGATION_BEHIND)


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

    In Chinese and Japanese a word is a letter. Negation follows NegEx [1]_, more cautiously: it reaches from
    its word to the next comma, or to the last part of a list with 'or', and never over a turn such as 'but'.
    Words such as 'no' belong to no name. Those of German, French, Spanish, Italian, Portuguese, Dutch,
    Polish, Russian, Arabic and Chinese are known too; in Japanese, Korean and Turkish the word behind a name
    denies that one alone.

    References
    ----------
    .. [1] Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge
       summaries", Journal of Biomedical Informatics 34, 2001.
    """
    denied = list(_negated_spans(text))
    behind = [match.span() for match in _NEGATION_BEHIND.finditer(text)]
    cues = [*(match.span() for match in _NEGATION.finditer(text)), *behind]
    windows = []
    for start, end in _clauses(text, cues):
        words = [match.span() for match in _WORD.finditer(text, start, end)]
        for first, (begin, _) in enumerate(words):
            for last in range(min(first + _MAX_WORDS, len(words)) - 1, first - 1, -1):
                stop = words[last][1]
                has_small_edge = _is_small(text, words[first]) or _is_small(text, words[last])
                if has_small_edge or _is_fragment(text, begin, stop):
                    continue
                is_negated = any(low <= begin and stop <= high for low, high in denied)
                is_negated = is_negated or any(match.match(text, stop) for match in _BEHIND)
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
        last_or = max((match.start() for match in _OR.finditer(scope)), default=0)
        comma = _COMMA.search(scope, last_or)
        yield cue.end(), cue.end() + comma.start() if comma else stop


def _is_small(text: str, span: tuple[int, int]) -> bool:
    return _SMALL.fullmatch(text, *span) is not None


def _is_fragment(text: str, start: int, end: int) -> bool:
    if end - start == 1:
        return _FRAGMENT.match(text, start) is not None
    return _ENDING.fullmatch(text, start, end) is not None
