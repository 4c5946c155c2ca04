"""Both adapters with a real, small model that chooses the label; whether it chooses well is not asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_llm import SmallChatModel, SmallLLM
from zeroshot_core.prediction import Prompting

from langchain_zeroshot import ZeroShotPredictor
from llama_index_zeroshot import ZeroShotQueryEngine

WINE = "dry red wine from Calabria"
SHORT = Prompting(n_candidates=3, max_prompt_tokens=250)


@pytest.mark.slow
def test_a_real_chat_model_of_langchain_chooses_one_of_the_candidates(saved_classifier: Path) -> None:
    output = ZeroShotPredictor(model=saved_classifier, llm=SmallChatModel(), prompting=SHORT).invoke(WINE)
    assert output.fallback == ""
    assert output.reason
    assert output.value in sorted(output.probabilities, key=output.probabilities.get)[-3:]


@pytest.mark.slow
def test_a_real_model_of_llama_index_chooses_one_of_the_candidates(saved_classifier: Path) -> None:
    response = ZeroShotQueryEngine(saved_classifier, llm=SmallLLM(), prompting=SHORT).query(WINE)
    shares = response.metadata["probabilities"]
    assert response.metadata["fallback"] == ""
    assert response.metadata["reason"]
    assert response.metadata["value"] in sorted(shares, key=shares.get)[-3:]
