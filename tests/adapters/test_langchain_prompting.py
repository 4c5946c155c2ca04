"""The predictor with a chat model that chooses the label, by the ways that LangChain runs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from recorded_llms import RecordedChatModel
from zeroshot_core import InvalidInputError, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.prediction import Prompting
from zeroshot_core.serving.loading import open_model

from langchain_zeroshot import PredictionOutput, ZeroShotPredictor

WINE, TIN = "dry red wine from Calabria, small bottle", "chicken pate for cats, small tin"
CHOSEN = {"reason": "Bubbles and lemons.", "label": "lemonade"}


class StreamingChatModel(RecordedChatModel):
    """Sends the arguments of its call piece by piece."""

    def _stream(self, messages: Any, *args: Any, name: str, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        call = self._generate(messages, name=name).generations[0].message.tool_calls[0]
        written = json.dumps(call["args"])
        for at in range(0, len(written), 5):
            chunk = {"name": name if not at else None, "args": written[at : at + 5], "id": "1", "index": 0}
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[chunk]))


class Runs(BaseCallbackHandler):
    """Which runs began under which, and the tokens that were told."""

    def __init__(self) -> None:
        self.parents: dict[Any, Any] = {}
        self.models: list[Any] = []
        self.tokens: list[str] = []

    def on_chain_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self.parents[run_id] = parent_run_id

    def on_chat_model_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self.parents[run_id] = parent_run_id
        self.models.append(run_id)

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)

    def roots_of_models(self) -> set[Any]:
        roots = set()
        for run in self.models:
            while self.parents[run] is not None:
                run = self.parents[run]
            roots.add(run)
        return roots


def predictor(model: Path, llm: Any, **options: Any) -> ZeroShotPredictor:
    return ZeroShotPredictor(model=model, llm=llm, **options)


def told(output: PredictionOutput) -> tuple[Any, ...]:
    return output.value, output.reason, output.fallback


def test_a_chat_model_chooses_among_the_candidates_by_the_evidence(saved_classifier: Path) -> None:
    llm = RecordedChatModel(answers={WINE: CHOSEN})
    output = predictor(saved_classifier, llm).invoke(WINE)
    plain = ZeroShotPredictor(model=saved_classifier).invoke(WINE)
    assert (plain.value, told(plain)[1:]) == ("red wine", ("", ""))
    assert told(output) == ("lemonade", "Bubbles and lemons.", "")
    assert output.explanation.startswith("Bubbles and lemons. Predicted lemonade (red wine ")
    assert output.probabilities == pytest.approx(plain.probabilities)
    assert [d.id for d in output.documents] == [d.id for d in plain.documents]
    assert f'"{plain.documents[0].page_content}" is labelled "red wine"' in llm.prompts[0]


async def test_every_way_of_running_it_gives_the_same(saved_classifier: Path) -> None:
    llm = StreamingChatModel(answers={WINE: CHOSEN, TIN: {"reason": "Cats.", "label": "cat food"}})
    chain = predictor(saved_classifier, llm)
    wine, tin = told(chain.invoke(WINE)), told(chain.invoke(TIN))
    assert (wine[0], tin[0]) == ("lemonade", "cat food")
    assert told(await chain.ainvoke(WINE)) == wine
    assert [told(output) for output in chain.batch([WINE, TIN])] == [wine, tin]
    assert [told(output) for output in await chain.abatch([WINE, TIN])] == [wine, tin]
    assert told(list(chain.stream(WINE))[-1]) == wine
    assert told([output async for output in chain.astream(WINE)][-1]) == wine
    assert told(list((RunnableLambda(str.strip) | chain).stream(WINE))[-1]) == wine


async def test_a_stream_gives_the_reason_as_it_grows(saved_classifier: Path) -> None:
    chain = predictor(saved_classifier, StreamingChatModel(answers={WINE: CHOSEN}))
    for outputs in (list(chain.stream(WINE)), [output async for output in chain.astream(WINE)]):
        *drafts, last = outputs
        reasons = [draft.reason for draft in drafts]
        assert len(set(reasons)) > 3
        assert all(last.reason.startswith(reason) for reason in reasons)
        assert {draft.value for draft in drafts} == {"red wine"}
        assert told(last) == ("lemonade", "Bubbles and lemons.", "")


async def test_a_model_without_structured_output_answers_in_text(saved_classifier: Path) -> None:
    answer = 'Here it is: {"reason": "Bubbles.", "label": "Lemonade"}'
    chain = predictor(saved_classifier, GenericFakeChatModel(messages=iter([answer] * 4)))
    assert told(chain.invoke(WINE)) == ("lemonade", "Bubbles.", "")
    assert told(await chain.ainvoke(WINE)) == ("lemonade", "Bubbles.", "")
    assert told(list(chain.stream(WINE))[-1]) == ("lemonade", "Bubbles.", "")
    drafts = [output.reason async for output in chain.astream(WINE)]
    assert drafts[0] == ""
    assert drafts[-1] == "Bubbles."


async def test_a_model_that_is_down_leaves_the_classifiers_label_and_says_so(saved_classifier: Path) -> None:
    llm = RecordedChatModel(answers={WINE: ConnectionError("refused"), TIN: CHOSEN})
    chain = predictor(saved_classifier, llm)
    down = ("red wine", "", "it failed with ConnectionError: refused")
    runs = Runs()
    assert told(chain.invoke(WINE, {"callbacks": [runs]})) == down
    assert "Not chosen by the language model: it failed" in chain.invoke(WINE).explanation
    assert [told(output)[0] for output in chain.batch([WINE, TIN])] == ["red wine", "lemonade"]
    assert told(await chain.ainvoke(WINE)) == down
    assert told(list(chain.stream(WINE))[-1]) == down
    assert told([output async for output in chain.astream(WINE)][-1]) == down


def test_a_label_that_is_no_candidate_is_not_taken(saved_classifier: Path) -> None:
    llm = RecordedChatModel(answers={WINE: {"reason": "It is tasty.", "label": "food"}})
    value, reason, fallback = told(predictor(saved_classifier, llm).invoke(WINE))
    assert (value, reason) == ("red wine", "")
    assert fallback.startswith("it answered badly, expected one of red wine, ")
    assert fallback.endswith("got 'food'")


async def test_the_model_runs_under_the_predictor_with_its_callbacks(saved_classifier: Path) -> None:
    chain = predictor(saved_classifier, GenericFakeChatModel(messages=iter(["lemonade"] * 6)))
    for run in (
        lambda config: chain.invoke(WINE, config),
        lambda config: chain.batch([WINE, TIN], config),
        lambda config: list(chain.stream(WINE, config)),
    ):
        runs = Runs()
        run({"callbacks": [runs]})
        roots = [run for run, parent in runs.parents.items() if parent is None]
        assert runs.roots_of_models() == set(roots)
    assert "lemonade" in runs.tokens
    runs = Runs()
    await chain.ainvoke(WINE, {"callbacks": [runs]})
    await chain.ainvoke(TIN, {"callbacks": [runs]})
    assert len(runs.roots_of_models()) == 2


def test_errors_of_the_input_come_first_and_in_their_places(saved_classifier: Path) -> None:
    chain = predictor(saved_classifier, FakeListChatModel(responses=["lemonade"]))
    good, bad = chain.batch([WINE, {"concepts": []}], return_exceptions=True)
    assert good.value == "lemonade"
    assert isinstance(bad, InvalidInputError)
    good, bad = asyncio.run(chain.abatch([WINE, " "], return_exceptions=True))
    assert good.value == "lemonade"
    assert isinstance(bad, InvalidInputError)
    with pytest.raises(InvalidInputError):
        list(chain.stream(" "))


def test_what_goes_into_the_prompt_can_be_set(saved_classifier: Path) -> None:
    llm = RecordedChatModel(answers={WINE: CHOSEN})
    prompting = Prompting(n_candidates=2, instructions="Think of the shelf.")
    output = predictor(saved_classifier, llm, prompting=prompting).invoke(WINE)
    assert "Think of the shelf." in llm.prompts[0]
    assert "answered badly" in output.fallback


def test_a_regressor_has_no_labels_to_choose_from() -> None:
    chain = ZeroShotPredictor(model=ZeroShotRegressor(HashEncoder()), llm=FakeListChatModel(responses=["7"]))
    with pytest.raises(InvalidInputError, match=r"expected a ZeroShotClassifier .* got ZeroShotRegressor"):
        chain.invoke(WINE)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_its_settings_survive_dumps_and_loads(saved_classifier: Path) -> None:
    prompting = Prompting(n_candidates=3, instructions="Be quick.")
    chain = ZeroShotPredictor(model=saved_classifier, prompting=prompting)
    again = loads(dumps(chain), allowed_objects=[ZeroShotPredictor], valid_namespaces=["langchain_zeroshot"])
    assert again.prompting == prompting


def test_the_loop_keeps_turning_while_labels_are_looked_up(saved_classifier: Path, ticks_during: Any) -> None:
    chain = predictor(saved_classifier, FakeListChatModel(responses=["lemonade"]))
    model = open_model(saved_classifier)
    assert ticks_during(model, "explain", lambda: chain.ainvoke(WINE)) >= 5
    assert ticks_during(model, "explain", lambda: chain.abatch([WINE])) >= 5
