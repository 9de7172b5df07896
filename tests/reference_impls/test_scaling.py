"""A model that is large for its machine is trained as any other: the same losses and weights, or one line that says why
not.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from unlearning_toys import fingerprint, invented_data, invented_pairs, write_rows

from reference_impls.errors import UsageError
from reference_impls.models.architectures import small_model
from reference_impls.running import fitting
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import find_method, method_class, methods
from reference_impls.running.runner import run as run_experiment
from reference_impls.scaling import LoRA, Scaling
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, logprobs, mean_nll, weights_of
from reference_impls.toolkit.adapters import WithoutAdapters
from reference_impls.toolkit.processes import check_launch
from reference_impls.toolkit.savepoints import Savepoints, savepoints_in

if TYPE_CHECKING:
    import command_runs


RECIPE = Recipe(learning_rate=1e-3, steps=3, batch_size=3)


@pytest.fixture(scope="module")
def llama(tiny: LanguageModel) -> LanguageModel:
    """Two blocks of 16 numbers. Shared: tests take copies."""
    return small_model("llama", tiny.tokenizer)


@pytest.fixture
def own(tmp_path: Path, llama: LanguageModel) -> Callable[..., Experiment]:
    """An experiment with the small model and files of one's own."""
    llama.save(tmp_path / "model")
    for name, rows in (("forget", invented_pairs()[:3]), ("retain", invented_pairs()[4:6])):
        write_rows(tmp_path / name, rows)

    def experiment(method: str, **changes: Any) -> Experiment:
        recipe = {"steps": 6, "batch_size": 4, "learning_rate": 1e-2}
        return replace(Experiment(method, model=str(tmp_path / "model"), recipe=recipe), **changes)

    return experiment


@pytest.fixture
def task(own: object, tmp_path: Path) -> FilesTask:
    return FilesTask(tmp_path / "forget", tmp_path / "retain")


def _unlearned(method: str, model: LanguageModel, run: Run, lora: LoRA | None = None) -> dict[str, Tensor]:
    """The weights after a method with its own hyper-parameters, and those that it put around them."""
    copy = model.copy()
    adapted = run.adapt(copy, lora) if lora else None
    unlearned = method_class(find_method(method))().unlearn(copy, invented_data(), run)
    found = weights_of(unlearned)
    assert found is not None
    if adapted:
        adapted.merge()
    around = {} if isinstance(unlearned, LanguageModel) else unlearned.tensors()
    return {name: one.detach().clone() for name, one in (*found.model.named_parameters(), *around.items())}


def _farthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).detach().abs().max()) for name in one)


def _loss(model: LanguageModel, batch: Batch) -> Tensor:
    return mean_nll(*model.token_logits(batch.retain))


# In parts, and computed again


@pytest.mark.parametrize(
    ("method", "scaling"),
    [
        ("npo", Scaling(accumulate=2)),
        ("npo", Scaling(accumulate=7, gradient_checkpointing=True)),
        ("npo", Scaling(gradient_checkpointing=True)),
        ("pdu", Scaling(accumulate=3)),  # remembers its losses
        ("gru", Scaling(accumulate=2)),  # makes one gradient of two, and not linearly
        ("rmu", Scaling(accumulate=2, gradient_checkpointing=True)),  # looks at hidden states
        ("knowledge-sanitization", Scaling(accumulate=2)),
    ],
)
def test_a_batch_in_parts_gives_what_the_whole_gives_whatever_the_method_makes_of_it(
    method: str, scaling: Scaling, llama: LanguageModel
) -> None:
    whole = _unlearned(method, llama, Run(RECIPE, 3))
    assert _farthest(whole, dict(llama.model.named_parameters())) > 1e-4
    assert _farthest(_unlearned(method, llama, Run(RECIPE, 3, scaling=scaling)), whole) < 1e-5


