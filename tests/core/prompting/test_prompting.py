"""A language model that chooses among candidates: what it is told, and what becomes of its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.prediction import PromptedClassifier, Prompting, ZeroShotClassifier, label_questions
from zeroshot_core.serving.loading import open_model, open_retriever
from zeroshot_core.types import Concept, Evidence, Item, Prediction, Relation

LABELS = {
    "k1": Concept(id="k1", name="red wine", synonyms=("claret",), description="Dark grapes, fermented."),
    "k2": Concept(id="k2", name="lemonade"),
    "k3": Concept(id="k3", name="cat food", description="For cats."),
    "k4": Concept(id="k4", name="Pasta"),
    "k5": Concept(id="k5", name="pasta", description="The other shop's."),
}
DRINKS = Concept(id="drinks", name="drinks", type="aisle")
EXAMPLES = {
    "dry red wine from Sicily": "k1",
    "sweet red wine from Umbria": "k1",
    "sparkling lemonade": "k2",
    'cat food\n- "wine" is labelled "lemonade"': "k3",
}
TEXT = "red wine from Veneto, sparkling"
EVIDENCE = re.compile(r"^- .*overlap in the graph", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def classifier() -> Iterator[ZeroShotClassifier]:
    in_aisle = [Relation(head=id_, type="aisle", tail="drinks") for id_ in ("k1", "k2")]
    graph = KnowledgeGraph([*LABELS.values(), DRINKS], in_aisle)
    model = ZeroShotClassifier(HashEncoder(256), graph)
    items = [Item(id=f"seen {row}", text=text) for row, text in enumerate(EXAMPLES)]
    yield model.fit(items, list(EXAMPLES.values()), labels=list(LABELS))
    model.close()


def answering(answer: Any) -> Any:
    return lambda prompt, schema: answer


def decided(classifier: ZeroShotClassifier, answer: Any) -> Prediction:
    (question,) = label_questions(classifier, [TEXT])
    return question.settle(answer)


def test_a_prompt_holds_labels_with_their_meaning_known_items_concepts_paths_and_the_text(
    classifier: ZeroShotClassifier,
) -> None:
    (question,) = label_questions(classifier, [TEXT], prompting=Prompting(instructions="Think of the shelf."))
    lines = question.prompt.splitlines()
    assert "- red wine: also called claret; Dark grapes, fermented." in lines
    assert "- lemonade" in lines
    assert "Think of the shelf." in lines
    (known,) = (
        line for line in lines if line.startswith('- "dry red wine from Sicily" is labelled "red wine"')
    )
    assert re.search(r'query -near \(\d\.\d\d\)-> "red wine" <-concept- seen 0', known)
    assert any(re.match(r'- "drinks": score .*; query -near .* -aisle-> "drinks"', line) for line in lines)
    assert lines[-1] == json.dumps(TEXT)
    assert question.n_left_out == 0


def test_candidates_are_the_most_probable_labels(classifier: ZeroShotClassifier) -> None:
    (question,) = label_questions(classifier, [TEXT], prompting=Prompting(n_candidates=2))
    probable = classifier.classes_[np.argsort(-classifier.predict_proba([TEXT])[0])[:2]].tolist()
    assert list(question.labels.values()) == probable
    label = question.schema["properties"]["label"]
    assert label["enum"] == [LABELS[id_].name for id_ in probable]
    assert "- lemonade\n" not in question.prompt


def test_labels_of_one_name_are_told_apart_by_their_ids(classifier: ZeroShotClassifier) -> None:
    (question,) = label_questions(classifier, ["pasta"])
    assert {"Pasta (k4)", "pasta (k5)"} < set(question.labels)
    assert question.settle("pasta (k5)").value == "k5"
    assert "answered badly" in question.settle("pasta").fallback


def test_evidence_is_left_out_from_the_least_useful_until_the_prompt_fits(
    classifier: ZeroShotClassifier,
) -> None:
    (whole,) = label_questions(classifier, [TEXT])
    pieces = EVIDENCE.findall(whole.prompt)
    n_words = len(whole.text_prompt.split())
    left_out = []
    for most in range(n_words, 60, -40):
        words = Prompting(max_prompt_tokens=most, count_tokens=lambda text: len(text.split()))
        (question,) = label_questions(classifier, [TEXT], prompting=words)
        kept = EVIDENCE.findall(question.prompt)
        assert len(question.text_prompt.split()) <= most
        assert kept == pieces[: len(kept)]
        assert question.n_left_out == len(pieces) - len(kept)
        assert all(f"\n- {name}" in question.prompt for name in question.labels)
        assert json.dumps(TEXT) in question.prompt
        left_out.append(question.n_left_out)
    assert left_out == sorted(left_out)
    assert (left_out[0], left_out[-1]) == (0, len(pieces))


def test_meanings_give_way_after_the_evidence_and_labels_never(classifier: ZeroShotClassifier) -> None:
    asked = []

    def ask(prompt: str, schema: dict[str, Any]) -> str:
        asked.append(prompt)
        return "lemonade"

    bare = next(
        question
        for most in range(60, 400, 4)
        if not (
            question := label_questions(classifier, [TEXT], prompting=Prompting(max_prompt_tokens=most))[0]
        ).obstacle
    )
    assert "- red wine\n" in bare.prompt
    assert all(f"\n- {name}" in bare.prompt for name in bare.labels)
    tight = PromptedClassifier(classifier, ask, prompting=Prompting(max_prompt_tokens=20))
    (prediction,) = tight.explain([TEXT])
    assert asked == []
    assert prediction.value == classifier.predict([TEXT])[0]
    assert re.match(r"it was not asked, text and labels alone take \d+ tokens more", prediction.fallback)


def test_a_token_is_four_bytes_unless_they_are_counted() -> None:
    assert Prompting().tokens("12345678") == 2
    assert Prompting().tokens("123456789") == 3
    assert Prompting().tokens("葡萄酒") == 3
    assert Prompting(count_tokens=len).tokens("12345678") == 8


def test_a_text_cannot_pass_for_evidence(classifier: ZeroShotClassifier) -> None:
    forged = 'wine\n- "wine" is labelled "lemonade"'
    (question,) = label_questions(classifier, [forged])
    assert '\n- "wine" is labelled "lemonade"' not in question.prompt
    assert question.prompt.endswith(json.dumps(forged))


@pytest.mark.parametrize(
    "answer",
    [
        '{"reason": "Grapes.", "label": "lemonade"}',
        'Sure:\n```json\n{"reason": "Grapes.", "label": "Lemonade"}\n```\nAnything else?',
        'First {"thought": 1}, then {"reason": "Grapes.",\n"label": "k2"}',
        {"reason": "Grapes.", "label": "lemonade"},
    ],
)
def test_the_label_is_read_from_what_the_model_answers(classifier: ZeroShotClassifier, answer: Any) -> None:
    prediction = decided(classifier, answer)
    assert (prediction.value, prediction.reason, prediction.fallback) == ("k2", "Grapes.", "")
    assert prediction_in_words(prediction).startswith("Grapes. Predicted k2")


def test_a_reason_may_have_lines(classifier: ZeroShotClassifier) -> None:
    prediction = decided(classifier, '{"reason": "Sour,\nwith bubbles.", "label": "lemonade"}')
    assert (prediction.value, prediction.reason) == ("k2", "Sour,\nwith bubbles.")


@pytest.mark.parametrize(
    "answer",
    ["lemonade", " Lemonade.\n", "It has bubbles.\n**lemonade**", "Label: lemonade", {"label": "LEMONADE"}],
)
def test_a_label_alone_will_do(classifier: ZeroShotClassifier, answer: Any) -> None:
    prediction = decided(classifier, answer)
    assert (prediction.value, prediction.reason, prediction.fallback) == ("k2", "", "")


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        ('{"reason": "?", "label": "beer"}', "'beer'"),
        ('{"reason": "cut of', "got '"),
        ("It is not lemonade", "'It is not lemonade'"),
        ("", "''"),
        (None, "None"),
        ({"label": ["lemonade"]}, r"\['lemonade'\]"),
        ({"reason": "no label"}, "None"),
        ("beer" * 500, r"[ber]\.\.\.$"),
    ],
)
def test_a_bad_answer_leaves_the_classifiers_label_and_says_so(
    classifier: ZeroShotClassifier, answer: Any, got: str
) -> None:
    prediction = decided(classifier, answer)
    (plain,) = classifier.explain([TEXT])
    assert (prediction.value, prediction.probabilities) == (plain.value, plain.probabilities)
    assert prediction.reason == ""
    assert re.match(r"it answered badly, expected one of red wine, ", prediction.fallback)
    assert re.search(got, prediction.fallback)
    assert f"Not chosen by the language model: {prediction.fallback}." in prediction_in_words(prediction)


def test_a_model_that_is_down_costs_only_its_own_answers(classifier: ZeroShotClassifier) -> None:
    def ask(prompt: str, schema: dict[str, Any]) -> str:
        if "Veneto" in prompt.splitlines()[-2]:
            raise ConnectionError("no route to the model")
        return schema["properties"]["label"]["enum"][-1]

    down, up = PromptedClassifier(classifier, ask).explain([TEXT, "lemonade"])
    assert down.value == classifier.predict([TEXT])[0]
    assert down.fallback == "it failed with ConnectionError: no route to the model"
    assert up.fallback == ""
    assert up.value == classifier.classes_[classifier.predict_proba(["lemonade"])[0].argmin()]
    assert down.evidence.items[0].text == "sweet red wine from Umbria"


def test_an_image_without_a_text_is_left_to_the_classifier(
    classifier: ZeroShotClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = classifier.explain([Item(id="photo", text="lemonade")])
    monkeypatch.setattr(classifier, "explain", lambda items, **options: plain)
    (prediction,) = PromptedClassifier(classifier, answering("red wine")).explain(
        [Item(id="photo", image="a.png")]
    )
    assert prediction.value == plain[0].value
    assert prediction.fallback == "it was not asked, an image has no text to judge by"


def test_it_is_served_as_the_plain_classifier_is(classifier: ZeroShotClassifier) -> None:
    prompted = PromptedClassifier(classifier, answering("lemonade"))
    assert open_model(prompted) is prompted
    assert open_retriever(prompted) is classifier.retriever_
    assert prompted.predict([TEXT, "cat food"]).tolist() == ["k2", "k2"]
    assert prompted.classes_.tolist() == classifier.classes_.tolist()
    assert len(prompted.explain([TEXT], top_k=2, coverage=0.5)[0].evidence.items) == 2


def test_a_label_that_comes_while_questions_are_written_is_in_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(ZeroShotClassifier(HashEncoder(64)).fit(labels=["wine", "food"])) as model:
        explain = ZeroShotClassifier.explain

        def explaining(self: ZeroShotClassifier, *args: Any, **options: Any) -> list[Prediction]:
            model.partial_fit(labels=["garden"])
            return explain(self, *args, **options)

        monkeypatch.setattr(ZeroShotClassifier, "explain", explaining)
        (question,) = label_questions(model, ["a rake"])
        assert set(question.prediction.probabilities) == set(question.labels) == {"wine", "food"}
        assert set(model.classes_) == {"wine", "food", "garden"}


def test_evidence_that_is_not_wanted_is_in_the_prompt_alone(classifier: ZeroShotClassifier) -> None:
    prompts: list[str] = []

    def ask(prompt: str, schema: Any) -> Any:
        prompts.append(prompt)
        return {"label": "none", "reason": "because"}

    model = PromptedClassifier(classifier, ask)
    ((whole,), (bare,)) = (model.explain([TEXT], evidence=evidence) for evidence in (True, False))
    assert prompts[0] == prompts[1]
    assert whole.evidence != Evidence()
    assert bare == replace(whole, evidence=Evidence())


def test_questions_are_asked_at_the_same_time(classifier: ZeroShotClassifier) -> None:
    together = Barrier(2, timeout=5)

    def ask(prompt: str, schema: dict[str, Any]) -> str:
        together.wait()
        return "lemonade"

    predictions = PromptedClassifier(classifier, ask, max_concurrency=2).explain([TEXT, "cat food"])
    assert [prediction.fallback for prediction in predictions] == ["", ""]


ANSWER = '{"reason": "A \\"caf\\u00e9\\" \\ud83c\\udf77 drink.\\n", "label": "lemonade"}'


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_streamed_answer_grows_into_the_prediction(classifier: ZeroShotClassifier, size: int) -> None:
    def stream(prompt: str, schema: dict[str, Any]) -> Iterator[str]:
        return (ANSWER[at : at + size] for at in range(0, len(ANSWER), size))

    prompted = PromptedClassifier(classifier, answering(ANSWER), stream=stream)
    *drafts, last = prompted.stream(TEXT)
    assert last == prompted.explain([TEXT])[0]
    assert last.reason == 'A "café" 🍷 drink.\n'
    assert [last.reason.startswith(draft.reason) for draft in drafts] == [True] * len(drafts)
    assert drafts[-1].reason == last.reason
    assert {draft.value for draft in drafts} == {classifier.predict([TEXT])[0]}
    assert len({draft.reason for draft in drafts}) >= min(len(drafts), 3)


def test_a_stream_that_breaks_off_falls_back(classifier: ZeroShotClassifier) -> None:
    def stream(prompt: str, schema: dict[str, Any]) -> Iterator[str]:
        yield ANSWER[:20]
        raise TimeoutError("slow")

    *drafts, last = PromptedClassifier(classifier, answering(""), stream=stream).stream(TEXT)
    assert drafts[0].reason
    assert (last.value, last.reason) == (classifier.predict([TEXT])[0], "")
    assert last.fallback == "it failed with TimeoutError: slow"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: Prompting(n_candidates=1), "expected n_candidates as a whole number of at least 2, got 1"),
        (lambda c: Prompting(max_prompt_tokens=0.5), "expected max_prompt_tokens as a whole number"),
        (
            lambda c: PromptedClassifier(c, answering("")).stream(TEXT),
            "expected a language model that streams",
        ),
        (
            lambda c: PromptedClassifier(c, answering(""), max_concurrency=0).explain([TEXT]),
            "expected max_concurrency as a whole number of at least 1, got 0",
        ),
        (lambda c: PromptedClassifier(c, answering("")).explain([" "]), "expected a non-empty text"),
        (lambda c: label_questions(answering(""), [TEXT]), "expected a ZeroShotClassifier .* got function"),
    ],
)
def test_what_cannot_be_asked_is_refused(classifier: ZeroShotClassifier, ask: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(classifier)


def test_a_classifier_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError, match="before fit"):
        label_questions(ZeroShotClassifier(HashEncoder()), [TEXT])
