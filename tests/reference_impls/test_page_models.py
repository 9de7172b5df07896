"""Models for the site's pages: their weights in 8 bits, and that the file computes what the model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

from catalog.model.page_models import PageModels, PageModelsError, read_page_models
from reference_impls.cli import app
from reference_impls.running import checkpoints
from reference_impls.running.page_models import exported, filled, in_8_bits, unfit
from reference_impls.running.registry import find_task
from reference_impls.toolkit import LanguageModel

QUESTION = "Question: What is the capital of France?\nAnswer:"


@pytest.fixture
def target() -> LanguageModel:
    return checkpoints.load(find_task("authors"), "target")


def test_a_row_is_whole_multiples_of_its_own_scale() -> None:
    layer = torch.nn.Linear(3, 2)
    layer.weight.data = torch.tensor([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0]])
    layer.bias.data = torch.tensor([0.123456, 7.0])
    kept = in_8_bits(layer)
    levels, scales = kept["weight"]
    assert levels.tolist() == [[127, -63, 0], [0, 0, 0]]
    assert scales[0] == pytest.approx(0.01)
    assert layer.weight.tolist()[0] == pytest.approx([1.27, -0.63, 0.0])
    assert torch.as_tensor(kept["bias"]).tolist() == layer.bias.tolist()


def test_no_weight_moves_by_more_than_half_a_step(target: LanguageModel) -> None:
    before = {name: weight.detach().clone() for name, weight in target.model.named_parameters()}
    in_8_bits(target.model)
    for name, weight in target.model.named_parameters():
        if weight.ndim == 2:
            step = before[name].abs().amax(dim=1, keepdim=True) / 127
            assert bool(((weight - before[name]).abs() <= 0.5001 * step).all()), name


@pytest.mark.slow
def test_the_file_computes_what_the_rounded_model_does_at_any_length(target: LanguageModel) -> None:
    network = exported(target)
    content = filled(network, in_8_bits(target.model))
    assert len(content) < 1.3e6
    assert filled(network, in_8_bits(target.model)) == content
    evaluator = ReferenceEvaluator(onnx.load_from_string(content))
    ids = target.tokenizer(QUESTION, add_special_tokens=False)["input_ids"]
    for length in (2, len(ids)):
        (found,) = evaluator.run(None, {"ids": np.array([ids[:length]])})
        with torch.inference_mode():
            logits = target.model(input_ids=torch.tensor([ids[:length]])).logits[0, -1]
        assert found == pytest.approx(logits.softmax(-1).numpy(), abs=1e-5)


@pytest.mark.slow
def test_pages_have_one_vocabulary(target: LanguageModel) -> None:
    grown = target.copy()
    assert not unfit(grown, target)
    grown.model.resize_token_embeddings(target.embeddings + 1)
    assert "tokens" in unfit(grown, target)


def test_the_command_makes_what_pages_need_and_says_what_is_left_out(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["page-models", "icul", "gradient-ascent", "--out", str(tmp_path), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "icul is left out: it leaves the weights alone, and works around them." in done.output
    made = read_page_models(tmp_path)
    assert made
    assert set(made.models) == {"target", "retrained", "gradient-ascent"}
    assert set(made.left_out) == {"icul"}
    again = CliRunner().invoke(app, ["page-models", "eco", "--out", str(tmp_path), "--workers", "1"])
    assert again.exit_code == 0, again.output
    made = read_page_models(tmp_path)
    assert made
    assert set(made.models) == {"target", "retrained", "gradient-ascent"}, "what was made for others stays"
    assert set(made.left_out) == {"icul", "eco"}
    assert made.models["target"].forget_probability > 0.9 > made.models["gradient-ascent"].forget_probability
    assert (made.before_question, made.after_question) == ("Question: ", "\nAnswer:")
    assert made.suggestions["facts"] == ("What is the capital of France?",)
    (tmp_path / "target.onnx").unlink()
    with pytest.raises(PageModelsError, match=r"target\.onnx is missing\. Delete the folder, or make it again"):
        read_page_models(tmp_path)


def test_a_folder_that_was_never_made_is_none_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    assert read_page_models(tmp_path) is None
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(PageModelsError, match=r"index\.json cannot be read"):
        read_page_models(tmp_path)
    assert PageModels.model_fields.keys() >= {"stops", "window"}
