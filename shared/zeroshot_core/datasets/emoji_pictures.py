"""Pictures of emoji in two styles, with their names in many languages.

The npm packages ``emoji-datasource-google`` (pictures Apache-2.0) and ``emoji-datasource-twitter`` (CC BY
4.0) bring the pictures, 64 by 64; those that `load_emoji_names` reads bring names, keywords and groups.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from zeroshot_core import checks
from zeroshot_core.datasets.emoji_names import load_emoji_names, read_json
from zeroshot_core.errors import InvalidInputError

__all__ = ["EmojiPictures", "EmojiStyle", "load_emoji_pictures"]

EmojiStyle: TypeAlias = Literal["google", "twitter"]
_LICENCES = {"google": "Google's emoji, Apache-2.0", "twitter": "Twitter's emoji (Twemoji), CC BY 4.0"}


@dataclass(frozen=True, kw_only=True)
class EmojiPictures:
    """Pictures, and what they show, in one order; each field of shape (n,).

    Parameters
    ----------
    names
        By language, English among them; an empty text where a language has none.
    captions
        In English: the name, and the keywords if there are any.
    groups
        Of Unicode, in words, such as ``"animal bird"``.
    licence
        Who made the pictures, and the terms.
    """

    pictures: tuple[Path, ...]
    names: Mapping[str, tuple[str, ...]]
    captions: tuple[str, ...]
    groups: tuple[str, ...]
    licence: str = ""


def load_emoji_pictures(
    folder: str | os.PathLike[str], languages: Sequence[str], *, style: EmojiStyle = "google"
) -> EmojiPictures:
    """Read what there is a picture of.

    Parameters
    ----------
    folder
        A ``node_modules`` with the npm packages of the pictures and of the names.
    languages
        Codes as CLDR has them; English always comes too.

    Raises
    ------
    InvalidInputError
        If a language or a file is not there.
    """
    checks.choice("style", style, get_args(EmojiStyle))
    root = checks.path("folder", folder)
    data = load_emoji_names(languages, folder=root)
    package = root / f"emoji-datasource-{style}"
    files = {
        "".join(chr(int(code, 16)) for code in row["unified"].split("-")).replace("\ufe0f", ""): row["image"]
        for row in read_json(package / "emoji.json", f"emoji-datasource-{style}")
        if row[f"has_img_{style}"]
    }
    kept = [place for place, sign in enumerate(data.signs) if sign in files]
    if not kept:
        raise InvalidInputError(f"expected pictures of emoji in {package}, got none that has a name")
    english, keywords = data.names["en"], data.keywords["en"]
    return EmojiPictures(
        pictures=tuple(package / "img" / style / "64" / files[data.signs[place]] for place in kept),
        names={code: tuple(texts[place] for place in kept) for code, texts in data.names.items()},
        captions=tuple(": ".join(filter(None, (english[place], keywords[place]))) for place in kept),
        groups=tuple(data.groups[place].replace("-", " ") for place in kept),
        licence=_LICENCES[style],
    )
