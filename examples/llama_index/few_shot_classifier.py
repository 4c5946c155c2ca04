"""Route messages to teams: labels by name alone, two examples where they help, a new label while it runs."""

import asyncio

from zeroshot_core import ZeroShotClassifier

from llama_index_zeroshot import ZeroShotQueryEngine

TEAMS = ["delivery", "payment", "returns"]
EXAMPLES = {
    "my parcel has not come": "delivery",
    "the courier left it with a neighbour": "delivery",
    "I was charged twice": "payment",
    "the card was declined": "payment",
}
MESSAGES = ["where is my package?", "why did you take the money two times?", "how do I return the shoes?"]


async def main() -> None:
    """Route three messages at once, then learn a label."""
    classifier = ZeroShotClassifier().fit(list(EXAMPLES), list(EXAMPLES.values()), labels=TEAMS)
    router = ZeroShotQueryEngine(classifier, top_k=1)
    responses = await asyncio.gather(*(router.aquery(message) for message in MESSAGES))
    for message, response in zip(MESSAGES, responses, strict=True):
        team = response.metadata["value"]
        share = response.metadata["probabilities"][team]
        print(f"{team} ({share:.0%}): {message}; like: {response.source_nodes[0].text}")

    classifier.partial_fit(labels=["jobs and careers"])
    print((await router.aquery("are there jobs and careers for drivers?")).metadata["value"])


if __name__ == "__main__":
    asyncio.run(main())
