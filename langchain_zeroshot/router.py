"""Router: a classifier's labels to what deals with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.base import coerce_to_runnable
from pydantic import BeforeValidator
from zeroshot_core.checks import choice, known_names, real, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.serving.predictions import PredictionSettings, predictions
from zeroshot_core.serving.threads import run_in_thread

from langchain_zeroshot._convert import PredictorInput, to_items
from langchain_zeroshot._source import Batched, ModelSource


def _named(routes: Any) -> dict[str, Any]:
    """Routes by label; a name of its own is where a label alone leads."""
    by_label = dict(routes) if isinstance(routes, Mapping) else {label: label for label in routes}
    if not by_label or not all(isinstance(label, str) and label for label in by_label):
        raise InvalidInputError(f"expected routes by the names of labels, at least one, got {shown(routes)}")
    return by_label


class ZeroShotRouter(Batched[PredictorInput, Any]):
    """Hands an input to the route of its label, and an unknown topic to a fallback.

    A route is a Runnable or a function, which gets the input as it is, or a text, which is the answer: the
    name of a node, so that the router is a conditional edge of LangGraph,
    ``graph.add_conditional_edges(START, router, [*router.ends])``. Inputs are those of `ZeroShotPredictor`;
    `batch` labels all of them by one call of the model.

    Parameters
    ----------
    model
        Folder of a saved classifier, or a fitted one.
    routes
        By label; or the labels alone, each the name of its node. Other labels of the model go to the
        fallback.
    fallback
        Where a text goes that is none of the labels; without one it is refused.
    threshold
        Least probability of a label, above 0 and at most 1; what has none goes to the fallback.
    reject
        Whether what is unlike the classifier's examples, of which it needs ten, goes to the fallback.
    input_key
        Where in a mapping, such as the state of a graph, the input is.
    """

    routes: Annotated[dict[str, Any], BeforeValidator(_named)]
    fallback: Any = None
    threshold: Annotated[float, BeforeValidator(partial(real, "threshold", above=0, most=1))] | None = None
    reject: bool = False
    input_key: str | None = None

    def __init__(
        self, model: Any = ..., routes: Mapping[str, Any] | Sequence[str] = (), **given: Any
    ) -> None:
        ModelSource.__init__(self, model, **{"routes": routes, **given})

    @property
    def ends(self) -> tuple[str, ...]:
        """Names of the nodes that it may lead to."""
        targets = [*self.routes.values(), self.fallback]
        return tuple(dict.fromkeys(target for target in targets if isinstance(target, str)))

    def label(self, input: PredictorInput) -> str:
        """Give the label of one input; ``""`` is none of them."""
        return str(self._look_up([input])[0])

    def invoke(self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Hand one input to its route."""
        return self._call_with_config(self._route, input, config, **kwargs)

    async def ainvoke(
        self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Hand one input to its route, which is awaited; the model runs off the loop."""
        return await self._acall_with_config(self._aroute, input, config, **kwargs)

    # LangChain gives a function the configuration of its children if it has a parameter of that name.
    def _route(self, value: PredictorInput, config: Any, **options: Any) -> Any:
        target = self._target(self._found(value, **options))
        return target if isinstance(target, str) else coerce_to_runnable(target).invoke(value, config)

    async def _aroute(self, value: PredictorInput, config: Any, **options: Any) -> Any:
        target = self._target(await run_in_thread(self._found)(value, **options))
        return target if isinstance(target, str) else await coerce_to_runnable(target).ainvoke(value, config)

    def _target(self, label: str) -> Any:
        target = self.routes.get(label, self.fallback)
        if target is None:
            told = f"the label {shown(label)}, which has no route" if label else "one that is none of them"
            raise InvalidInputError(
                f"expected a text with a label of {shown([*self.routes])}, got {told}; give a fallback"
            )
        return target

    def _look_up(self, inputs: list[PredictorInput], **options: Any) -> list[str]:
        """Labels of all inputs, by one call of the model; ``""`` for none of them."""
        known_names("ZeroShotRouter", options, ())
        model = self._handle.model
        self._check_labels(getattr(model, "classes_", None))
        settings = PredictionSettings(coverage=0.9, top_k=1, reject=self.reject, evidence=False)
        found = predictions(model, to_items(inputs, model, self.input_key), settings)
        least = self.threshold or 0
        return [str(one.value) if max(one.probabilities.values()) >= least else "" for one in found]

    def _check_labels(self, labels: Any) -> None:
        if labels is None:
            kind = type(self._handle.model).__name__
            raise InvalidInputError(f"expected a classifier, whose labels have routes, got a {kind}")
        for label in self.routes:
            choice("label of a route", label, map(str, labels))
