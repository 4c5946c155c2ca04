"""Heads that turn evidence into numbers, labels and rankings; saved models."""

from zeroshot_core.prediction.classifier import ZeroShotClassifier
from zeroshot_core.prediction.detector import NoveltyDetector
from zeroshot_core.prediction.finding_likelihood import Telling
from zeroshot_core.prediction.findings import Findings
from zeroshot_core.prediction.loading import load_model
from zeroshot_core.prediction.opening import open_encoder, open_model, open_retriever
from zeroshot_core.prediction.prompted import PromptedClassifier
from zeroshot_core.prediction.prompting import Prompting, label_questions
from zeroshot_core.prediction.ranker import ZeroShotRanker
from zeroshot_core.prediction.regressor import ZeroShotRegressor
from zeroshot_core.prediction.wording import path_in_words, prediction_in_words

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
