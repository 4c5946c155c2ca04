"""Options such as tools or query engines, ranked by how well each fits a request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.checks import choice, sequence, text
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.encoders import Role
    from zeroshot_core.serving.model_handle import ModelHandle
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Option", "OptionRanker", "options_of"]

# Tools are described as deeds: a request that is read as one too finds more of them.
_WISH = "The user wants this: {}"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
# Descriptions may be pages long: what comes later says little of what a tool is for.
_MOST_SENTENCES = 8
# Texts that are remembered, of tools that come and go.
_MOST_KNOWN = 20_000


@dataclass(frozen=True, kw_only=True)
class Option:
    """Something that a request may want.

    Parameters
    ----------
    name
        As a program calls it, such as ``create_invoice``, or in words.
    description
        What it does.
    examples
        Requests that wanted it.
    """

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()

    @property
    def views(self) -> tuple[str, ...]:
        """Texts that each say what it is: the name in words, the sentences, and all of it."""
        name = " ".join(_CAMEL.sub(" ", self.name).replace("_", " ").replace("-", " ").split())
        said = " ".join(self.description.split())
        sentences = [one for one in _SENTENCES.split(self.description) if one.strip()][:_MOST_SENTENCES]
        if not name and not said:
            raise InvalidInputError("expected an option with a name or a description, got one without")
        both = f"{name}: {said}" if name and said else ""
        return tuple(view for view in (name, *sentences, said, both) if view)


def options_of(
    told: Sequence[tuple[str, str]], past_calls: Mapping[str, Sequence[str]] | None
) -> tuple[Option, ...]:
    """Options of names and descriptions, with the requests that wanted each.

    Parameters
    ----------
    past_calls
        Requests by name.

    Raises
    ------
    InvalidInputError
        If a name in `past_calls` is of none, or its requests are no texts.
    """
    examples = {
        choice("a name in past_calls", name, [one for one, _ in told]): tuple(
            text(f"past call of {name}", one) for one in sequence("past_calls", calls, of="texts")
        )
        for name, calls in (past_calls or {}).items()
    }
    return tuple(Option(name=name, description=said, examples=examples.get(name, ())) for name, said in told)


@dataclass(frozen=True, kw_only=True, eq=False)
class _EncodedOptions:
    """Vectors of options.

    Parameters
    ----------
    meanings
        Means of the vectors of their views, shape (n, d).
    examples, owners
        Vectors of all examples, shape (m, d), and the places of the options that they belong to.
    """

    options: tuple[Option, ...]
    meanings: Vectors
    examples: Vectors
    owners: Ints

    def scores(self, asked: Vectors) -> Floats:
        """Score the options for a unit vector, shape (n,)."""
        own = self.meanings @ asked
        nearest = np.full(len(own), -np.inf)
        np.maximum.at(nearest, self.owners, self.examples @ asked)
        return np.where(np.isfinite(nearest), (2 * own + nearest) / 3, own).astype(np.float64)


class OptionRanker:
    """Ranks options for requests; each text of theirs is encoded once, for as long as the ranker lives.

    An option's score is the mean cosine of the request and its views, where the request is read as it is and
    as a wish; with examples, a third of it is the cosine with the nearest example.

    Parameters
    ----------
    handle
        Whose encoder is asked.
    """

    def __init__(self, handle: ModelHandle) -> None:
        self._handle = handle
        self._known: dict[tuple[Role, str], Vectors] = {}
        self._encoded: _EncodedOptions | None = None
        self._lock = Lock()

    def rank(
        self, request: str, options: Sequence[Option], *, top_k: int, threshold: float | None = None
    ) -> list[tuple[int, float]]:
        """Give places and scores of the options that fit best, best first, ties by place.

        Parameters
        ----------
        threshold
            Least score of one that is given, from -1 to 1; None gives `top_k`.
        """
        encoded = self._encode(tuple(options))
        readings = [text("request", request), _WISH.format(request)]
        scores = encoded.scores(self._handle.encoder.encode(readings, role="query").mean(axis=0))
        best = np.argsort(-scores, kind="stable")[:top_k].tolist()
        least = -np.inf if threshold is None else threshold
        return [(place, float(scores[place])) for place in best if scores[place] >= least]

    def __reduce__(self) -> tuple[type[OptionRanker], tuple[ModelHandle]]:
        # A copy encodes for itself: a lock is nobody else's.
        return OptionRanker, (self._handle,)

    def _encode(self, options: tuple[Option, ...]) -> _EncodedOptions:
        """Encode what is new of the options."""
        encoded = self._encoded
        if encoded is not None and encoded.options == options:
            return encoded
        with self._lock:
            views = self._vectors("document", [view for option in options for view in option.views])
            examples = self._vectors("query", [one for option in options for one in option.examples])
            ends = np.cumsum([0, *(len(option.views) for option in options)])
            meanings = [views[start:end].mean(axis=0) for start, end in pairwise(ends)]
            self._encoded = _EncodedOptions(
                options=options,
                meanings=np.array(meanings, dtype=np.float32).reshape(len(options), views.shape[1]),
                examples=examples,
                owners=np.repeat(np.arange(len(options)), [len(option.examples) for option in options]),
            )
            return self._encoded

    def _vectors(self, role: Role, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, shape (n, d); those that were encoded before are remembered."""
        encoder = self._handle.encoder
        missing = [one for one in dict.fromkeys(texts) if (role, one) not in self._known]
        if len(self._known) > _MOST_KNOWN:
            self._known = {}
            missing = [*dict.fromkeys(texts)]
        if missing:
            new = encoder.encode(missing, role=role)
            self._known |= {(role, one): vector for one, vector in zip(missing, new, strict=True)}
        found = [self._known[role, one] for one in texts]
        return np.array(found, dtype=np.float32).reshape(len(texts), encoder.dimension)
