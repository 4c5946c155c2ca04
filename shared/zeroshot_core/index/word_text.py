"""What Milvus is given to index the words of a text by, so that every release of it counts the same words.

The analyzers of Milvus part ``4711-B`` into ``4711`` and ``B``, so that a code would be found no better than
its neighbours, and take a sentence of Chinese for one word. So texts are parted here, and what is indexed are
words of letters and digits between spaces. It is stored: the same text must always give the same words.
"""

from __future__ import annotations

import re

from zeroshot_core.index.schema import TEXT_BYTES

__all__ = ["word_text"]

# Scripts without spaces between words: Han, Hiragana, Katakana, Thai, Lao, Khmer, Burmese.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_COMPOUND = re.compile(rf"[^\W_{_UNSPACED}]+(?:[-_./+&'’][^\W_{_UNSPACED}]+)*|[{_UNSPACED}]+")
_JOINT = re.compile(r"[-_./+&'’]")


def word_text(text: str) -> str:
    """Write the words of a text in lower case with spaces between, as many as a field holds.

    A compound gives its parts and all of them in one, so that ``4711-B`` is ``4711 b 4711b``; a stretch
    without spaces gives all pairs of neighbouring characters.
    """
    words: list[str] = []
    for match in _COMPOUND.finditer(text.lower()):
        found = match[0]
        if re.match(f"[{_UNSPACED}]", found):
            words += [found[at : at + 2] for at in range(max(1, len(found) - 1))]
        else:
            parts = _JOINT.split(found)
            words += [*parts, "".join(parts)] if len(parts) > 1 else parts
    return " ".join(words).encode()[:TEXT_BYTES].decode(errors="ignore")
