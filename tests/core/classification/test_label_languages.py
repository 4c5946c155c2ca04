"""Labels in one language, texts in others: names, examples, novelty, hierarchy and prompts."""

from contextlib import closing

import numpy as np
import pytest
from zeroshot_core import Concept, KnowledgeGraph, Relation, ZeroShotClassifier, load_encoder
from zeroshot_core.prediction import PromptedClassifier

LABELS = {
    "en": ["delivery", "password", "invoice", "refund", "opening hours"],
    "de": ["Lieferung", "Passwort", "Rechnung", "Rückerstattung", "Öffnungszeiten"],
    "zh": ["送货", "密码", "发票", "退款", "营业时间"],
    "ar": ["توصيل", "كلمة المرور", "فاتورة", "استرداد", "ساعات العمل"],
}
# A text of each label.
TEXTS = {
    "en": [
        "Where is my parcel?",
        "I forgot my password",
        "The invoice is wrong",
        "I want my money back",
        "When does the shop open?",
    ],
    "de": [
        "Wo bleibt mein Paket?",
        "Ich habe mein Passwort vergessen",
        "Die Rechnung stimmt nicht",
        "Ich möchte mein Geld zurück",
        "Wann macht der Laden auf?",
    ],
    "zh": ["我的包裹在哪里？", "我忘记了密码", "发票有错误", "我想退款", "商店几点开门？"],
    "ja": [
        "荷物はどこですか",
        "パスワードを忘れました",
        "請求書に間違いがあります",
        "返金してほしい",
        "店は何時に開きますか",
    ],
    "ru": [
        "Где моя посылка?",
        "Я забыл пароль",
        "В счёте ошибка",
        "Верните мне деньги",
        "Когда открывается магазин?",
    ],
}
EXAMPLES = {
    "delivery": ["My parcel has not arrived", "When will you ship my order?", "tracking number of my order"],
    "password": ["I can't log in", "reset my password", "the login code does not come"],
    "invoice": ["The bill shows the wrong amount", "send me the invoice again", "VAT is missing on the bill"],
    "refund": [
        "give me my money back",
        "I return the shoes and want a refund",
        "when is the refund on my account",
    ],
    "opening hours": ["Are you open on Sunday?", "until when is the store open", "opening times on holidays"],
}
OTHER = ["Der Hund schläft auf dem Sofa", "珠穆朗玛峰有多高？", "次の曲をかけて", "play the next song"]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("use-multilingual")


@pytest.mark.parametrize("language", [*LABELS])
def test_labels_of_any_language_are_found_for_texts_of_any_other(encoder, language):
    with closing(ZeroShotClassifier(encoder).fit(labels=LABELS[language])) as classifier:
        right = [np.mean(classifier.predict(texts) == LABELS[language]) for texts in TEXTS.values()]
    assert np.mean(right) >= 0.9
    assert min(right) >= 0.8


def test_english_examples_teach_the_labels_of_texts_in_other_languages_and_none_of_these(encoder):
    texts = [text for own in EXAMPLES.values() for text in own]
    y = [label for label, own in EXAMPLES.items() for _ in own]
    with closing(ZeroShotClassifier(encoder).fit(texts, y)) as classifier:
        right = [classifier.predict(asked) == LABELS["en"] for asked in TEXTS.values()]
        rejected = [classifier.predict(asked, reject=True) == "" for asked in TEXTS.values()]
        assert (classifier.predict(OTHER, reject=True) == "").all()
    assert np.mean(right) >= 0.95
    assert np.mean(rejected) <= 0.1


def test_wider_concepts_answer_in_other_languages(encoder):
    kinds = {"dog": "animal", "cat": "animal", "oak": "plant", "rose": "plant"}
    graph = KnowledgeGraph(
        [*(Concept(id=id_, name=id_, type="label") for id_ in kinds), *map(_concept, set(kinds.values()))],
        [Relation(head=narrow, type="is_a", tail=wide) for narrow, wide in kinds.items()],
    )
    with closing(ZeroShotClassifier(encoder, graph).fit()) as classifier:
        texts = ["ein Kater miaut", "一只小狗", "شجرة بلوط", "バラの花", "ein Wildtier"]
        found = classifier.predict(texts, confidence=0.7)
    assert found.tolist() == ["cat", "dog", "oak", "rose", "animal"]


def _concept(name):
    return Concept(id=name, name=name)


def test_a_language_model_is_asked_in_the_language_of_labels_and_text(encoder):
    prompts = []

    def ask(prompt, schema):
        prompts.append(prompt)
        return '{"reason": "包裹", "label": "送货。"}'

    with closing(ZeroShotClassifier(encoder).fit(labels=LABELS["zh"])) as classifier:
        (answer,) = PromptedClassifier(classifier, ask).explain(["Wo bleibt mein Paket?"])
    assert (answer.value, answer.reason, answer.fallback) == ("送货", "包裹", "")
    assert all(part in prompts[0] for part in ("- 送货", '"Wo bleibt mein Paket?"'))
