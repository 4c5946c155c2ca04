"""Images as they are given, read and checked: a path, bytes, a data URI, a PIL image, or a URL if allowed."""

from __future__ import annotations

import base64
import binascii
import http.client
import io
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

import numpy as np

from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.files import digest

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ImageSource",
    "ReadImage",
    "image_digest",
    "is_image",
    "is_uri",
    "is_url",
    "kept_image",
    "read_image",
    "sent_image",
    "shown_image",
]

ImageSource: TypeAlias = Any
"""A path, bytes of a file, a data URI, a URL, or a PIL image."""

_MOST_BYTES = 256 * 2**20
_MOST_FETCHED = 32 * 2**20
_MOST_REDIRECTS = 3
# Pixels of an image that somebody else sent: few bytes may hold very many.
_MOST_SENT = 25_000_000
# Characters of a data URI that is kept in place of an image without a path.
_MOST_KEPT = 40_000
_DIGEST = "sha256:"
_SECONDS = 10.0
_LARGER = "make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
# Of Pillow's formats, those of pictures: others run programs (EPS) or follow files to others (FLI, WMF).
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
_IPV4_IN_IPV6 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16")))


@dataclass(frozen=True, kw_only=True)
class ReadImage:
    """A picture that was read whole.

    Parameters
    ----------
    pixels
        RGB, 8 bits a channel, upright; what was transparent is white.
    digest
        64 hexadecimal digits over the bytes of the file, or over the pixels of a PIL image.
    """

    pixels: Image
    digest: str


def is_uri(source: object) -> bool:
    """Whether a text is a data URI, a URL, or the digest of an image, and not the path of a file."""
    return is_url(source) or (isinstance(source, str) and source.lower().startswith(("data:", _DIGEST)))


def is_url(source: object) -> bool:
    """Whether a text is a URL, which something would have to be fetched from."""
    return isinstance(source, str) and source[:8].lower().startswith(("http://", "https://"))


def is_image(content: object) -> bool:
    """Whether it is an image by its type: a path of `os.PathLike`, bytes, or a PIL image; never a text."""
    return isinstance(content, os.PathLike | bytes) or _is_pil(content)


def read_image(source: ImageSource, *, allow_urls: bool = False) -> ReadImage:
    """Read a picture as an encoder takes it: RGB, upright by its EXIF, on white, 16 bits scaled to 8.

    Of an animation, the first picture counts.

    Parameters
    ----------
    source
        Path (a text, too), bytes of a file, data URI, PIL image, or URL.
    allow_urls
        Whether a URL is fetched. Addresses of this machine and of private networks never are, nor are
        redirects to them.

    Raises
    ------
    InvalidInputError
        If it is none of these, not there, damaged, truncated, or larger than `PIL.Image.MAX_IMAGE_PIXELS`.
    MissingExtraError
        If Pillow is not installed.
    """
    library = require("PIL.Image", extra="images")
    if _is_pil(source):
        return ReadImage(
            pixels=_checked(lambda: source, "the PIL image", library), digest=_pixel_digest(source)
        )
    content, name = _bytes_of(source, allow_urls=allow_urls)
    opened = _checked(lambda: _opened(content, library), name, library)
    return ReadImage(pixels=opened, digest=digest(content, n=64))


def sent_image(value: object) -> str:
    """Check an image that somebody else sent, by its size alone: nothing of it is decoded.

    Only a data URI is taken: a path or a URL would be opened here for whoever sent it.

    Raises
    ------
    InvalidInputError
        If it is none, no image of it is known, or it has more than 25,000,000 pixels.
    """
    if not isinstance(value, str) or not value[:11].lower().startswith("data:image/"):
        got = _head(value) if isinstance(value, str) and value[:5].lower() == "data:" else shown(value)
        raise InvalidInputError(
            f"expected an image as a data URI, data:image/png;base64,..., got {got}; no path or URL is "
            "opened for others: send the bytes of the file in base64"
        )
    content, name = _bytes_of(value, allow_urls=False)
    library = require("PIL.Image", extra="images")
    try:
        image = _opened(content, library)
    except library.DecompressionBombError as error:
        raise _too_large(_MOST_SENT, "far more", name, "send a smaller one") from error
    except Exception as error:  # whatever Pillow raises of a wrong header
        raise _damaged(name, error) from error
    if image.width * image.height > _MOST_SENT:
        raise _too_large(_MOST_SENT, f"{image.width:,} x {image.height:,}", name, "send a smaller one")
    return value


