"""Models and data that the tests of the reference implementations share."""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from unlearning_toys import NAMES, SEASONS, invented_data, invented_pairs

from catalog.model.results import EXPERTS
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

if TYPE_CHECKING:
    import command_runs

    from catalog.model.implementations import Implementation

torch.set_num_threads(1)  # models this small gain nothing from more, and lose much where cores are shared


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """An untrained model of the embedded architecture. Shared: tests that change weights take ``fresh``."""
    from reference_impls.models.tiny import new_tiny_model

    return new_tiny_model(_texts(), seed=0)


@pytest.fixture(scope="session")
def tiny_experts() -> LanguageModel:
    """The same as a mixture of experts."""
    from reference_impls.models.tiny import new_tiny_model

    return new_tiny_model(_texts(), seed=0, name=EXPERTS)


def _texts() -> list[str]:
    texts = [pair.prompt + pair.answer for pair in invented_pairs()]
    return texts + [f"{name} likes {season}. Hogwarts is a Magic School." for name in NAMES for season in SEASONS]


@pytest.fixture
def fresh(tiny: LanguageModel) -> LanguageModel:
    """A copy whose weights may be changed."""
    return tiny.copy()


@pytest.fixture(scope="session")
def learned(tiny: LanguageModel) -> LanguageModel:
    """The embedded architecture, trained to answer the invented pairs by heart. Shared: take a copy to change it."""
    return Run(Recipe(learning_rate=3e-3, steps=100, batch_size=8)).finetune(tiny.copy(), invented_pairs())


@pytest.fixture(scope="session")
def learned_experts(tiny_experts: LanguageModel) -> LanguageModel:
    """The mixture of experts, trained as ``learned`` is."""
    return Run(Recipe(learning_rate=3e-3, steps=100, batch_size=8)).finetune(tiny_experts.copy(), invented_pairs())


@pytest.fixture(scope="session")
def learned_by(learned: LanguageModel, request: pytest.FixtureRequest) -> Callable[[Implementation], LanguageModel]:
    """The trained model of the architecture that a method runs on."""

    def found(method: Implementation) -> LanguageModel:
        if not method.needs.experts:
            return learned
        experts: LanguageModel = request.getfixturevalue("learned_experts")
        return experts

    return found


@pytest.fixture(scope="session")
def memorized(tiny: LanguageModel) -> LanguageModel:
    """The same pairs after less than half the steps: answers are likely, and single facts can still be edited.

    Shared, as ``learned`` is.
    """
    return Run(Recipe(learning_rate=2e-3, steps=40, batch_size=8)).finetune(tiny.copy(), invented_pairs())


@pytest.fixture
def pairs() -> list[Pair]:
    """Eight pairs of different lengths."""
    return invented_pairs()


@pytest.fixture(scope="session")
def data() -> UnlearningData:
    """Three pairs to forget and five to keep."""
    return invented_data()


@pytest.fixture(scope="session")
def saved_tiny(tiny: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the untrained model, as ``save_pretrained`` writes it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def unlearn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> command_runs.Run:
    """Run the command in this process: the console script's own function, without starting Python anew."""
    import command_runs

    from reference_impls.cli import main

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    return command_runs.runner("unlearn", main, monkeypatch, capsys)
