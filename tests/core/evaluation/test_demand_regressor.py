import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.evaluation import evaluate_demand
from zeroshot_core.evaluation.illustration import illustrate
from zeroshot_core.report import write_report


@pytest.mark.slow
def test_regressor_is_evaluated_and_illustrated_end_to_end(product_lines, tmp_path):
    sample = product_lines.take(np.random.default_rng(0).choice(len(product_lines), 400, replace=False))
    report = evaluate_demand("types", encoder=HashEncoder(), lines=sample, tune="head")
    assert report.scores.rmsle < report.baselines["constant"].rmsle
    tuned = report.to_dict()["tuned"]
    assert tuned["tune"] == "head"
    assert tuned["difference"] == pytest.approx(tuned["rmsle"] ** 2 - report.scores.rmsle**2)
    assert tuned["interval"][0] <= tuned["difference"] <= tuned["interval"][1]
    write_report(tmp_path / "report.html", illustrate(report))
    assert "zero-shot regressor" in (tmp_path / "report.html").read_text(encoding="utf-8")
