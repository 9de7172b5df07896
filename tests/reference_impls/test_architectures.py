"""What has to hold whatever a family calls its parts: methods and attacks on many architectures, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import invented_data, invented_pairs

from reference_impls.attacks.logit_lens import lens_probabilities
from reference_impls.attacks.quantization import quantized
from reference_impls.errors import UnsupportedModelError
from reference_impls.methods.modular.eul import EUL
from reference_impls.models.architectures import ALL, DENSE, EXPERTS, MULTIMODAL, WIDTH, small_model, small_network
from reference_impls.models.pretrained import skeleton
from reference_impls.running.attacking import attack_each
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import find_attack, find_method, method_class
from reference_impls.running.runner import run
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import (
    Encoded,
    LanguageModel,
    NotApplicableError,
    Part,
    Recipe,
    Run,
    Splits,
    Task,
    check,
    is_causal,
    memories,
    smoothed,
)
from reference_impls.toolkit.architecture import hidden_states, states_of

STEERING = ("rmu", "adaptive-rmu", "circuit-breakers", "lunar", "repnoise", "targeted-lat", "falcon")
INSIDE = (
    *("rome", "memit", "depn", *STEERING, "eul", "lora-negation", "sisa-adapters", "npo"),
    *("uld", "delta-unlearning", "eco", "grun", "asu"),
)
"""Methods that act on parts of a model, one that acts on its loss, and some that put something around it."""
ODD = ("opt", "gptj", MULTIMODAL, "openai-gpt", "mixtral", "qwen2_moe", "llama4_text", "mamba")
"""Architectures that have parts elsewhere, of another shape, or not at all."""
BEGIN_DENSE = ("deepseek_v3", "jamba")
"""Architectures whose first blocks have no experts."""
OTHERWISE_SCALED = ("gptj", "bloom", "falcon", "gpt_neo", "openai-gpt", "mamba")
"""Architectures without attention, or without one factor on its scores that could be changed."""


pytestmark = [
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False but:UserWarning"),
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match:RuntimeWarning"),
]


def _run() -> Run:
    return Run(Recipe(learning_rate=1e-2, steps=1, batch_size=2))


@pytest.mark.parametrize("family", ALL)
def test_the_blocks_are_those_that_text_goes_through_and_the_rest_of_the_model_reads_their_output(
    family: str, tiny: LanguageModel
) -> None:
    model = small_model(family, tiny.tokenizer)
    assert len(model.blocks) == model.layers == 2
    assert is_causal(model.model)
    assert model.width == WIDTH
    batch = model.encode(invented_pairs()[:2])
    kept: list[Any] = []
    handle = model.blocks[-1].register_forward_hook(lambda module, given, out: kept.append(out))
    with torch.no_grad():
        logits = model.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    handle.remove()
    states = states_of(kept[0])
    assert_allclose(model.read_out(states[0]).detach(), logits[0], atol=1e-4)
    normed = hidden_states(model.model, batch.input_ids, batch.attention_mask)
    assert_allclose(model.normed(states[0]).detach(), normed[0].detach(), atol=1e-4)
    assert_allclose(model.token_logits(batch)[0].logits.detach(), logits[batch.supervised], atol=1e-4)


@pytest.mark.parametrize("family", ODD)
@pytest.mark.parametrize("method", INSIDE)
def test_a_method_runs_on_a_model_or_says_in_a_line_what_is_missing(
    method: str, family: str, tiny: LanguageModel
) -> None:
    model, found = small_model(family, tiny.tokenizer), method_class(find_method(method))
    before = [weight.detach().clone() for weight in model.model.parameters()]
    missing = {"gptj": {"attention"}, "openai-gpt": {"attention"}, "mamba": set(get_args(Part)) - {"blocks"}}.get(
        family, set()
    )
    missing |= {"memories"} if family in EXPERTS else set()
    if missing.intersection(found.parts):
        with pytest.raises(UnsupportedModelError, match=type(model.model).__name__) as refused:
            check(method, found.parts, model.model)
        assert "\n" not in str(refused.value)
        return
    check(method, found.parts, model.model)
    unlearned = found().unlearn(model, invented_data(), _run())
    (values,) = unlearned.answer_logprobs([invented_pairs()[0].prompt], [invented_pairs()[0].answer])
    assert bool(values.isfinite().all())
    changed = any(not torch.equal(one, two) for one, two in zip(before, model.model.parameters(), strict=False))
    assert changed or not isinstance(unlearned, LanguageModel)


@pytest.mark.parametrize("family", ALL)
def test_attention_is_smoothed_for_a_while_and_nothing_else_is_changed_or_it_is_refused(
    family: str, tiny: LanguageModel
) -> None:
    model = small_model(family, tiny.tokenizer)
    batch = model.encode(invented_pairs()[:2])
    before = _logits(model, batch)
    if family in OTHERWISE_SCALED:
        with pytest.raises(UnsupportedModelError, match=type(model.model).__name__), smoothed(model, 3.0):
            pass
    else:
        with smoothed(model, 1.0):
            assert_allclose(_logits(model, batch), before)
        with smoothed(model, 3.0):
            assert not torch.allclose(_logits(model, batch), before, atol=1e-4)
        with pytest.raises(KeyError), smoothed(model, 3.0):
            raise KeyError
    assert_allclose(_logits(model, batch), before)


def _logits(model: LanguageModel, batch: Encoded) -> torch.Tensor:
    """What is expected at the answers' tokens."""
    with torch.no_grad():
        return model.token_logits(batch)[0].logits