def shown_image(kept: str) -> str:
    """Name what `kept_image` wrote down, to those who need neither bytes nor folders.

    A URL is itself, a path the file's name, and a data URI the digest that `read_image` gives its bytes.
    """
    if is_url(kept) or kept.startswith(_DIGEST):
        return kept
    return _DIGEST + image_digest(kept) if is_uri(kept) else kept.replace("\\", "/").rpartition("/")[2]


def image_digest(source: ImageSource) -> str:
    """Tell images apart, 64 hexadecimal digits, without decoding or fetching: of a URL, by its address.

    Raises
    ------
    InvalidInputError
        If it is no image, or a file that is not there.
    """
    if is_url(source) or (isinstance(source, str) and source.startswith(_DIGEST)):
        return digest(source, n=64)
    return _pixel_digest(source) if _is_pil(source) else digest(_bytes_of(source, allow_urls=False)[0], n=64)


def kept_image(source: ImageSource) -> str:
    """Write down what an image is: its path or URI; of bytes and pixels a data URI, of large ones the digest.

    Raises
    ------
    InvalidInputError
        If bytes or pixels are no image that can be read.
    """
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    read = read_image(source)
    forms = [("png", {}), ("jpeg", {"quality": 95})]
    if isinstance(source, bytes):
        library = require("PIL.Image", extra="images")
        uri = _data_uri(str(library.open(io.BytesIO(source)).get_format_mimetype()), source)
        if len(uri) <= _MOST_KEPT:
            return uri
    for kind, options in forms:
        file = io.BytesIO()
        read.pixels.save(file, kind, **options)
        uri = _data_uri(f"image/{kind}", file.getvalue())
        if len(uri) <= _MOST_KEPT:
            return uri
    return _DIGEST + read.digest


def _data_uri(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _is_pil(source: object) -> bool:
    return any(f"{cls.__module__}.{cls.__qualname__}" == "PIL.Image.Image" for cls in type(source).__mro__)


def _pixel_digest(image: Any) -> str:
    try:
        return digest(f"{image.mode}{image.size}", image.tobytes(), n=64)
    except Exception as error:  # whatever Pillow's decoders raise, of one that was opened but not read yet
        raise _damaged("the PIL image", error) from error


def _opened(content: bytes, library: Any) -> Any:
    """Read the header of a file of one of the formats of pictures."""
    library.init()
    known = [each for each in _FORMATS if each in library.OPEN]
    return library.open(io.BytesIO(content), formats=known)


def _checked(opened: Callable[[], Any], name: str, library: Any) -> Image:
    """Open, check the size before anything is decoded, decode, and bring to RGB."""
    most = library.MAX_IMAGE_PIXELS
    try:
        image = opened()
        if most is None or image.width * image.height <= most:
            image.load()
            return _rgb(_upright(image), library)
    except library.DecompressionBombError as error:
        raise _too_large(most, "far more", name, _LARGER) from error
    except Exception as error:  # Pillow's decoders raise what they like: OSError, SyntaxError, struct.error
        raise _damaged(name, error) from error
    raise _too_large(most, f"{image.width:,} x {image.height:,}", name, _LARGER)


def _too_large(most: int, size: str, name: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"expected an image of at most {most:,} pixels, got {size} in {name}; {remedy}")


def _damaged(name: str, error: Exception) -> InvalidInputError:
    words = str(error) or type(error).__name__
    why = "no format of images that is known" if "cannot identify" in words else words
    return InvalidInputError(
        f"expected an image in {name}, got one that cannot be read ({why}); copy it again"
    )


def _upright(image: Any) -> Any:
    ops = require("PIL.ImageOps", extra="images")
    try:
        return ops.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing of the picture
        return image


def _rgb(image: Any, library: Any) -> Image:
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0).clip(0.0)
        largest = float(values.max(initial=0.0))
        scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        top = next((scale for scale in scales if largest <= scale), largest)
        image = library.fromarray((values * (255.0 / top)).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = library.new("RGBA", image.size, "white")
        image = library.alpha_composite(white, image)
    return image.convert("RGB")  # type: ignore[no-any-return]


def _bytes_of(source: ImageSource, *, allow_urls: bool) -> tuple[bytes, str]:
    """Bytes of a file, and what to call it in an error."""
    if isinstance(source, bytes):
        return source, f"the {len(source):,} bytes given"
    if isinstance(source, str) and is_uri(source):
        if source.startswith(_DIGEST):
            raise InvalidInputError(
                f"expected an image, got the digest {shown(source)} of one that was indexed as bytes or "
                "pixels and is too large to be kept; give items the paths of their images"
            )
        if not is_url(source):
            return _data_of(source), f"the data URI {_head(source)}"
        if not allow_urls:
            raise InvalidInputError(
                f"expected an image that is here, got the URL {shown(source)}; allow_urls=True has it fetched"
            )
        return _fetched(source), shown(source)
    if not isinstance(source, str | os.PathLike) or not os.fspath(source):
        raise InvalidInputError(
            "expected an image as a path, bytes, a data URI or a PIL image, got "
            f"{shown(source)} of type {type(source).__name__}"
        )
    return _file_of(source), shown(os.fspath(source))


def _file_of(source: str | os.PathLike[str]) -> bytes:
    name = os.fspath(source)
    try:
        path = Path(name)
        # A pipe or a device would never end.
        if path.exists() and not path.is_file():
            raise InvalidInputError(f"expected the file of an image, got {shown(name)}, which is none")
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise InvalidInputError(
                f"expected an image of at most {_MOST_BYTES >> 20} MiB, got {size >> 20} MiB in {shown(name)}"
            )
        return path.read_bytes()
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"expected the file of an image, got {shown(name)}, which cannot be read "
            f"({getattr(error, 'strerror', None) or error}); check the path"
        ) from error


