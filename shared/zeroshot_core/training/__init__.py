"""Training: contrastive objectives, hard negatives from the live index, and tuning with a guard."""

from zeroshot_core.training.mining import HardNegatives, mine_hard_negatives
from zeroshot_core.training.objectives import graded_similarity_loss, supervised_contrastive_loss
from zeroshot_core.training.tuning import TuningReport, tune_encoder

__all__ = [
    "HardNegatives",
    "TuningReport",
    "graded_similarity_loss",
    "mine_hard_negatives",
    "supervised_contrastive_loss",
    "tune_encoder",
]
