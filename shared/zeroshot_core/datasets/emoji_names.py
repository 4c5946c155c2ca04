"""Names of emoji in many languages, by Unicode's CLDR: short texts of one meaning each.

The package ``emoji`` (BSD-3-Clause) brings the names in 13 languages; the npm packages
``cldr-annotations-full``, ``cldr-annotations-derived-full`` (Unicode-3.0) and ``emojibase-data`` (MIT) bring
names and keywords in a hundred. Skin tones and the flags of countries are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, require

__all__ = ["EmojiNames", "load_emoji_names", "read_json"]

_FLAGS = ("country-flag", "subdivision-flag")
_COMPONENTS = 2
_PACKAGES = "cldr-annotations-full cldr-annotations-derived-full emojibase-data"


@dataclass(frozen=True, kw_only=True)
class EmojiNames:
    """Names and keywords by language, in one order of emoji; an empty text where a language has none.

    Parameters
    ----------
    names
        English among them.
    keywords
        Joined by commas, without the name itself; empty without the npm packages.
    signs
        The emoji, without variation selectors.
    groups
        Of Unicode, such as ``"animal-bird"``; empty without the npm packages.
    """

    names: Mapping[str, tuple[str, ...]]
    keywords: Mapping[str, tuple[str, ...]]
    signs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def load_emoji_names(languages: Sequence[str], *, folder: str | os.PathLike[str] | None = None) -> EmojiNames:
    """Read the names of all emoji that have an English one.

    Parameters
    ----------
    languages
        Codes as CLDR has them, such as ``"de"``; English always comes too.
    folder
        A ``node_modules`` with the three npm packages; without it, the package ``emoji`` is read.

    Raises
    ------
    InvalidInputError
        If a language or a file is not there.
    MissingExtraError
        If there is no `folder`, and the package ``emoji`` is not installed.
    """
    wanted = list(dict.fromkeys(("en", *checks.sequence("languages", languages, of="codes of languages"))))
    return _of_packages(wanted) if folder is None else _of_npm(wanted, checks.path("folder", folder))


def _of_packages(languages: list[str]) -> EmojiNames:
    emoji = require("emoji", extra="demo")
    for language in languages:
        checks.choice("language", language, emoji.LANGUAGES)
    emoji.config.load_language(languages)
    rows = {
        sign: row
        for sign, row in emoji.EMOJI_DATA.items()
        if row["status"] == emoji.STATUS["fully_qualified"] and not _is_variant(sign)
    }
    names = {
        language: tuple(row.get(language, "").strip(":").replace("_", " ") for row in rows.values())
        for language in languages
    }
    return EmojiNames(names=names, keywords={}, signs=tuple(sign.replace("\ufe0f", "") for sign in rows))


def _is_variant(sign: str) -> bool:
    """Whether it is a flag of letters, or has a skin tone."""
    return any(0x1F1E6 <= ord(c) <= 0x1F1FF or 0x1F3FB <= ord(c) <= 0x1F3FF or ord(c) > 0xE0000 for c in sign)


def _of_npm(languages: list[str], folder: Path) -> EmojiNames:
    known = {language: _annotations(folder, language) for language in languages}
    groups = read_json(folder / "emojibase-data" / "meta" / "groups.json")["subgroups"]
    group_of = {
        row["emoji"].replace("\ufe0f", ""): groups[str(row["subgroup"])]
        for row in read_json(folder / "emojibase-data" / "en" / "data.json")
        if row.get("group") not in (None, _COMPONENTS) and groups[str(row["subgroup"])] not in _FLAGS
    }
    signs = tuple(sign for sign in group_of if known["en"].get(sign, {}).get("tts"))
    entries = {language: [known[language].get(sign, {}) for sign in signs] for language in languages}
    return EmojiNames(
        names={code: tuple((row.get("tts") or [""])[0] for row in rows) for code, rows in entries.items()},
        keywords={code: tuple(map(_keywords, rows)) for code, rows in entries.items()},
        signs=signs,
        groups=tuple(group_of[sign] for sign in signs),
    )


def _keywords(row: Mapping[str, list[str]]) -> str:
    """Join the keywords but the name itself, which CLDR often has among them."""
    name = (row.get("tts") or [""])[0].casefold()
    return ", ".join(word for word in row.get("default", ()) if word.casefold() != name)


def _annotations(folder: Path, language: str) -> dict[str, Any]:
    own = folder / "cldr-annotations-full" / "annotations" / language / "annotations.json"
    derived = folder / "cldr-annotations-derived-full" / "annotationsDerived" / language / "annotations.json"
    joined = read_json(derived)["annotationsDerived"]["annotations"] if derived.is_file() else {}
    return {**joined, **read_json(own)["annotations"]["annotations"]}


def read_json(path: Path, packages: str = _PACKAGES) -> Any:
    """Read a file of npm packages.

    Raises
    ------
    InvalidInputError
        If it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"expected data of emoji in {path}, which cannot be read ({error}); npm install {packages}, and "
            "give node_modules"
        ) from error
