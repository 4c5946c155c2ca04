"""Training: contrastive objectives, hard negatives from the live index, and tuning with a guard."""

from zeroshot_core.training.constraints import Constraints, SideExamples, graph_constraints
from zeroshot_core.training.mining import HardNegatives, mine_hard_negatives
from zeroshot_core.training.objectives import (
    constraint_loss,
    graded_similarity_loss,
    supervised_contrastive_loss,
)
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tuning import TuningReport, tune_encoder

__all__ = [
    "Constraints",
    "HardNegatives",
    "SideExamples",
    "TrainingPlan",
    "TuningReport",
    "constraint_loss",
    "graded_similarity_loss",
    "graph_constraints",
    "mine_hard_negatives",
    "supervised_contrastive_loss",
    "tune_encoder",
]
