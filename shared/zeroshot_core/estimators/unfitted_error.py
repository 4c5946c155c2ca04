"""The error of a model before `fit`, for callers of this package and of scikit-learn alike."""

from __future__ import annotations

from sklearn import exceptions

from zeroshot_core.errors import NotFittedError

__all__ = ["UnfittedError"]


class UnfittedError(NotFittedError, exceptions.NotFittedError):  # type: ignore[misc]
    """A prediction was asked of a model that has not been fitted; what scikit-learn raises too."""

    # `errors` itself stays free of scikit-learn, whose import takes longer than that of the package.
