"""Where a Milvus is: a URI whose user and password are taken out at once, and go along unseen."""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import unquote

from zeroshot_core.errors import InvalidInputError

__all__ = ["HiddenText", "Uri", "uri_and_token"]

Token = TypeVar("Token")

# Something else may be a password whose @ is missing, or percent-encoded.
_HOST = re.compile(r"(\[[^\[\]]*\]|[^:%\[\]]*)(:\d*)?")


class HiddenText:
    """A text that no repr, log, dump or pickle shows; after unpickling it is not there any more."""

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = text

    def get_secret_value(self) -> str | None:
        """Show it; None after unpickling."""
        return self._text

    def __repr__(self) -> str:
        return "HiddenText('**********')"

    def __reduce__(self) -> tuple[type[HiddenText], tuple[None]]:
        return HiddenText, (None,)

    def __copy__(self) -> HiddenText:
        return self

    def __deepcopy__(self, memo: object) -> HiddenText:
        return self


class Uri(str):
    """A URI without its user and password, which it carries along as a token.

    What is pickled, dumped or printed is the URI alone; a copy carries them too.
    """

    token: HiddenText | None

    def __new__(cls, uri: str) -> Uri:
        """Take user and password out of a URI; one that has been through this comes back as it is.

        Raises
        ------
        InvalidInputError
            If it can't be told where they end.
        """
        if isinstance(uri, cls):
            return uri
        address, credentials = _parted(uri)
        new = super().__new__(cls, address)
        new.token = None if credentials is None else HiddenText(credentials)
        return new

    def __reduce__(self) -> tuple[type[Uri], tuple[str]]:
        return Uri, (str(self),)

    def __copy__(self) -> Uri:
        return self

    def __deepcopy__(self, memo: object) -> Uri:
        return self


def uri_and_token(uri: str, token: Token | None = None) -> tuple[str, Token | str | None]:
    """Part a URI into the address and a token ``user:password``; a token that is given comes first.

    A query and a fragment are dropped: Milvus knows none, and they may hold a key.
    """
    if not (token is None or isinstance(token, str) or hasattr(token, "get_secret_value")):
        raise InvalidInputError(f"expected token as a text, got a {type(token).__name__}")
    address = Uri(uri)
    carried = None if address.token is None else address.token.get_secret_value()
    return str(address), carried if token is None or token == "" else token


def _parted(uri: str) -> tuple[str, str | None]:
    scheme, mark, rest = uri.partition("://")
    if not mark:
        # A path may hold an @; what is neither a path nor a server lacks its scheme, and is refused later.
        user, at, host = ("", "", uri) if uri.endswith(".db") else uri.rpartition("@")
        return host, unquote(user) if at else None
    netloc, *others = re.split("([/?#])", rest, maxsplit=1)
    if any("@" in part for part in others):
        # Whether what is before it is a host or a password can't be told, so none of it is shown.
        raise InvalidInputError(
            f"expected user and password of a uri with /, ? and # percent-encoded (urllib.parse.quote), got "
            f"{scheme}://...@{rest.rpartition('@')[2]}"
        )
    user, at, host = netloc.rpartition("@")
    if not _HOST.fullmatch(host):
        raise InvalidInputError(
            f"expected a uri as {scheme}://host:port, with user:password@ in front where there are any, got "
            "another, which is not shown, since it may hold a password"
        )
    path = "".join(others) if others[:1] == ["/"] else ""
    return f"{scheme}://{host}{re.split('[?#]', path)[0]}", unquote(user) if at else None
