"""Metrics, baselines and the protocols that measure predictions for new things."""

from zeroshot_core.evaluation.cross_lingual import LanguagesReport, Recall, evaluate_languages
from zeroshot_core.evaluation.cross_modal import ImagesReport, evaluate_images
from zeroshot_core.evaluation.demand import DATA_SETS, DemandReport, evaluate_catalogue, evaluate_demand
from zeroshot_core.evaluation.multilingual_texts import (
    MultilingualReport,
    MultilingualText,
    evaluate_multilingual_texts,
)
from zeroshot_core.evaluation.patients import Patient, read_patients, simulate_patients, told_in_words
from zeroshot_core.evaluation.rare_disease import RareDiseaseReport, evaluate_rare_diseases
from zeroshot_core.evaluation.splits import SPLITS, Split, split_catalogue, split_product_lines

__all__ = [
    "DATA_SETS",
    "SPLITS",
    "DemandReport",
    "ImagesReport",
    "LanguagesReport",
    "MultilingualReport",
    "MultilingualText",
    "Patient",
    "RareDiseaseReport",
    "Recall",
    "Split",
    "evaluate_catalogue",
    "evaluate_demand",
    "evaluate_images",
    "evaluate_languages",
    "evaluate_multilingual_texts",
    "evaluate_rare_diseases",
    "read_patients",
    "simulate_patients",
    "split_catalogue",
    "split_product_lines",
    "told_in_words",
]
