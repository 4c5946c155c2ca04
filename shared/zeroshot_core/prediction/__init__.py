"""Heads that turn evidence into numbers, labels and rankings; saved models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.prediction.classifier import ZeroShotClassifier
    from zeroshot_core.prediction.detector import NoveltyDetector
    from zeroshot_core.prediction.finding_likelihood import Telling
    from zeroshot_core.prediction.findings import Findings
    from zeroshot_core.prediction.loading import load_model
    from zeroshot_core.prediction.opening import open_encoder, open_model, open_retriever
    from zeroshot_core.prediction.prompt_settings import Prompting
    from zeroshot_core.prediction.prompted import PromptedClassifier
    from zeroshot_core.prediction.prompting import label_questions
    from zeroshot_core.prediction.ranker import ZeroShotRanker
    from zeroshot_core.prediction.regressor import ZeroShotRegressor
    from zeroshot_core.prediction.wording import path_in_words, prediction_in_words

# The estimators stand on scikit-learn, which takes longer to import than a framework does.
_MODULES = {
    "ZeroShotClassifier": "classifier",
    "NoveltyDetector": "detector",
    "Telling": "finding_likelihood",
    "Findings": "findings",
    "load_model": "loading",
    "open_encoder": "opening",
    "open_model": "opening",
    "open_retriever": "opening",
    "PromptedClassifier": "prompted",
    "Prompting": "prompt_settings",
    "label_questions": "prompting",
    "ZeroShotRanker": "ranker",
    "ZeroShotRegressor": "regressor",
    "path_in_words": "wording",
    "prediction_in_words": "wording",
}

__all__ = [
    "Findings",
    "NoveltyDetector",
    "PromptedClassifier",
    "Prompting",
    "Telling",
    "ZeroShotClassifier",
    "ZeroShotRanker",
    "ZeroShotRegressor",
    "label_questions",
    "load_model",
    "open_encoder",
    "open_model",
    "open_retriever",
    "path_in_words",
    "prediction_in_words",
]

__getattr__ = opens(__name__, _MODULES)
