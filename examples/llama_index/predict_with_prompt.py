"""Let a language model choose the label by the evidence, with a prompt of your own, and read its reason."""

import json
from typing import Any

from llama_index.core.llms import CompletionResponse, MockLLM
from llama_index.core.prompts import PromptTemplate
from zeroshot_core import ZeroShotClassifier

from llama_index_zeroshot import ZeroShotQueryEngine

EXAMPLES = {
    "my parcel has not come": "delivery",
    "I was charged twice": "payment",
    "I send the shoes back": "returns",
}


class ScriptedLLM(MockLLM):
    """Stands in for a language model; it prints the end of its prompt."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Choose returns."""
        print(f"... {prompt[-215:]}\n")
        reason = "What is too small is to go back to the shop."
        return CompletionResponse(text=json.dumps({"reason": reason, "label": "returns"}))


def main() -> None:
    """Route a message that fits two labels."""
    classifier = ZeroShotClassifier().fit(list(EXAMPLES), list(EXAMPLES.values()))
    engine = ZeroShotQueryEngine(classifier, llm=ScriptedLLM())  # any LLM
    template = PromptTemplate(
        "You route messages of a shop for shoes.\n{question}\nWhat can be worn is no return."
    )
    engine.update_prompts({"label_template": template})

    response = engine.query("the shoes that you sent are too small")
    print(response)
    print({name: response.metadata[name] for name in ("value", "reason", "fallback")})
    for node in response.source_nodes[:2]:
        print(f"{node.score:.2f} {node.text}")


if __name__ == "__main__":
    main()
