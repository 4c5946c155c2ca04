"""Lower layers of a transformer that stay as they are: what they make of a text is computed once.

Why no library: peft and transformers freeze weights, but run frozen layers anew for each text in each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor
    from torch.nn import Module

__all__ = ["LowerLayers", "layer_stack"]


class _ReachedError(Exception):
    """Ends a forward pass at the first trained layer."""


def layer_stack(model: SentenceTransformer) -> Sequence[Module]:
    """Find the layers of the transformer, lowest first: its longest list of modules of one class.

    Raises
    ------
    InvalidInputError
        If the model has no such list.
    """
    import torch

    modules: list[Any] = list(model[0].modules())
    stacks = [list(module) for module in modules if isinstance(module, torch.nn.ModuleList)]
    alike = [stack for stack in stacks if len(stack) and len({type(layer) for layer in stack}) == 1]
    if not alike:
        raise InvalidInputError(
            "expected a model with a stack of layers, the upper ones of which can be trained alone, "
            f"got {type(model[0]).__name__}; leave trained_layers out"
        )
    return max(alike, key=len)


class LowerLayers:
    """The first layers of a stack, passed over in a forward pass that goes on from what they gave before.

    Parameters
    ----------
    layers
        The whole stack.
    n_frozen
        How many layers to pass over, from 1 to all but one.
    """

    def __init__(self, layers: Sequence[Module], n_frozen: int) -> None:
        self._layers, self._n_frozen = layers, n_frozen
        self._gives_more = False

    def states(self, model: Module, features: dict[str, Any]) -> Tensor:
        """Run a forward pass up to the first trained layer; the hidden states that it would take."""
        found: list[Tensor] = []

        def capture(_: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found.append(args[0] if args else kwargs["hidden_states"])
            raise _ReachedError

        def look(_: Module, args: tuple[Any, ...], output: Any) -> None:
            self._gives_more = isinstance(output, tuple)

        hooks = [
            self._layers[self._n_frozen].register_forward_pre_hook(capture, with_kwargs=True),
            self._layers[0].register_forward_hook(look),
        ]
        try:
            model(features)
        except _ReachedError:
            return found[0]
        finally:
            for hook in hooks:
                hook.remove()
        raise InvalidInputError("expected a model that runs its layers in order; leave trained_layers out")

    @contextmanager
    def skipped(self, states: Tensor) -> Iterator[None]:
        """Pass over the lower layers inside the context, and give `states` to the first trained one.

        The first layer still runs where it gives more than states, as that of T5 gives the position bias to
        those above.
        """

        def resume(_: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})

        lowest = 1 if self._gives_more else 0
        last: list[Any] = []

        def remember(_: Module, args: tuple[Any, ...], output: Any) -> None:
            last.append(output)

        def skip(hidden_states: Tensor, *_: Any, **__: Any) -> Any:
            return last[-1] if last else hidden_states

        hooks = [self._layers[self._n_frozen].register_forward_pre_hook(resume, with_kwargs=True)]
        if self._gives_more:
            hooks.append(self._layers[0].register_forward_hook(remember))
        skipped = self._layers[lowest : self._n_frozen]
        for layer in skipped:
            layer.forward = skip
        try:
            yield
        finally:
            for layer in skipped:
                del layer.forward
            for hook in hooks:
                hook.remove()
