"""A small classifier of a shop's aisles, saved."""

from pathlib import Path

from zeroshot_core import ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder

TEXTS = [f"{kind} number {n}" for n in range(4) for kind in ("red wine", "dog food", "fresh pasta")]
LABELS = ["drinks", "pets", "pantry"] * 4


def saved_aisles(folder: Path) -> Path:
    """The folder, with the classifier in it."""
    model = ZeroShotClassifier(HashEncoder(64)).fit(TEXTS, LABELS)
    model.save(folder)
    model.close()
    return folder
