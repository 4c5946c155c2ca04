"""What goes into the prompts that a language model is asked by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zeroshot_core.checks import whole

__all__ = ["Prompting"]

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True)
class Prompting:
    """What goes into a prompt.

    Parameters
    ----------
    n_candidates
        Labels to choose from, the most probable ones; at least 2.
    max_prompt_tokens
        Most tokens of a prompt. Evidence that finds no room is left out, the least useful first, and then
        what the labels mean; the labels themselves and the text are never cut.
    count_tokens
        Number of tokens of a text; None takes one for each 4 bytes, as of English.
    instructions
        What else the model is told, of the domain or of how to tell labels apart.

    Raises
    ------
    InvalidInputError
        If a number is too small or no whole number.
    """

    n_candidates: int = 10
    max_prompt_tokens: int = 2000
    count_tokens: Callable[[str], int] | None = None
    instructions: str = ""

    def __post_init__(self) -> None:
        whole("n_candidates", self.n_candidates, least=2)
        whole("max_prompt_tokens", self.max_prompt_tokens, least=1)

    def tokens(self, text: str) -> int:
        """Count the tokens of a text."""
        if self.count_tokens is not None:
            return self.count_tokens(text)
        return -(-len(text.encode()) // _BYTES_PER_TOKEN)
