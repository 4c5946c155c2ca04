"""Joint optimisation of an encoder and its index, in rounds: index, mine from what is live, tune, compare."""

from zeroshot_core.training.joint.run import JointResult, RoundReport, optimise_jointly
from zeroshot_core.training.joint.task import HEAD_SETTINGS, JointSettings

__all__ = ["HEAD_SETTINGS", "JointResult", "JointSettings", "RoundReport", "optimise_jointly"]
