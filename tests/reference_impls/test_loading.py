"""Checkpoints that are not what they seem are refused in a line; those that are come back in their own precision."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_runs
import pytest
import torch
from safetensors.torch import load_file, save_file
from unlearning_toys import fingerprint, invented_pairs, write_rows

from reference_impls.errors import UsageError
from reference_impls.models.architectures import small_network
from reference_impls.models.loading import Loading
from reference_impls.models.pretrained import load_pretrained
from reference_impls.running.evaluate_saved import evaluate_saved
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import find_method
from reference_impls.running.runner import run
from reference_impls.running.saving import save
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import LanguageModel, Pair

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(saved_tiny: Path, tmp_path: Path) -> Path:
    """A copy of the untrained model that may be changed."""
    return Path(shutil.copytree(saved_tiny, tmp_path / "model"))


def _renamed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda weights: {f"{prefix}{name}": one for name, one in weights.items()}


def _without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda weights: {name: one for name, one in weights.items() if part not in name}


def _with(name: str) -> Callable[[Tensors], Tensors]:
    return lambda weights: weights | {name: torch.zeros(2)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_renamed("_orig_mod."), "has no lm_head.weight, model.embed_tokens.weight, model.layers.0."),
        (_renamed("module."), "has no lm_head.weight, model.embed_tokens.weight, model.layers.0."),
        (_renamed("base_model."), "has no lm_head.weight, model.embed_tokens.weight, model.layers.0."),
        (_without("layers.3."), "has no model.layers.3."),
        (_without("norm"), "norm.weight"),
        (_with("v_head.weight"), "has v_head.weight, which this model does not know"),
        (_with("model.layers.9.mlp.up_proj.weight"), "has model.layers.9.mlp.up_proj.weight, which"),
    ],
)
def test_a_checkpoint_with_other_weights_than_the_models_is_refused(
    change: Callable[[Tensors], Tensors], says: str, folder: Path
) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, {"format": "pt"})
    with pytest.raises(UsageError, match="could not be loaded: the checkpoint does not fit LlamaForCausalLM") as caught:
        load_pretrained(str(folder))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_weight_of_another_shape_is_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file(weights | {"model.norm.weight": torch.ones(7)}, file, {"format": "pt"})
    with pytest.raises(UsageError, match="could not be loaded"):
        load_pretrained(str(folder))


def _configured(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("quantized", "kind"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptq"),
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "torchao"),
        ({"quant_method": "fp8"}, "fp8"),
    ],
)
def test_a_quantized_checkpoint_is_refused_before_its_weights_are_read(
    quantized: dict[str, Any], kind: str, folder: Path
) -> None:
    _configured(folder, quantization_config=quantized)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=rf"quantized \({kind}\), and rounded weights cannot be trained"):
        load_pretrained(str(folder))


@pytest.mark.parametrize("config", [True, False])
def test_an_adapter_is_told_to_be_merged(config: bool, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "adapter_model.safetensors").write_bytes(b"")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}', encoding="utf-8")
    if not config:
        (folder / "config.json").unlink()
    with pytest.raises(UsageError, match=r"holds an adapter of 'some/base' and no model\. Merge it"):
        load_pretrained(str(folder))


def test_a_model_that_sees_what_it_should_predict_is_refused(folder: Path, tiny: LanguageModel) -> None:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=len(tiny.tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    (folder / "model.safetensors").unlink()
    BertForMaskedLM(config).save_pretrained(folder)
    with pytest.raises(UsageError) as caught:
        load_pretrained(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no/such/folder", "./nowhere", "/nowhere/at/all", "two words"])
def test_a_folder_that_is_not_there_is_said_to_be_so(name: str) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        load_pretrained(name)


# What could run


class _Payload:
    """Unpickled, it writes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.place}'",)


def _pickled(folder: Path, content: object, **how: bool) -> Path:
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin", **how)
    return folder / "pytorch_model.bin"