@pytest.mark.parametrize(("method", "family"), [("rome", "opt"), ("rome", MULTIMODAL), ("depn", "opt")])
def test_what_an_edit_reads_is_what_a_single_sequence_gives(method: str, family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer)
    (memory,) = memories(model, [1])
    together = memory.subject_keys(model, invented_pairs())
    for row, pair in enumerate(invented_pairs()):
        assert_allclose(memory.subject_keys(model, [pair])[0], together[row], atol=1e-4)


@pytest.mark.parametrize("family", [name for name in EXPERTS if name not in BEGIN_DENSE])
@pytest.mark.parametrize("method", ["rmu", "constrained-ft"])
def test_experts_are_trained_with_the_rest_of_a_block(method: str, family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer)
    experts = [weight for name, weight in model.model.named_parameters() if "experts.down_proj" in name]
    before = [weight.detach().clone() for weight in experts]
    method_class(find_method(method))().unlearn(model, invented_data(), _run())
    assert any(not torch.equal(one, other) for one, other in zip(before, experts, strict=True))


@pytest.mark.parametrize(
    ("family", "part"),
    [("qwen2_moe", "experts"), ("llama4_text", "routers"), ("mamba", "state-space"), ("jamba", "state-space")],
)
def test_what_adapters_leave_alone_is_said(family: str, part: str, tiny: LanguageModel) -> None:
    run = _run()
    method_class(find_method("lora-negation"))().unlearn(small_model(family, tiny.tokenizer), invented_data(), run)
    (note,) = run.notes
    assert part in note


@pytest.mark.parametrize("family", ALL)
def test_rounding_rounds_every_matrix_of_the_blocks(family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer)
    skipped = (
        "norm",
        "ln",
        "embed",
        "wte",
        "wpe",
        "bias",
        "lm_head",
        "embed_out",
        "conv1d",
        "A_log",
        ".D",
        "gate.weight",
        "router.weight",
        "multi_modal",
    )
    matrices = {
        name: weight.detach().clone()
        for name, weight in model.model.named_parameters()
        if weight.dim() >= 2 and not any(part in name for part in skipped) and "vision" not in name
    }
    quantized(model, 4)
    after = dict(model.model.named_parameters())
    assert matrices
    assert [name for name, weight in matrices.items() if torch.equal(weight, after[name])] == []
    for name in matrices:
        rows = after[name].T if family in ("gpt2", "openai-gpt") else after[name].flatten(0, -2)
        steps = rows.abs().amax(dim=1, keepdim=True) / 7
        assert_allclose((rows / steps).detach(), (rows / steps).round().detach(), atol=1e-3, err_msg=name)


def test_rounding_nothing_is_no_measurement(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LanguageModel, "matrices", lambda self: [])
    with pytest.raises(NotApplicableError, match="no weight matrix"):
        quantized(tiny.copy(), 8)


@pytest.mark.parametrize("family", ALL)
def test_the_lens_reads_every_architecture(family: str, tiny: LanguageModel) -> None:
    values = lens_probabilities(small_model(family, tiny.tokenizer), invented_pairs()[:2])
    assert len(values) == 1
    assert 0 < values[0] < 1


def test_an_attack_that_does_not_apply_is_left_out_and_said(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = tuple(invented_pairs())
    chosen = [find_attack("logit-lens"), find_attack("unwrapping"), find_attack("quantization")]
    monkeypatch.setattr(LanguageModel, "read_out", lambda self, states: _fail())
    task = type("_Task", (Task,), {"splits": lambda self, model: Splits(pairs, pairs)})()
    tried = attack_each(tiny, task, Splits(pairs[:2], pairs[2:]), 0, chosen=chosen)
    assert set(tried.found) == {"quantization_8", "quantization_4"}
    assert set(tried.left_out) == {"Logit lens", "Unwrapping"}
    assert "no blocks here" in tried.left_out["Logit lens"]


def _fail() -> torch.Tensor:
    raise UnsupportedModelError("no blocks here")


# Before anything is loaded


@pytest.mark.parametrize(
    ("method", "family"), [("rome", "mixtral"), ("memit", "qwen2_moe"), ("rmu", "mamba"), ("eul", "mamba")]
)
def test_support_is_asked_before_any_weight_is_read(
    method: str, family: str, tiny: LanguageModel, saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / family
    small_network(family, len(tiny.tokenizer)).config.save_pretrained(folder)  # no weights are there at all
    with pytest.raises(UnsupportedModelError, match=f"does not run on {type(skeleton(str(folder))).__name__}"):
        run(Experiment(method, model=str(folder)), FilesTask(saved, saved))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "Who?", "answer": "Ana."}\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ALL)
def test_a_skeleton_has_the_parts_and_no_weights(family: str, tiny: LanguageModel, tmp_path: Path) -> None:
    small_network(family, len(tiny.tokenizer)).config.save_pretrained(tmp_path)
    network = skeleton(str(tmp_path))
    assert network is not None
    assert {weight.device.type for weight in network.parameters()} == {"meta"}
    check("EUL", EUL.parts if family in (*DENSE, MULTIMODAL) else ("blocks",), network)
