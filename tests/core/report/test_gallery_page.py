"""The page of pictures found by words: whole in itself, whatever it shows."""

import base64
import io

import pytest
from PIL import Image
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.report import FoundPicture, Gallery, GalleryQuery, write_gallery


def picture(name, shade):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(file, "png")
    return FoundPicture(
        image=f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}", name=name
    )


def page(tmp_path, **parts):
    path = tmp_path / "gallery.html"
    write_gallery(path, Gallery(title="Found <by> words", **parts))
    return path.read_text(encoding="utf-8")


def test_each_query_is_in_its_language_with_pictures_that_have_a_name(tmp_path):
    queries = [
        GalleryQuery(
            language="ar", text="زهرة", meaning="flower", found=[picture("rose", 9), picture("tulip", 8)]
        ),
        GalleryQuery(language="en", text="nothing"),
    ]
    html = page(tmp_path, queries=queries, facts={"seed": "0"}, notes=["Pictures: ours, CC0."])
    assert '<h2><span lang="ar" dir="auto">زهرة</span> <small>flower</small></h2>' in html
    assert html.index('alt="rose"') < html.index('alt="tulip"')
    assert '<h2><span lang="en" dir="auto">nothing</span></h2><ol></ol>' in html
    assert "Pictures: ours, CC0." in html
    assert "<dt>seed</dt><dd>0</dd>" in html


def test_every_text_is_escaped_and_nothing_is_loaded(tmp_path):
    odd = '"><script>alert(1)</script>$x'
    query = GalleryQuery(language=odd, text=odd, meaning=odd, found=[picture(odd, 1)])
    html = page(tmp_path, queries=[query], summary=odd, facts={odd: odd}, notes=[odd])
    assert "<script" not in html
    assert "http" not in html
    assert "Found &lt;by&gt; words" in html
    with pytest.raises(InvalidInputError, match="as a data URI, got 'https:"):
        FoundPicture(image="https://a.b/c.png", name="a")
