"""Route messages to teams: labels by name alone, two examples where they help, a new label while it runs."""

from langchain_core.language_models import FakeListChatModel
from zeroshot_core import ZeroShotClassifier

from langchain_zeroshot import ZeroShotPredictor

TEAMS = ["delivery", "payment", "returns"]
EXAMPLES = {
    "my parcel has not come": "delivery",
    "the courier left it with a neighbour": "delivery",
    "I was charged twice": "payment",
    "the card was declined": "payment",
}
MESSAGES = ["where is my package?", "why did you take the money two times?", "I want to send the shoes back"]


def main() -> None:
    """Route three messages, learn a label, and let a chat model decide one."""
    classifier = ZeroShotClassifier().fit(list(EXAMPLES), list(EXAMPLES.values()), labels=TEAMS)
    router = ZeroShotPredictor(model=classifier, top_k=1)
    for message, routed in zip(MESSAGES, router.batch(MESSAGES), strict=True):
        share = routed.probabilities[routed.value]
        print(f"{routed.value} ({share:.0%}): {message}; like: {routed.documents[0].page_content}")

    classifier.partial_fit(labels=["jobs and careers"])
    print(router.invoke("do you hire drivers?").value)

    answer = '{"reason": "The shoes are to go back to the shop.", "label": "returns"}'
    asking = ZeroShotPredictor(model=classifier, llm=FakeListChatModel(responses=[answer]))  # any chat model
    chosen = asking.invoke("the shoes are too small")
    print(f"{chosen.value}: {chosen.reason}")


if __name__ == "__main__":
    main()
