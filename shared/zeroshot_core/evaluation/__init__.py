"""Metrics, baselines and the protocols that measure forecasts of new things."""

from zeroshot_core.evaluation.demand import DemandReport, evaluate_demand
from zeroshot_core.evaluation.splits import SPLITS, Split, split_product_lines

__all__ = ["SPLITS", "DemandReport", "Split", "evaluate_demand", "split_product_lines"]