def test_pickled_weights_are_read_as_tensors(folder: Path, saved_tiny: Path) -> None:
    _pickled(folder, load_file(folder / "model.safetensors"))
    assert fingerprint(load_pretrained(str(folder)).model) == fingerprint(load_pretrained(str(saved_tiny)).model)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_what_is_pickled_besides_tensors_is_not_run(
    zipped: bool, beside: bool, folder: Path, tmp_path: Path, unlearn: command_runs.Run
) -> None:
    ran = tmp_path / "ran"
    weights = load_file(folder / "model.safetensors") if beside else {}
    file = _pickled(folder, {**weights, "more": _Payload(ran)}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match=r"its weights are pickled .* Nothing in them was run\. Ask for .*safetensors"):
        load_pretrained(str(folder))
    write_rows(tmp_path / "rows", invented_pairs())
    said = unlearn("eval", str(folder), "--forget", str(tmp_path / "rows"), "--retain", str(tmp_path / "rows"))
    assert said.status != 0
    assert said.err.count("\n") == 1
    assert "weights are pickled" in said.err
    assert not ran.exists()
    torch.load(file, weights_only=False)  # what would have happened
    assert ran.exists()


@pytest.mark.parametrize("content", [[1, 2], None, {1: torch.zeros(2)}, torch.zeros(3), {"state_dict": {"a": 1}}])
def test_other_things_than_weights_are_refused_in_a_sentence(content: object, folder: Path) -> None:
    _pickled(folder, content)
    with pytest.raises(UsageError, match="could not be loaded") as caught:
        load_pretrained(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"version https://git-lfs", b"\x80\x02h\x05.", b"\x80\x02N.", b"PK\x03\x04"]
)
def test_damaged_pickles_are_refused_in_a_sentence(content: bytes, folder: Path) -> None:
    _pickled(folder, None).write_bytes(content)
    with pytest.raises(UsageError, match="could not be loaded") as caught:
        load_pretrained(str(folder))
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value), "nobody is advised to run what is in there"


CODE = """
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM

Path({place!r}).write_text("ran")


class OddConfig(LlamaConfig):
    model_type = "odd"


class OddForCausalLM(LlamaForCausalLM):
    config_class = OddConfig
"""


