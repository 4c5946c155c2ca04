"""The report as people see it: in a browser, wide and narrow, by day and by night."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import report_data
from zeroshot_core.report import FoundPicture, Gallery, GalleryQuery, write_gallery, write_report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="expected Debian's chromium; 'make browser' installs it"
)

WIDTHS, SCHEMES, N_FORECASTS = (1440, 500), ("light", "dark"), 40
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 30)"}
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAP8AACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
# What sticks out of the page, is cut off inside of a box, or has a column too narrow for its words.
OVERFLOWING = """() => {
  const root = document.documentElement, found = [];
  if (root.scrollWidth > root.clientWidth) found.push("page " + root.scrollWidth + " > " + root.clientWidth);
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg, script") || !element.offsetParent) continue;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const name = element.tagName + " " + element.className + " " + element.textContent.slice(0, 30);
    const head = element.closest("thead");
    // Heads of narrow tables are there for screen readers alone: each cell shows its own.
    if (head && getComputedStyle(head).clipPath !== "none") continue;
    if (box.right > root.clientWidth + 1 || box.left < -1) found.push("outside: " + name);
    const is_text = element.matches("td, th, p, li, dd") && element.textContent.trim().length > 12;
    if (is_text && element.clientWidth < 90) found.push("squeezed: " + name);
    const is_box = style.display !== "inline";
    if (is_box && element.scrollWidth > element.clientWidth + 1) found.push("cut: " + name);
  }
  return found;
}"""
STRUCK_THROUGH = """() => {
  const labels = [...document.querySelectorAll(".ways .edge")].map((each) => each.getBoundingClientRect());
  const nodes = [...document.querySelectorAll(".ways span:not(.edge)")];
  const boxes = nodes.flatMap((each) => [...each.getClientRects()]);
  const meet = (a, b, from, to) => a[from] < b[to] - 1 && b[from] < a[to] - 1;
  const cross = (a, b) => meet(a, b, "left", "right") && meet(a, b, "top", "bottom");
  return labels.filter((label) => boxes.some((box) => cross(label, box))).length;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(path, report_data(N_FORECASTS))
    return path.as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The report in a window of the first width; it asks nobody for anything, and its script has no error."""
    opened = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
    asked, errors = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: errors.append(dialog.message))
    opened.goto(address)
    yield opened
    assert asked == [address]
    assert errors == []
    opened.close()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("browser") / "gallery.html"
    found = [FoundPicture(image=DOT, name=name) for name in ("rose", "a hat of the world's longest name") * 6]
    queries = [
        GalleryQuery(language="ar", text="زهرة", meaning="flower", found=found),
        GalleryQuery(language="zh", text="海里的动物", found=found),
    ]
    write_gallery(path, Gallery(title="Found", queries=queries, facts={"seed": "0"}, notes=["CC0."]))
    return path.as_uri()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_gallery_shows_every_picture_and_asks_nobody(
    browser: Any, gallery: str, width: int, scheme: str
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(gallery)
    assert [url for url in asked if not url.startswith("data:")] == [gallery]
    assert opened.evaluate(OVERFLOWING) == []
    shown = "[...document.images].map((each) => each.complete && each.naturalWidth > 0 && each.width >= 60)"
    assert opened.evaluate(shown) == [True] * 24
    assert opened.get_by_role("img", name="rose").count() == 12
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == BACKGROUNDS[scheme]
    opened.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_or_sticks_out(page: Any, width: int, scheme: str, tmp_path: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    picture = tmp_path / f"report-{width}-{scheme}.png"
    page.screenshot(path=picture, full_page=True)

    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(STRUCK_THROUGH) == 0
    assert picture.stat().st_size > 20_000


def test_day_and_night_differ(page: Any) -> None:
    colours = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert colours == [BACKGROUNDS[scheme] for scheme in SCHEMES]


def shown(page: Any, column: int) -> list[str]:
    cells = page.locator(f"#forecasts tbody tr:visible td:nth-child({column})")
    return [text.strip() for text in cells.all_inner_texts()]


@pytest.mark.parametrize("width", WIDTHS)
def test_forecasts_are_found_by_words_in_any_order(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert len(shown(page, 1)) == N_FORECASTS

    page.get_by_label("Search").fill("BOTTLE pale")

    found = shown(page, 1)
    assert len(found) == 8
    assert all("pale" in text and "bottle" in text for text in found)
    assert page.locator("#count").inner_text() == f"8 of {N_FORECASTS}"
    page.get_by_label("Search").fill("")
    assert len(shown(page, 1)) == N_FORECASTS


@pytest.mark.parametrize("width", WIDTHS)
def test_forecasts_are_sorted_as_numbers_up_and_down(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    truth = [float(text.replace(",", "")) for text in shown(page, 4)]
    assert truth != sorted(truth)

    head = page.get_by_role("button", name="truth")
    head.click()
    assert [float(text.replace(",", "")) for text in shown(page, 4)] == sorted(truth)
    head.click()
    assert [float(text.replace(",", "")) for text in shown(page, 4)] == sorted(truth, reverse=True)
    assert page.locator("#forecasts th[aria-sort=descending]").inner_text().startswith("truth")
    page.get_by_role("button", name="new item").click()
    texts = [text.lower() for text in shown(page, 1)]
    assert texts == sorted(texts)
