"""Reading images: what is refused, and what every picture becomes."""

import base64
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from zeroshot_core import images
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import image_digest, read_image

Image = pytest.importorskip("PIL.Image")


def picture(
    mode: str = "RGB", size: tuple[int, int] = (8, 4), colour: object = (200, 30, 40)
) -> "Image.Image":
    return Image.new(mode, size, colour)


def encoded(image: "Image.Image", kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixel(source: object) -> tuple[int, int, int]:
    return read_image(source).pixels.getpixel((0, 0))


def test_a_path_bytes_a_data_uri_and_a_pil_image_are_the_same_picture(tmp_path: Path) -> None:
    content = encoded(picture())
    path = tmp_path / "red one.png"
    path.write_bytes(content)
    uri = "data:image/png;base64," + base64.b64encode(content).decode()

    read = [read_image(source) for source in (path, str(path), content, uri)]

    assert len({each.digest for each in read}) == 1
    assert {image_digest(source) for source in (path, content, uri)} == {read[0].digest}
    assert {pixel(source) for source in (path, content, uri, picture())} == {(200, 30, 40)}


def test_a_picture_stands_upright_on_white_in_eight_bits() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways
    turned = read_image(encoded(picture(size=(8, 4)), "JPEG", exif=exif)).pixels
    deep = Image.fromarray(np.full((4, 4), 32768, np.uint16))
    palette = picture("P", colour=0)

    assert turned.size == (4, 8)
    assert pixel(encoded(picture("RGBA", colour=(0, 0, 0, 0)))) == (255, 255, 255)
    assert pixel(encoded(palette, transparency=0)) == (255, 255, 255)
    assert pixel(encoded(deep))[0] == 128
    assert pixel(Image.fromarray(np.full((4, 4), 0.5, np.float32))) == (128, 128, 128)
    red = pixel(encoded(picture("CMYK", colour=(0, 255, 255, 0)), "JPEG", quality=95))
    assert red[0] > 240
    assert max(red[1:]) < 15


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encoded(picture(size=(64, 64)), "JPEG")[:-200], "(?i)truncated"),
        (b"<svg/>", "no format of images that is known"),
        (b"", "no format of images that is known"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)

    with pytest.raises(InvalidInputError, match=words) as raised:
        read_image(path)

    assert "broken.jpg" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(picture(size=(100, 100))))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))

    with pytest.raises(InvalidInputError, match=r"(pixels|exceeds limit).*"):
        read_image(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/no/such/dog.png", "/no/such/dog.png.*check the path"),
        ("", "a path, bytes, a data URI or a PIL image"),
        (3, "a path, bytes, a data URI or a PIL image"),
        ("a\0b", "check the path"),
        ("/dev/null", "which is none"),
        ("data:image/png;base64,%%%", "a data URI of an image"),
        ("https://example.org/dog.png", "allow_urls=True"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(source: object, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_image(source)


class _Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/inward":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/secret")
            self.end_headers()
            return
        body = encoded(picture())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> str:
    _Handler.asked.clear()
    with HTTPServer(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_private_address_is_never_asked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "192.168.0.9",
        "169.254.169.254",
        "0.0.0.0",
    ]
    for url in [server, *(f"http://{host}/a.png" for host in hosts)]:
        with pytest.raises(InvalidInputError, match=r"public internet|no answer"):
            read_image(url, allow_urls=True)
    # A name may lead anywhere.
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(InvalidInputError, match="public internet"):
        read_image("http://pictures.example/a.png", allow_urls=True)

    assert _Handler.asked == []


def test_an_allowed_url_is_fetched_but_no_redirect_inward(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_public = images._is_public
    monkeypatch.setattr(
        images, "_is_public", lambda address: str(address) == "127.0.0.1" or is_public(address)
    )

    assert pixel_of_url(f"{server}/red.png") == (200, 30, 40)
    with pytest.raises(InvalidInputError, match="public internet"):
        read_image(f"{server}/inward", allow_urls=True)
    assert _Handler.asked == ["/red.png", "/inward"]


def pixel_of_url(url: str) -> tuple[int, int, int]:
    return read_image(url, allow_urls=True).pixels.getpixel((0, 0))