@pytest.fixture
def with_code(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A folder with code of its own for a model that the library does not know, and the file that it writes."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("builtins.input", lambda _: "y")  # whoever presses a key at the wrong time
    place = tmp_path / "ran"
    (folder / "odd.py").write_text(CODE.format(place=str(place)), encoding="utf-8")
    names = {"AutoConfig": "odd.OddConfig", "AutoModelForCausalLM": "odd.OddForCausalLM"}
    _configured(folder, model_type="odd", architectures=["OddForCausalLM"], auto_map=names)
    return folder, place


def test_code_of_a_model_is_not_run_unless_asked_for(with_code: tuple[Path, Path], task: FilesTask) -> None:
    folder, place = with_code
    with pytest.raises(UsageError, match=r"code of its own, which is not run unless you say so.*--trust-remote-code"):
        load_pretrained(str(folder))
    for method in ("ga", "rmu"):  # the second looks at the network first
        with pytest.raises(UsageError, match="code of its own"):
            run(Experiment(method, model=str(folder), recipe={"steps": 1}), task)
    assert not place.exists()


def test_code_of_a_model_that_was_run_is_on_the_record(with_code: tuple[Path, Path], task: FilesTask) -> None:
    folder, place = with_code
    trusting = Loading(trust_remote_code=True)
    outcome = run(Experiment("ga", model=str(folder), recipe={"steps": 1}, loading=trusting), task)
    assert place.exists()
    assert f"Code that came with the model '{folder}' was run to load it (--trust-remote-code)." in outcome.result.notes
    assert "--trust-remote-code" in outcome.result.command


def test_trust_that_nothing_needed_is_no_note(saved_tiny: Path) -> None:
    assert load_pretrained(str(saved_tiny), Loading(trust_remote_code=True)).notes == ()


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_for_what_the_library_knows_itself_is_left_alone(where: str, folder: Path, tmp_path: Path) -> None:
    (folder / "odd.py").write_text(CODE.format(place=str(tmp_path / "ran")), encoding="utf-8")
    said = json.loads((folder / where).read_text("utf-8"))
    said["auto_map"] = {"AutoModelForCausalLM": "odd.OddForCausalLM", "AutoTokenizer": ["odd.Odd", "odd.Odd"]}
    (folder / where).write_text(json.dumps(said), encoding="utf-8")
    assert load_pretrained(str(folder)).notes == ()
    assert not (tmp_path / "ran").exists()


# Precision


@pytest.fixture
def task(tmp_path: Path) -> FilesTask:
    for name, rows in (("forget", invented_pairs()[:3]), ("retain", invented_pairs()[3:])):
        write_rows(tmp_path / name, rows)
    return FilesTask(tmp_path / "forget", tmp_path / "retain")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_checkpoint_is_trained_in_32_bits_and_saved_in_its_own(
    dtype: torch.dtype, task: FilesTask, tiny: LanguageModel, tmp_path: Path
) -> None:
    start, out = tmp_path / "start", tmp_path / "out"
    tiny.copy().model.to(dtype).save_pretrained(start)
    tiny.tokenizer.save_pretrained(start)
    outcome = run(Experiment("npo", model=str(start), recipe={"steps": 2, "learning_rate": 1e-3}), task)
    assert isinstance(outcome.model, LanguageModel)
    assert outcome.model.model.dtype == torch.float32
    held = fingerprint(outcome.model.model)
    save(out, outcome.model, find_method("npo"), outcome.result)
    assert fingerprint(outcome.model.model) == held
    assert {one.dtype for one in load_file(out / "model.safetensors").values()} == {dtype}
    assert json.loads((out / "config.json").read_text("utf-8"))["dtype"] == str(dtype).removeprefix("torch.")
    assert evaluate_saved(str(out), task, lambda *_: None).metrics == pytest.approx(outcome.result.metrics, abs=1e-6)


def test_a_precision_that_is_asked_for_is_used_recorded_and_its_price_said(task: FilesTask, saved_tiny: Path) -> None:
    outcome = run(Experiment("ga", model=str(saved_tiny), recipe={"steps": 1}, loading=Loading(dtype="bfloat16")), task)
    assert isinstance(outcome.model, LanguageModel)
    assert outcome.model.model.dtype == torch.bfloat16
    assert "--dtype bfloat16" in outcome.result.command
    assert any("bfloat16" in note for note in outcome.result.notes)


# Windows


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_model_reads_no_more_than_it_was_made_for(family: str, tiny: LanguageModel) -> None:
    changes: dict[str, Any] = {"n_positions": 24} if family == "gpt2" else {"max_position_embeddings": 24}
    model = LanguageModel(small_network(family, len(tiny.tokenizer), **changes), tiny.tokenizer)
    assert model.max_length == 24
    long = "Ana Lund was born in spring of a year of storms. " * 9
    (values,) = model.pair_logprobs([Pair(long, long)])
    assert len(values) == 23
    for prompt in (long, "Who?", ""):
        assert len(model.generate([prompt], 64)) == 1
    assert LanguageModel(model.model, tiny.tokenizer, 9).max_length == 9
    assert LanguageModel(model.model, tiny.tokenizer, 900).max_length == 24


TEXTS = ("Ana Lund was born in spring. " * 40, "Hogwarts" * 60, "word\n\n" * 90 + "end", " " * 300, "é—ü " * 80)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("window", [8, 24, 100])
def test_a_long_text_is_read_whole_in_windows(text: str, window: int, tiny: LanguageModel) -> None:
    model = LanguageModel(tiny.model, tiny.tokenizer, window)
    pieces = model.windows(text)
    assert "".join(pieces) == text
    pairs = [Pair("", piece, closed=False) for piece in pieces]
    assert max(model.sizes(pairs)) <= window
    read = sum(len(values) for values in model.pair_logprobs(pairs))
    assert read == sum(len(model.tokenizer(piece)["input_ids"]) for piece in pieces)
    assert len(pieces) <= 2 + 3 * len(model.tokenizer(text)["input_ids"]) // (window - 2)


def test_rows_that_are_cut_are_counted_on_record_and_card(saved_tiny: Path, tmp_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    for name, rows in (("forget", [Pair("Who?", f" {long}"), Pair("Who?", " Ana.")]), ("retain", [Pair(long, " x")])):
        write_rows(tmp_path / name, rows)
    task = FilesTask(tmp_path / "forget", tmp_path / "retain")
    outcome = run(Experiment("ga", model=str(saved_tiny), recipe={"steps": 1}, loading=Loading(window=32)), task)
    assert outcome.result.window == 32
    forget, retain = outcome.result.notes
    assert forget.startswith("1 of 2 rows to forget are longer than the window of 32 tokens: ")
    assert retain.startswith("1 of 1 rows to keep are longer")
    save(tmp_path / "out", outcome.model, find_method("ga"), outcome.result)
    assert forget in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "--window 32" in outcome.result.command
    whole = run(Experiment("ga", model=str(saved_tiny), recipe={"steps": 1}), task)
    assert (whole.result.window, whole.result.notes) == (512, ())
