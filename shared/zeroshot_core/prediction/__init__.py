"""What predicts numbers, labels, rankings and novelty, in one place; saved models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.explain.wording import contributions_in_words, path_in_words, prediction_in_words
    from zeroshot_core.novelty.detector import NoveltyDetector
    from zeroshot_core.prompting.label_prompts import label_questions
    from zeroshot_core.prompting.prompt_settings import Prompting
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier
    from zeroshot_core.ranking.findings import Findings
    from zeroshot_core.ranking.likelihood import Telling
    from zeroshot_core.ranking.ranker import ZeroShotRanker
    from zeroshot_core.regression.contributions import Contributions
    from zeroshot_core.regression.regressor import ZeroShotRegressor
    from zeroshot_core.regression.totals import GroupTotal
    from zeroshot_core.serving.dataset_prediction import predict_dataset, predict_files
    from zeroshot_core.serving.loading import load_model, open_encoder, open_model, open_retriever
    from zeroshot_core.types import predictions_frame

# The estimators stand on scikit-learn, which takes longer to import than a framework does. lazy_loader opens
# modules of the package itself alone, and these are its neighbours.
_MODULES = {
    "Contributions": "regression.contributions",
    "ZeroShotClassifier": "classification.classifier",
    "NoveltyDetector": "novelty.detector",
    "Telling": "ranking.likelihood",
    "Findings": "ranking.findings",
    "GroupTotal": "regression.totals",
    "load_model": "serving.loading",
    "open_encoder": "serving.loading",
    "open_model": "serving.loading",
    "open_retriever": "serving.loading",
    "PromptedClassifier": "prompting.prompted_classifier",
    "Prompting": "prompting.prompt_settings",
    "label_questions": "prompting.label_prompts",
    "ZeroShotRanker": "ranking.ranker",
    "ZeroShotRegressor": "regression.regressor",
    "contributions_in_words": "explain.wording",
    "path_in_words": "explain.wording",
    "prediction_in_words": "explain.wording",
    "predict_dataset": "serving.dataset_prediction",
    "predict_files": "serving.dataset_prediction",
    "predictions_frame": "types",
}

__all__ = [
    "Contributions",
    "Findings",
    "GroupTotal",
    "NoveltyDetector",
    "PromptedClassifier",
    "Prompting",
    "Telling",
    "ZeroShotClassifier",
    "ZeroShotRanker",
    "ZeroShotRegressor",
    "contributions_in_words",
    "label_questions",
    "load_model",
    "open_encoder",
    "open_model",
    "open_retriever",
    "path_in_words",
    "predict_dataset",
    "predict_files",
    "prediction_in_words",
    "predictions_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"zeroshot_core.{_MODULES[name]}"), name)
