import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.report import Calibration, Example, MetricColumn, MetricRow, ReportData, write_report
from zeroshot_core.types import Evidence, Hit, Prediction, Relation

PATH = (
    Relation(head="query", type="mentions", tail="product_type:LAGER"),
    Relation(head="product_type:LAGER", type="product_category", tail="product_category:BEER"),
    Relation(head="ale", type="product_category", tail="product_category:BEER"),
)


class Page(HTMLParser):
    """Collects tags, ids and text, and insists that tags close in order."""

    VOID = frozenset({"meta", "link", "br", "img"})

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
    rng = np.random.default_rng(0)
    truth = np.round(rng.lognormal(2, 1.5, size=2000))
    evidence = Evidence(
        items=(
            Hit(
                id="ale", kind="item", score=0.83, text="ale, beer & $ales$", parts={"graph": 0.3}, path=PATH
            ),
            Hit(id="stout", kind="item", score=0.71, text="stout <b>dark</b>", parts={"vector": 0.71}),
        ),
        concepts=(Hit(id="product_type:LAGER", kind="concept", score=0.9, text="LAGER", path=PATH[:1]),),
    )
    prediction = Prediction(id="new", value=12.4, interval=(2.0, 96.0), coverage=0.9, evidence=evidence)
    return ReportData(
        title="Demand of new products <script>alert(1)</script>",
        facts={"split": "lines & types", "seed": "0"},
        notes=("The graph lowers the error by 3 < 5 points.",),
        columns=(
            MetricColumn(key="rmsle", label="RMSLE"),
            MetricColumn(key="spearman", label="Spearman", best="high"),
            MetricColumn(key="coverage_90", label="coverage", best=0.9),
            MetricColumn(key="width_90", label="width", best=None),
        ),
        rows=(
            MetricRow(
                name="ours",
                values={"rmsle": 1.3, "spearman": 0.55, "coverage_90": 0.91, "width_90": 250.0},
                is_ours=True,
            ),
            MetricRow(name="constant", values={"rmsle": 1.6, "spearman": 0.0, "coverage_90": 0.99}),
        ),
        truth=truth,
        forecast=truth * rng.lognormal(0, 0.7, size=2000),
        calibration=Calibration(nominal=np.array([0.5, 0.8, 0.9]), observed=np.array([0.52, 0.79, 0.88])),
        example=Example(text="lager 日本 & more", truth=9.0, prediction=prediction, values={"ale": 14.0}),
    )


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
    assert not re.findall(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import""", html)
    assert not {"link", "script", "img", "iframe"} & {tag for tag, _ in Page(html).tags}


def test_references_inside_figures_find_their_targets(html):
    targets = set(re.findall(r"url\(#([^)]+)\)", html)) | set(re.findall(r'href="#([^"]+)"', html))
    assert targets
    assert targets <= set(Page(html).ids)


def test_texts_are_escaped_and_shown_as_they_were(html):
    text = Page(html).text
    assert "<script>alert(1)</script>" in text
    assert "ale, beer & $ales$" in text
    assert text.count("stout <b>dark</b>") == 3  # in the graph, in its tooltip, and in the table
    assert "lager 日本 & more" in text
    assert "<script>" not in html


def test_best_of_each_column_is_bold_and_ours_stands_apart(html):
    ours = re.search(r'<tr class="ours">(.*?)</tr>', html)[1]
    assert "<b>1.300</b>" in ours
    assert "<b>0.550</b>" in ours
    assert "<b>0.910</b>" in ours
    assert "<td>250.0</td>" in ours
    assert "<b>0.990</b>" not in html


def test_example_states_forecast_interval_and_truth(html):
    expected = "forecast 12.4 units, with 90% probability between 2 and 96; true were 9."
    assert expected in Page(html).text


def test_graph_shows_relations_in_full_and_similarity_dashed(html):
    drawing = re.search(r'<figure class="paths">(.*?)</figure>', html, flags=re.DOTALL)[1]
    assert drawing.count('class="dashed"') == 1
    assert drawing.count("<path") == 4
    assert "BEER" in drawing
    assert "0.71" in drawing


def test_neighbours_show_parts_of_the_score_and_known_values(html):
    table = html[html.rindex("<table>") :]
    assert "<th>graph</th><th>vector</th><th>units</th>" in table
    assert "<td>14</td>" in table


def test_figures_take_their_colours_from_the_page(html):
    assert "prefers-color-scheme: dark" in html
    assert "var(--accent)" in html
    assert "#123456" not in html
    assert "#654321" not in html


def test_forecast_without_evidence_still_makes_a_page(data, tmp_path):
    bare = replace(data.example, prediction=Prediction(id="new", value=3.0))
    write_report(tmp_path / "report.html", replace(data, example=bare))
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