@pytest.mark.parametrize(
    "method", ["npo", "dpo", "flat", "ce-u", "undial", "scrub", "random-labels", "unilogit", "npo-sam", "uld"]
)
def test_logits_in_parts_give_what_all_give_whatever_the_method_makes_of_them(
    method: str, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _unlearned(method, llama, Run(RECIPE, 3))
    monkeypatch.setattr(logprobs, "AT_ONCE", 3 * llama.embeddings)
    assert _farthest(_unlearned(method, llama, Run(RECIPE, 3)), whole) < 1e-5


@pytest.mark.parametrize("accumulate", [1, 2, 3, 9])
def test_no_more_than_a_part_of_a_batch_goes_through_the_model_at_once(
    accumulate: int, llama: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    backbone = LanguageModel._backbone

    def spied(self: LanguageModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        seen.append(len(input_ids))
        return backbone(self, input_ids, attention_mask)

    monkeypatch.setattr(LanguageModel, "_backbone", spied)

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        one, other = model.token_logits(batch.forget, batch.retain)
        return mean_nll(one) + mean_nll(other)

    Run(replace(RECIPE, steps=1), scaling=Scaling(accumulate=accumulate)).minimize(loss, llama.copy(), data)
    parts = min(accumulate, 6)
    assert max(seen) == -(-6 // parts)
    assert sum(seen) >= 6  # and once more where it is computed again


@pytest.mark.parametrize("family", ["gemma2", "gpt2", "mixtral"])
def test_other_architectures_go_in_parts_as_well(family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer, **({"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
                                                   if family == "gpt2" else {}))  # fmt: skip
    whole = _unlearned("npo", model, Run(RECIPE, 3))
    divided = _unlearned("npo", model, Run(RECIPE, 3, scaling=Scaling(accumulate=3, gradient_checkpointing=True)))
    assert _farthest(whole, divided) < 2e-5


def test_an_architecture_that_cannot_compute_again_is_named_before_it_is_loaded(
    own: Callable[..., Experiment], task: FilesTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="LlamaForCausalLM cannot compute the inside of its blocks again"):
        run_experiment(own("npo", scaling=Scaling(gradient_checkpointing=True)), task)


# Adapters


def _trains_where_it_is_told(method: Any) -> bool:
    return bool(method.trains == "all" and method.acts_on != "weights" and not method.weighs_weights)


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_every_method_trains_adapters_or_says_why_not(method: str) -> None:
    made = method_class(find_method(method))()
    if _trains_where_it_is_told(made):
        fitting.check_method(made, method, Scaling(LoRA()), 1)
        return
    with pytest.raises(UsageError, match="does not train with --lora: it") as caught:
        fitting.check_method(made, method, Scaling(LoRA()), 1)
    assert "\n" not in str(caught.value)


def test_who_refuses_adapters() -> None:
    taking = {one.id for one in methods() if _trains_where_it_is_told(method_class(one))}
    assert {"npo", "grad-diff", "kl-min", "dpo", "sim-npo", "gru", "soul", "rkld"} <= taking
    assert not taking & {"rome", "memit", "depn", "ssd", "eul", "sisa-adapters", "icul", "rmu", "task-vector",
                         "lora-negation", "opt-out", "pcgu", "constrained-ft", "wagle", "sure"}  # fmt: skip


def test_a_method_is_refused_before_anything_is_loaded(task: FilesTask) -> None:
    with pytest.raises(UsageError, match="ROME does not train with --lora: it trains no weights"):
        run_experiment(Experiment("rome", model="/nowhere", scaling=Scaling(LoRA())), task)


@pytest.mark.parametrize("method", ["kl-min", "gru", "rkld"])
def test_adapters_change_layers_by_low_rank_alone(method: str, llama: LanguageModel) -> None:
    run = Run(replace(RECIPE, learning_rate=1e-2), 3)
    before, after = dict(llama.model.named_parameters()), _unlearned(method, llama, run, LoRA(rank=2))
    for name, weight in before.items():
        values = torch.linalg.svdvals((after[name] - weight.detach()).reshape(len(weight), -1))
        if "_proj" in name:
            assert values[0] > 1e-4, name
            assert values[2] < 1e-3 * values[0], name
        else:
            assert float(values[0]) == 0, name


def test_the_reference_is_the_model_without_its_adapters_and_no_copy(
    llama: LanguageModel, data: UnlearningData
) -> None:
    model, run = llama.copy(), Run(replace(RECIPE, learning_rate=1e-2), scaling=Scaling(accumulate=2))
    adapted = run.adapt(model, LoRA(4))
    moved: list[float] = []

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        assert isinstance(batch.before, WithoutAdapters)
        assert batch.before.model is model.model
        (then,), (now,) = batch.before.token_logits(batch.forget), model.token_logits(batch.forget)
        (expected,) = llama.token_logits(batch.forget)
        assert torch.allclose(then.logits, expected.logits, atol=1e-5)
        assert not then.logits.requires_grad
        assert model.model.training
        assert torch.allclose(
            batch.before.activations(batch.forget, 1.0), llama.activations(batch.forget, 1.0), atol=1e-5
        )
        for before, known in zip(
            *(which.outputs(batch.forget, [which.blocks[0]]) for which in (batch.before, llama)), strict=True
        ):
            assert torch.allclose(before, known, atol=1e-5)
        moved.append(float((now.logits - then.logits).detach().abs().max()))
        return -mean_nll(now)

    run.minimize(loss, model, data, reference="model")
    assert moved[0] < 1e-5 < 1e-3 < moved[-1]
    # A second training starts from what the first one left: the model without adapters is not the one before any more.
    seen: list[Batch] = []

    def watched(model: LanguageModel, batch: Batch) -> Tensor:
        seen.append(batch)
        return _loss(model, batch)

    run.minimize(watched, model, data, reference="model")
    assert not isinstance(seen[0].before, WithoutAdapters)
    adapted.merge()
    assert {name for name, _ in model.model.named_parameters()} == {name for name, _ in llama.model.named_parameters()}
    assert all(one.requires_grad for one in model.model.parameters())


def test_what_adapters_learned_is_saved_in_the_weights_and_by_itself(
    unlearn: command_runs.Run, own: Callable[..., Experiment], task: FilesTask, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = ["--model", tmp_path / "model", "--forget", tmp_path / "forget", "--retain", tmp_path / "retain"]
    options = [
        "--lora",
        "--lora-rank",
        "3",
        "--lora-targets",
        "q_proj,down_proj",
        "--steps",
        "3",
        "--out",
        tmp_path / "out",
    ]
    done = unlearn("run", "npo", *map(str, [*files, *options]), "--json")
    record = json.loads(done.out)
    assert record["recipe"]["learning_rate"] == pytest.approx(1e-4)  # ten times what all weights get
    assert "--lora --lora-rank 3 --lora-targets q_proj,down_proj" in record["command"]
    before, after = (AutoModelForCausalLM.from_pretrained(tmp_path / one) for one in ("model", "out"))
    assert fingerprint(before) != fingerprint(after)
    ids = torch.tensor(AutoTokenizer.from_pretrained(tmp_path / "out")(invented_pairs()[0].prompt)["input_ids"])[None]
    with torch.no_grad():
        merged = after(ids).logits
        beside = PeftModel.from_pretrained(before, tmp_path / "out" / "adapter")(ids).logits
    assert torch.allclose(merged, beside, atol=1e-5)
    loaded = LanguageModel.load(tmp_path / "out")
    outcome = task.evaluate(loaded, task.splits(loaded))
    assert outcome.metrics["forget_probability"] == pytest.approx(record["metrics"]["forget_probability"], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--lora-rank", "4"], "--lora-rank says how adapters are made; add --lora"),
        (["--lora", "--lora-targets", " , "], "--lora-targets names no layer"),
        (["--lora", "--record"], "trained as all are"),
        (["--checkpoint-every", "2"], "name one"),
    ],
)
def test_options_that_say_nothing_are_one_line(options: list[str], says: str, unlearn: command_runs.Run) -> None:
    done = unlearn("run", "npo", *options)
    assert done.status == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_layer_that_is_not_there_is_named_with_those_that_are(
    own: Callable[..., Experiment], task: FilesTask, tmp_path: Path
) -> None:
    (tmp_path / "model" / "model.safetensors").unlink()  # not even looked at
    with pytest.raises(UsageError, match="has no layer 'c_attn' for --lora-targets; it has down_proj, gate_proj"):
        run_experiment(own("npo", scaling=Scaling(LoRA(targets=("c_attn",)))), task)


# Precision


def _moved(model: LanguageModel, start: dict[str, Tensor]) -> float:
    """Which share of the weights is another number of 16 bits than before."""
    now = {name: one.detach().to(torch.bfloat16) for name, one in model.model.named_parameters()}
    changed = sum(int((now[name] != start[name]).sum()) for name in start)
    return changed / sum(one.numel() for one in start.values())


def test_no_step_is_lost_on_weights_of_16_bits(llama: LanguageModel, data: UnlearningData) -> None:
    rounded = LanguageModel(llama.copy().model.to(torch.bfloat16), llama.tokenizer)
    start = {name: one.detach().clone() for name, one in rounded.model.named_parameters()}
    recipe = Recipe(learning_rate=2e-5, steps=20, batch_size=3, warmup=0)
    exact = LanguageModel(rounded.copy().model.float(), llama.tokenizer)
    Run(recipe).minimize(_loss, exact, data)
    wanted = _moved(exact, start)
    kept = Run(recipe).minimize(_loss, rounded.copy(), data)
    share = _moved(kept, start)
    assert kept.model.dtype == torch.bfloat16
    assert wanted > 0.1
    assert share == pytest.approx(wanted, abs=0.05)

    plain = rounded.copy()
    optimizer = torch.optim.AdamW(plain.model.parameters(), lr=2e-5, weight_decay=0)
    for _ in range(20):
        mean_nll(*plain.token_logits(plain.encode(data.retain))).backward()
        optimizer.step()
        optimizer.zero_grad()
    lost = _moved(plain, start)
    assert lost < 0.5 * share


def test_a_constraint_on_weights_of_16_bits_holds_for_their_copies_too(llama: LanguageModel) -> None:
    model = LanguageModel(llama.copy().model.to(torch.bfloat16), llama.tokenizer)
    before = {name: one.detach().clone() for name, one in model.model.named_parameters()}
    frozen = model.model.model.embed_tokens.weight

    def put_back() -> None:
        frozen.copy_(before["model.embed_tokens.weight"])

    Run(replace(RECIPE, learning_rate=1e-2)).minimize(_loss, model, invented_data(), after_step=put_back)
    assert torch.equal(frozen, before["model.embed_tokens.weight"])
    assert not torch.equal(model.model.lm_head.weight, before["lm_head.weight"])


# Going on


class _KilledError(Exception):
    pass


def _interrupted(method: str, model: LanguageModel, kept: Savepoints, at: int | None, lora: LoRA | None = None) -> Any:
    def progress(stage: str, done: int, total: int) -> None:
        if stage == "unlearning" and done == at:
            raise _KilledError

    recipe = replace(RECIPE, steps=8, batch_size=2, weight_decay=0.01)
    return _unlearned(method, model, Run(recipe, 3, progress, savepoints=kept), lora)


@pytest.mark.parametrize(
    ("method", "lora"),
    [
        ("npo", None),
        ("dpo", LoRA(2)),
        ("kl-min", LoRA(2)),
        ("soul", None),
        ("rmu", None),
        ("rna", None),
        ("uld", None),
        ("spul", None),
    ],
)
def test_a_training_goes_on_as_if_it_had_not_been_interrupted(
    method: str, lora: LoRA | None, llama: LanguageModel, tmp_path: Path
) -> None:
    whole = _interrupted(method, llama, Savepoints(tmp_path / "none", 100, {}), None, lora)
    kept = Savepoints(tmp_path / "some", 3, {})
    for at, there in ((2, []), (5, ["checkpoint-01-00000003"]), (8, ["checkpoint-01-00000006"])):  # each goes on
        with pytest.raises(_KilledError):
            _interrupted(method, llama, kept, at, lora)
        assert [one.name for one in savepoints_in(kept.folder)] == there
    again = _interrupted(method, llama, kept, None, lora)
    assert all(torch.equal(again[name], one) for name, one in whole.items())


def test_what_was_killed_goes_on_by_the_same_command(
    unlearn: command_runs.Run, own: Callable[..., Experiment], tmp_path: Path
) -> None:
    files = ["--model", tmp_path / "model", "--forget", tmp_path / "forget", "--retain", tmp_path / "retain"]
    options = ["--steps", "6", "--batch-size", "2", "--learning-rate", "1e-3", "--dtype", "bfloat16"]
    command = ["run", "idk", *map(str, [*files, *options])]
    kept = [*command, "--checkpoint-every", "2", "--out", str(tmp_path / "out")]
    script = (
        "import os, signal, sys\n"
        "from reference_impls.toolkit.savepoints import Savepoints\n"
        "write = Savepoints.write\n"
        "def killed(self, stage, step, state):\n"
        "    write(self, stage, step, state)\n"
        "    if step == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Savepoints.write = killed\n"
        "from reference_impls.cli import main\n"
        "main()\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", script, *kept], env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["checkpoint-01-00000004"]
    refused = unlearn(*command, "--out", str(tmp_path / "out"))
    assert refused.status == 2
    assert "checkpoint-01-00000004 of a run that did not end" in refused.err
    other = unlearn(*kept, "--seed", "1")
    assert other.status == 2
    assert "belongs to another run: its seed differs" in other.err
    assert unlearn(*kept, "--json").status == 0
    assert not savepoints_in(tmp_path / "out")
    assert unlearn(*command, "--out", str(tmp_path / "whole"), "--json").status == 0
    costs = [json.loads((tmp_path / one / "result.json").read_text("utf-8")) for one in ("out", "whole")]
    assert len({(cost["forward_passes"], cost["backward_passes"]) for cost in costs}) == 1
    resumed, whole = (load_file(tmp_path / one / "model.safetensors") for one in ("out", "whole"))
    assert all(torch.equal(resumed[name], one) for name, one in whole.items())


@pytest.mark.parametrize(
    ("aspect", "value"), [("method", "dpo"), ("recipe", "{}"), ("forget set", "x"), ("model", "x"), ("adapters", "x")]
)
def test_a_checkpoint_of_another_run_is_refused(aspect: str, value: str, llama: LanguageModel, tmp_path: Path) -> None:
    identity = dict.fromkeys(("method", "recipe", "forget set", "model", "adapters"), "this")
    kept = Savepoints(tmp_path, 3, identity)
    with pytest.raises(_KilledError):
        _interrupted("npo", llama, kept, 5)
    kept.check()
    with pytest.raises(UsageError, match=rf"belongs to another run: its {aspect} differs\."):
        Savepoints(tmp_path, 3, identity | {aspect: value}).check()


@pytest.mark.parametrize("file", ["state.json", "weights.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b"nonsense"])
def test_a_damaged_checkpoint_is_one_line(file: str, content: bytes, llama: LanguageModel, tmp_path: Path) -> None:
    kept = Savepoints(tmp_path, 1, {})
    with pytest.raises(_KilledError):
        _interrupted("npo", llama, kept, 2)
    assert kept.latest is not None
    (kept.latest / file).write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot be read: .* Remove it to begin anew") as caught:
        _interrupted("npo", llama, kept, None)
    assert "\n" not in str(caught.value)


def test_nothing_is_pickled_and_nothing_half_written(llama: LanguageModel, tmp_path: Path) -> None:
    kept = Savepoints(tmp_path, 1, {})
    with pytest.raises(_KilledError):
        _interrupted("npo", llama, kept, 2)
    assert sorted(one.name for one in tmp_path.rglob("*") if one.is_file()) == [
        "optimizer.safetensors",
        "state.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize(
    ("method", "changes", "says"),
    [
        ("gru", {}, "GRU keeps more between its steps than a checkpoint holds"),
        ("rome", {}, "ROME trains no weights, so --checkpoint-every has nothing to act on"),
        ("npo", {"requests": 2}, "does not go with --requests"),
    ],
)
def test_who_cannot_go_on_says_so_at_once(method: str, changes: dict[str, Any], says: str, task: FilesTask) -> None:
    with pytest.raises(UsageError, match=says):
        run_experiment(Experiment(method, model="/nowhere", scaling=Scaling(checkpoint_every=1), **changes), task)


# Several processes


def test_two_processes_give_what_one_gives_and_one_of_them_speaks(
    unlearn: command_runs.Run, own: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ["--model", tmp_path / "model", "--forget", tmp_path / "forget", "--retain", tmp_path / "retain"]
    options = ["--steps", "4", "--batch-size", "3", "--learning-rate", "1e-3", "--accumulate", "2", "--json"]
    command = ["run", "npo", *map(str, [*files, *options])]
    one = json.loads(unlearn(*command, "--out", str(tmp_path / "one")).out)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # As torchrun starts them; the first one is this process.
    launched = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command += ["--out", str(tmp_path / "two")]
    other = subprocess.Popen(
        [sys.executable, "-m", "reference_impls", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **launched, "RANK": "1", "LOCAL_RANK": "1"},
    )
    try:
        for name, value in {**launched, "RANK": "0", "LOCAL_RANK": "0"}.items():
            monkeypatch.setenv(name, value)
        two = json.loads(unlearn(*command).out)
        said, _ = other.communicate(timeout=120)
    finally:
        other.kill()
        other.wait()
    assert (other.returncode, said) == (0, "")
    assert two["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    assert two["notes"] == ["2 processes trained it together."]
    together, alone = (load_file(tmp_path / place / "model.safetensors") for place in ("two", "one"))
    assert _farthest(together, alone) < 1e-5


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ACCELERATE_USE_FSDP", "true", "FSDP divides the weights"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed divides the weights"),
        ("ACCELERATE_MIXED_PRECISION", "bf16", "--dtype bfloat16"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "--accumulate"),
    ],
)
def test_a_launch_that_would_not_do_what_it_says_is_refused(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_launch()
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=says):
        check_launch()


def test_one_process_where_several_were_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # As `accelerate launch --cpu --num_processes 2` starts it.
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(UsageError, match="asked for several processes and started one"):
        check_launch()
