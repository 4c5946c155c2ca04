"""Training: contrastive objectives, hard negatives from the live index, and tuning with a guard."""

from zeroshot_core.training.bridge_fitting import BridgeReport, fit_bridge
from zeroshot_core.training.constraints import Constraints, SideExamples, graph_constraints
from zeroshot_core.training.joint import JointResult, JointSettings, RoundReport, optimise_jointly
from zeroshot_core.training.mining import HardNegatives, mine_hard_negatives
from zeroshot_core.training.objectives import (
    constraint_loss,
    graded_similarity_loss,
    supervised_contrastive_loss,
)
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.self_training import PseudoLabels, pseudo_labels, self_train
from zeroshot_core.training.tuner import HEAD_PLAN, TuningReport, tune_encoder, tune_head

__all__ = [
    "HEAD_PLAN",
    "BridgeReport",
    "Constraints",
    "HardNegatives",
    "JointResult",
    "JointSettings",
    "PseudoLabels",
    "RoundReport",
    "SideExamples",
    "TrainingPlan",
    "TuningReport",
    "constraint_loss",
    "fit_bridge",
    "graded_similarity_loss",
    "graph_constraints",
    "mine_hard_negatives",
    "optimise_jointly",
    "pseudo_labels",
    "self_train",
    "supervised_contrastive_loss",
    "tune_encoder",
    "tune_head",
]
