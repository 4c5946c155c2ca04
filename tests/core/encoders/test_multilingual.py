"""Encoders that come as packages, and the warning about texts that an encoder does not read."""

import pickle
import warnings

import numpy as np
import pytest
from zeroshot_core import ZeroShotClassifier, load_encoder
from zeroshot_core.encoders import HashEncoder, HeadEncoder, PackagedEncoder, encoder_from_config
from zeroshot_core.encoders.text_languages import LanguageCheck, unread_language
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError, MissingExtraError

NAMES = ["use-multilingual", "multilingual-e5-small"]
GERMAN = ["Der Hund schläft auf dem Sofa.", "Ich habe eine Frage zu der Rechnung.", "Wie ist das Wetter?"]


@pytest.fixture(scope="module", params=NAMES)
def encoder(request):
    return load_encoder(request.param)


def test_a_text_is_nearest_to_its_translation(encoder):
    english = encoder.encode(["a dog", "red wine", "an umbrella"])
    others = encoder.encode(["ein Regenschirm", "собака", "vino rosso"], role="query")
    assert others.dtype == np.float32
    assert np.linalg.norm(others, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (others @ english.T).argmax(axis=1).tolist() == [2, 0, 1]


def test_what_the_engines_trip_over_is_read(encoder):
    with pytest.warns(UserWarning, match="1 of 4 texts hold lone surrogates"):
        rows = encoder.encode(["dog", "dog\0wine", "dog\ud800", "dog wine"])
    assert rows[0] @ rows[1] < 0.95
    np.testing.assert_array_equal(rows[1], rows[3])
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_it_opens_again_from_its_config_and_in_another_process(encoder):
    again = encoder_from_config(encoder.to_config())
    assert again.fingerprint == encoder.fingerprint == pickle.loads(pickle.dumps(encoder)).fingerprint
    with pytest.raises(FingerprintMismatchError, match=encoder.name):
        encoder_from_config(encoder.to_config() | {"fingerprint": "0" * 16})


def test_prompts_languages_and_licences_are_known():
    use, e5 = map(load_encoder, NAMES)
    assert (use.licence, e5.licence) == ("Apache-2.0", "MIT")
    assert use.languages < e5.languages
    assert e5.prompts == {"document": "passage: ", "query": "query: "}
    asked, kept = (e5.encode(["dog"], role=role)[0] for role in ("query", "document"))
    assert asked @ kept < 0.999
    assert use.fingerprint != e5.fingerprint


def test_a_saved_model_opens_with_its_packaged_encoder(tmp_path):
    model = ZeroShotClassifier(load_encoder(NAMES[0])).fit(labels=["animal", "drink"])
    model.save(tmp_path / "model")
    texts = ["ein Hund", "白ワイン"]
    again = ZeroShotClassifier.load(tmp_path / "model")
    assert again.predict(texts).tolist() == model.predict(texts).tolist() == ["animal", "drink"]
    again.close()
    model.close()


@pytest.mark.parametrize("name", NAMES)
def test_without_the_package_the_line_that_installs_it_is_told(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    monkeypatch.setattr("importlib.import_module", lambda module: (_ for _ in ()).throw(ModuleNotFoundError))
    with pytest.raises(MissingExtraError, match=r"pip install 'zeroshot-milvus\[multilingual\]'"):
        load_encoder(name)


def test_settings_and_wrong_names_are_refused():
    with pytest.raises(InvalidInputError, match=r"expected no max_length for encoder 'use-multilingual'"):
        load_encoder("use-multilingual", max_length=64)
    with pytest.raises(InvalidInputError, match="expected no runtime"):
        load_encoder("multilingual-e5-small", runtime="onnx")
    with pytest.raises(InvalidInputError, match="did you mean 'use-multilingual'"):
        PackagedEncoder("use-multilingal")


@pytest.mark.parametrize(
    ("texts", "languages", "expected"),
    [
        (GERMAN, {"en"}, "in German"),
        (GERMAN, {"en", "de"}, None),
        (["The dog sleeps on the sofa.", "Crème brûlée for two"], {"en"}, None),
        (["красное вино"], {"en"}, "in Cyrillic script"),
        (["червоне вино і сир для мене", "це не те, що я та мій друг"], {"en", "ru"}, "in Ukrainian"),
        (["κόκκινο κρασί", "wine"], {"en", "ru"}, "in Greek script"),
        (["Köln", "Łódź", "São Paulo", "Đà Nẵng", "Iași"], {"en"}, "in a language other than English"),
        (["123", "🍷", "--"], {"en"}, None),
        ([], {"en"}, None),
    ],
)
def test_the_language_that_is_not_read_is_found(texts, languages, expected):
    unread = unread_language(texts, languages) if texts else None
    assert (unread and unread.name) == expected


def test_one_warning_names_the_encoder_and_the_extra_to_use():
    hebrew, check = ["יין אדום מסיציליה"], LanguageCheck(load_encoder(NAMES[0]))
    with pytest.warns(UserWarning, match=r"in Hebrew script, .*'multilingual-e5-small'.*\[multilingual\]"):
        check(hebrew)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(hebrew)
        LanguageCheck(HashEncoder())(hebrew)


def test_the_default_encoder_says_that_it_reads_english():
    default = load_encoder()
    assert default.languages == {"en"}
    head = HeadEncoder(default, "linear", {"weight": np.eye(default.dimension, dtype=np.float32)})
    assert head.languages == {"en"}
    with pytest.warns(UserWarning, match=r"mostly in German, which encoder 'all-MiniLM-L6-v2' does not read"):
        head.encode(GERMAN)
