"""Fitted trees as arrays: what is left of a model of trees once it is fitted, saved or opened.

Scikit-learn learns the trees. Their nodes are all that a forecast needs, and unlike a fitted model they can
be saved as plain arrays and checked before they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import ArtifactError, InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints

    Mask = npt.NDArray[np.bool_]
    Nodes = npt.NDArray[np.void]

__all__ = ["FEWEST_TO_SHARE", "Forest"]

# Rows times depth, from which on a loop over the trees takes less time than one table of all nodes: it does
# from some 1,000 on, but up to twice that it saves a third of a millisecond, and takes .4 s to import.
_FEWEST_STEPS_FOR_LOOP = 2000
FEWEST_TO_SHARE = 5000
# Trees that are learned are some 30 deep; those of a stranger are walked in bounded time.
_DEEPEST = 10_000
_MOST_FEATURES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Regression trees of which each row of features is led to a leaf, whose values are added or averaged.

    The nodes of a tree follow one another, its root first, and children come after their parent. A node leads
    to the left where its feature is at most its threshold, or is missing and the left takes what is missing.

    Parameters
    ----------
    is_boosted
        Whether values are added to the baseline, as by ``HistGradientBoostingRegressor``; else they are
        averaged, and features have single precision, as in ``ExtraTreesRegressor``.
    n_features
        Columns of a row.
    baseline
        Forecast before the first tree.
    sizes
        Nodes of each tree, shape (t,).
    left, right
        Shape (n,): number of the child, counted from the root of its tree; 0 for a leaf.
    feature, threshold, takes_gaps
        Shape (n,); 0 and False for a leaf.
    value
        Shape (n,), of a leaf; 0 for other nodes.
    """

    is_boosted: bool
    n_features: int
    baseline: float
    sizes: Ints
    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    takes_gaps: Mask
    value: Floats

    @classmethod
    def of(cls, model: Any) -> Forest:
        """Take the trees of a fitted model.

        Parameters
        ----------
        model
            An ``ExtraTreesRegressor`` or ``HistGradientBoostingRegressor``; nothing public holds the trees of
            the latter, so they are read from private attributes.
        """
        if hasattr(model, "estimators_"):
            states = [tree.tree_.__getstate__() for tree in model.estimators_]
            nodes, values = ([state[part] for state in states] for part in ("nodes", "values"))
            return cls.of_averaged(nodes, values, model.n_features_in_)
        trees = [predictor.nodes for (predictor,) in model._predictors]
        return cls.of_boosted(trees, model.n_features_in_, float(model._baseline_prediction.ravel()[0]))

    @classmethod
    def of_boosted(cls, trees: Sequence[Nodes], n_features: int, baseline: float) -> Forest:
        """Take nodes as ``HistGradientBoostingRegressor`` holds them, an array for each tree."""
        nodes = np.concatenate(trees)
        return cls._of(
            nodes,
            nodes["is_leaf"].astype(bool),
            is_boosted=True,
            n_features=n_features,
            baseline=baseline,
            sizes=np.array([len(tree) for tree in trees], dtype=np.int64),
            names=("left", "right", "feature_idx", "num_threshold", "missing_go_to_left"),
            values=nodes["value"],
        )

    @classmethod
    def of_averaged(cls, trees: Sequence[Nodes], values: Sequence[Floats], n_features: int) -> Forest:
        """Take nodes as the trees of ``ExtraTreesRegressor`` hold them, an array for each tree.

        Parameters
        ----------
        values
            Of each tree's nodes, shape (n, 1, 1).
        """
        nodes = np.concatenate(trees)
        return cls._of(
            nodes,
            nodes["left_child"] < 0,
            is_boosted=False,
            n_features=n_features,
            baseline=0.0,
            sizes=np.array([len(tree) for tree in trees], dtype=np.int64),
            names=("left_child", "right_child", "feature", "threshold", "missing_go_to_left"),
            values=np.concatenate([each.reshape(-1) for each in values]),
        )

    @classmethod
    def _of(
        cls,
        nodes: Nodes,
        is_leaf: Mask,
        *,
        is_boosted: bool,
        n_features: int,
        baseline: float,
        sizes: Ints,
        names: tuple[str, ...],
        values: Floats,
    ) -> Forest:
        """Take nodes whose fields have these names."""
        left, right, feature, threshold, takes_gaps = (np.where(is_leaf, 0, nodes[name]) for name in names)
        return cls(
            is_boosted=is_boosted,
            n_features=int(n_features),
            baseline=baseline,
            sizes=sizes,
            left=left.astype(np.int32),
            right=right.astype(np.int32),
            feature=feature.astype(np.int32),
            threshold=threshold.astype(np.float64),
            takes_gaps=takes_gaps.astype(bool),
            value=np.where(is_leaf, values, 0.0),
        )

    def arrays(self, name: str) -> dict[str, Any]:
        """Give the parts to be saved, each under the forest's name and its own."""
        parts = {
            "form": np.array([self.is_boosted, self.n_features, self.baseline], dtype=np.float64),
            "sizes": self.sizes,
            "left": self.left,
            "right": self.right,
            "feature": self.feature,
            "threshold": self.threshold,
            "takes_gaps": self.takes_gaps,
            "value": self.value,
        }
        return {f"{name}.{part}": array for part, array in parts.items()}

    @classmethod
    def restored(cls, state: ModelState, name: str) -> Forest:
        """Put together again what `arrays` took apart.

        Raises
        ------
        InvalidInputError
            If a part is missing, or the nodes are no trees.
        """
        form = state.array(f"{name}.form", np.float64, (3,))
        if form[0] not in (0, 1) or not 1 <= form[1] <= _MOST_FEATURES or form[1] % 1:
            raise InvalidInputError(f"expected the form of trees in {name!r}, got {form.tolist()}")
        sizes = state.array(f"{name}.sizes", np.int64, (None,))
        n = state.array(f"{name}.left", np.int32, (None,)).size
        forest = cls(
            is_boosted=bool(form[0]),
            n_features=int(form[1]),
            baseline=float(form[2]),
            sizes=sizes,
            **{part: state.array(f"{name}.{part}", np.int32, (n,)) for part in ("left", "right", "feature")},
            threshold=state.array(f"{name}.threshold", np.float64, (n,), is_finite=False),
            takes_gaps=state.array(f"{name}.takes_gaps", np.bool_, (n,)),
            value=state.array(f"{name}.value", np.float64, (n,)),
        )
        if not forest._is_sound():
            raise InvalidInputError(f"expected nodes of trees in {name!r}, got some that lead elsewhere")
        return forest

    def _is_sound(self) -> bool:
        """Whether each tree is one: every node but the root is the child of just one that comes before it."""
        n = len(self.left)
        if not len(self.sizes) or self.sizes.min() < 1 or self.sizes.max() > n or self.sizes.sum() != n:
            return False
        inner, first = np.flatnonzero(~self._is_leaf), np.repeat(self._roots, self.sizes)
        own, size = np.arange(n) - first, np.repeat(self.sizes, self.sizes)
        children = np.stack([self.left, self.right])[:, inner]
        if not ((own[inner] < children) & (children < size[inner])).all():
            return False
        n_parents = np.bincount((first[inner] + children).ravel(), minlength=n)
        return bool(
            (n_parents == (own > 0)).all()
            and not self.right[self._is_leaf].any()
            and self.feature.min() >= 0
            and self.feature.max() < self.n_features
            and not np.isnan(self.threshold).any()
            and self._depth <= _DEEPEST
        )

    def predict(self, features: Floats) -> Floats:
        """Forecast, to the last digit as the fitted model does, shape (q,).

        Parameters
        ----------
        features
            Shape (q, n_features); NaN where missing.

        Raises
        ------
        ArtifactError
            If they have another number of columns: the trees of a saved model are another's.
        """
        if features.shape[1] != self.n_features:
            raise ArtifactError(
                f"expected trees over {features.shape[1]} features, got some over {self.n_features}: "
                "the saved model is damaged; save it again"
            )
        rows = features if self.is_boosted else features.astype(np.float32)
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        if len(rows) * self._depth >= _FEWEST_STEPS_FOR_LOOP:
            total = self._by_loop(rows)
        else:
            # Added up tree by tree: a sum in another order would differ in its last digits.
            steps = np.column_stack([np.full(len(rows), self.baseline), self.value[self._leaves(rows)]])
            total = np.cumsum(steps, axis=1)[:, -1]
        return np.asarray(total if self.is_boosted else total / len(self.sizes))

    def _leaves(self, rows: Floats) -> Ints:
        """Lead few rows through all trees at once, shape (q, t).

        Scikit-learn asks one tree after the other, which takes a millisecond however few the rows are; all
        nodes in one table answer for one row in a quarter of that.
        """
        starts = (np.arange(len(rows)) * rows.shape[1])[:, None]
        flat, nodes = rows.ravel(), np.tile(self._roots, (len(rows), 1))
        has_gaps = bool(np.isnan(rows).any())
        for _ in range(self._depth):
            values = flat[starts + self.feature[nodes]]
            is_left = values <= self.threshold[nodes]
            if has_gaps:
                is_left |= np.isnan(values) & self.takes_gaps[nodes]
            nodes = self._ways[2 * nodes + is_left]
        return nodes

    def _by_loop(self, rows: Floats) -> Floats:
        """Add up the trees one by one, each by scikit-learn, shape (q,)."""
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

        # Threads wait for each other after every tree: on a busy machine of two cores 100 rows took 1.3 ms
        # with one thread, and 117 ms with two.
        n_threads = 1 if len(rows) < FEWEST_TO_SHARE else _openmp_effective_n_threads()
        no_categories, places = np.zeros((0, 8), np.uint32), np.zeros(self.n_features, np.uint32)
        total = np.full(len(rows), self.baseline)
        for tree in self._predictors:
            total += tree.predict(rows, no_categories, places, n_threads)
        return total

    @cached_property
    def _predictors(self) -> list[Any]:
        """Scikit-learn's trees of these nodes; features of single precision are exact in its doubles too."""
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        nodes = np.zeros(len(self.left), dtype=PREDICTOR_RECORD_DTYPE)
        nodes["left"], nodes["right"], nodes["is_leaf"] = self.left, self.right, self._is_leaf
        nodes["feature_idx"], nodes["num_threshold"] = self.feature, self.threshold
        nodes["missing_go_to_left"], nodes["value"] = self.takes_gaps, self.value
        no_categories = np.zeros((0, 8), np.uint32)
        return [
            TreePredictor(tree, no_categories, no_categories) for tree in np.split(nodes, self._roots[1:])
        ]

    @cached_property
    def _roots(self) -> Ints:
        """Shape (t,), the node at which each tree begins."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def _is_leaf(self) -> Mask:
        return np.asarray(self.left == 0)

    @cached_property
    def _ways(self) -> Ints:
        """Shape (2 n,): the next node to the right and to the left of each; a leaf leads to itself."""
        own, first = np.arange(len(self.left)), np.repeat(self._roots, self.sizes)
        ways = [np.where(self._is_leaf, own, first + child) for child in (self.right, self.left)]
        return np.stack(ways, axis=1).ravel()

    @cached_property
    def _depth(self) -> int:
        """Steps from a root to the deepest leaf."""
        depth, level = 0, self._roots
        while len(level := level[~self._is_leaf[level]]) and depth <= _DEEPEST:
            level = np.concatenate([self._ways[2 * level], self._ways[2 * level + 1]])
            depth += 1
        return depth
