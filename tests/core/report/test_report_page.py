import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_samples import contributions, report_data
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.report import write_report
from zeroshot_core.report.page import render_report
from zeroshot_core.types import Prediction


class Page(HTMLParser):
    """Collects tags, ids and text, and insists that tags close in order."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.ids, self.text = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def data():
    return report_data()


@pytest.fixture(scope="module")
def html(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, data)
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def test_page_is_well_formed_and_ids_are_unique(html):
    page = Page(html)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_page_loads_nothing_from_elsewhere(html):
    assert not re.findall(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import|fetch\(|XMLHttp""", html)
    assert not {"link", "img", "iframe"} & {tag for tag, _ in Page(html).tags}


def test_references_inside_figures_find_their_targets(html):
    targets = set(re.findall(r"url\(#([^)]+)\)", html)) | set(re.findall(r'href="#([^"]+)"', html))
    assert targets
    assert targets <= set(Page(html).ids)


def test_texts_are_escaped_and_shown_as_they_were(html):
    text = Page(html).text
    assert text.count("<script>alert(1)</script>") >= 3  # in the title, a forecast and an example
    assert "ale, beer & $ales$" in text
    assert "stout <b>dark</b>" in text
    assert "lager 日本 & more" in text
    assert "<script>alert" not in html
    assert html.count("<script") == 1


def test_it_opens_with_what_was_asked_and_explains_its_measures(html):
    page = re.sub(r"<[^>]+>", "", html[html.index("</h1>") :]).strip()
    assert page.startswith("Asked for the units of 2 items")
    assert "RMSLE: root mean squared error of logs" in Page(html).text


def test_best_of_each_column_is_bold_and_ours_stands_apart(html):
    ours = re.search(r'<tr class="ours">(.*?)</tr>', html)[1]
    assert "<b>1.300</b>" in ours
    assert "<b>0.550</b>" in ours
    assert "<b>0.910</b>" in ours
    assert "<span>250.0</span>" in ours
    assert "<b>0.990</b>" not in html


def test_example_states_forecast_interval_and_truth(html):
    expected = "forecast 12.4 units, with 90% probability between 2 and 96; true were 9."
    assert expected in Page(html).text


def test_what_moved_a_forecast_is_drawn_and_told(html):
    bars = re.search(r'<ul class="bars">(.*?)</ul>', html)[1]
    assert re.findall(r"<li><span>(.*?)</span>", bars) == [
        "the nearest known items",
        "product type: LAGER &lt;3",
        "price 3.99",
    ]
    assert re.findall(r"<span>([^<]*)</span></li>", bars) == ["4.5 times", "+40%", "-12%"]
    assert "product type: LAGER <3 raised it by 40%, price 3.99 lowered it by 12%" in Page(html).text


def ways(html):
    return [
        " ".join(re.sub(r"<[^>]+>", "", way).split())
        for way in re.findall(r"<li>(.*?)</li>", re.search(r'<ul class="ways">(.*?)</ul>', html)[1])
    ]


def test_paths_lead_to_known_items_by_their_names(html):
    assert ways(html) == [
        "the new item mentions → LAGER product category → product_category:BEER ← product category "
        "ale, beer &amp; $ales$"
    ]


def test_without_items_paths_lead_to_concepts_near_or_mentioned_that_score_something(data):
    evidence = replace(data.examples[0].prediction.evidence, items=())
    bare = replace(data.examples[0], prediction=replace(data.examples[0].prediction, evidence=evidence))
    html = render_report(replace(data, examples=(bare,), forecasts=()))
    assert ways(html) == [
        "the new item mentions → LAGER",
        "the new item near → STOUT",
        "the new item mentions → &quot;&gt;&lt;b&gt;",
    ]
    assert "PETS" not in html


def test_neighbours_show_parts_of_the_score_and_known_values(html):
    assert "<th>graph</th><th>vector</th><th>units</th>" in html
    assert "<span>14</span>" in html


def test_totals_say_how_many_intervals_held(html):
    text = Page(html).text
    assert "Totals by department" in text
    assert "The intervals hold the true sum of 1 of 2 groups" in text
    assert html.count('<tr class="missed">') == 1


def test_nothing_is_a_negative_zero(html):
    assert not re.search(r">-0(\.0*)?<", html)


def test_figures_take_their_colours_from_the_page(html):
    assert "prefers-color-scheme: dark" in html
    assert "var(--accent)" in html
    assert "#123456" not in html
    assert "#654321" not in html


def test_forecast_without_evidence_still_makes_a_page(data, tmp_path):
    bare = replace(data.examples[0], prediction=Prediction(id="new", value=3.0))
    write_report(tmp_path / "report.html", replace(data, examples=(bare,), forecasts=(bare,)))
    assert "forecast 3 units; true were" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_report_of_two_runs_is_the_same_file(data, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, data)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("forecast", "message"),
    [([1.0], r"got shapes \(2000,\) and \(1,\)"), ([-1.0] * 2000, "at least 0 for log axes, got -1")],
)
def test_arrays_that_cannot_be_plotted_are_refused(data, forecast, message):
    with pytest.raises(InvalidInputError, match=message):
        replace(data, forecast=np.array(forecast))


def test_reasons_say_what_they_lead_from_and_to() -> None:
    page = render_report(report_data())
    moved = sum(each.amount for each in contributions())

    assert "These lead from the 20 units of a typical known item to " in page
    assert f" to {21 * math.exp(moved) - 1:.0f}, the geometric mean" in page
    assert "Forecasts are means, which add up." in page