def _data_of(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    try:
        if not comma:
            raise ValueError("without a comma")
        if head.lower().endswith(";base64"):
            return base64.b64decode(unquote_to_bytes(body), validate=True)
        return unquote_to_bytes(body)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(
            f"expected a data URI of an image, as data:image/png;base64,..., got {_head(uri)} ({error})"
        ) from error


def _head(uri: str) -> str:
    """Show a data URI without what it holds."""
    head, comma, _ = uri[:100].partition(",")
    return shown(f"{head[:60]}{comma and ',...'}")


def _fetched(url: str) -> bytes:
    """Fetch a URL from a public address, following few redirects, each checked as the first one."""
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            status, location, body = _response(urlsplit(url))
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"expected an image at {shown(url)}, got no answer ({error})") from error
        if status == 200:
            return body
        if status not in {301, 302, 303, 307, 308} or not location:
            raise InvalidInputError(f"expected an image at {shown(url)}, got the answer {status}")
        url = urljoin(url, location)
    raise InvalidInputError(f"expected an image at {shown(url)}, got more than {_MOST_REDIRECTS} redirects")


def _response(parts: SplitResult) -> tuple[int, str | None, bytes]:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInputError(f"expected a URL of http or https, got {shown(parts.geturl())}")
    is_safe = parts.scheme == "https"
    port = parts.port or (443 if is_safe else 80)
    # The connection goes to the address that was checked: a name that is asked twice may lead elsewhere.
    wire = socket.create_connection((_public_address(parts.hostname, port), port), timeout=_SECONDS)
    if is_safe:
        wire = ssl.create_default_context().wrap_socket(wire, server_hostname=parts.hostname)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=_SECONDS)
    connection.sock = wire
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "GET", target, headers={"Host": parts.netloc.rpartition("@")[2], "Accept": "image/*"}
        )
        response = connection.getresponse()
        return response.status, response.getheader("Location"), _body(response)
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse) -> bytes:
    """Read the body of an answer within bounds of size and time: a slow one would hold a thread for ever."""
    end, parts, size = time.monotonic() + 3 * _SECONDS, [], 0
    while part := response.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > _MOST_FETCHED or time.monotonic() > end:
            raise ValueError(f"more than {_MOST_FETCHED >> 20} MiB or {3 * _SECONDS:g} seconds")
    return b"".join(parts)


def _public_address(host: str, port: int) -> str:
    """Resolve a name; all its addresses have to be of the public internet."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise InvalidInputError(
                f"expected a URL of the public internet, got {shown(host)}, which is {address}; give "
                "the file itself"
            )
    return found[0]


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if any(address in network for network in _IPV4_IN_IPV6):
            return False
    return address.is_global and not address.is_multicast
