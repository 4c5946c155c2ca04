"""Route messages to teams by two examples each, take in a team while it runs, and let a chat model decide."""

from langchain_core.language_models import FakeListChatModel
from zeroshot_core import ZeroShotClassifier

from langchain_zeroshot import ZeroShotPredictor

EXAMPLES = {
    "my parcel has not come": "delivery",
    "the courier left it with a neighbour": "delivery",
    "I was charged twice": "payment",
    "the card was declined": "payment",
    "I want to send it back": "returns",
    "can I exchange this for another size?": "returns",
}
MESSAGES = ["where is my package?", "why did you take the money two times?", "these shoes are too small"]


def main() -> None:
    """Route three messages, learn a label, and let a chat model decide one."""
    classifier = ZeroShotClassifier().fit(list(EXAMPLES), list(EXAMPLES.values()))
    router = ZeroShotPredictor(model=classifier, top_k=1)
    for message, routed in zip(MESSAGES, router.batch(MESSAGES), strict=True):
        share = routed.probabilities[routed.value]
        print(f"{routed.value} ({share:.0%}): {message}; like: {routed.documents[0].page_content}")

    classifier.partial_fit(["do you have work for a driver?", "how do I apply?"], ["careers", "careers"])
    print(router.invoke("are you hiring?").value)

    answer = '{"reason": "The shoes are to go back to the shop.", "label": "returns"}'
    asking = ZeroShotPredictor(model=classifier, llm=FakeListChatModel(responses=[answer]))  # any chat model
    chosen = asking.invoke("the shoes pinch")
    print(f"{chosen.value}: {chosen.reason}")


if __name__ == "__main__":
    main()
