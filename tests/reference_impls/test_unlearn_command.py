"""The command ``unlearn``, as a person runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_runs import Ran, Run
from unlearning_toys import fingerprint, write_rows

from catalog.model.results import Result
from reference_impls.running.bench import TOLERANCE
from reference_impls.running.registry import PACKAGE, attacks, methods
from reference_impls.toolkit import LanguageModel, Pair


def _process(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed console script."""
    script = Path(sys.executable).with_name("unlearn")
    return subprocess.run(
        [str(script), *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
    )


@pytest.fixture
def own(tmp_path: Path, pairs: list[Pair]) -> list[str]:
    """The options that name files of one's own."""
    for name, rows in (("forget", pairs[:3]), ("retain", pairs[3:])):
        write_rows(tmp_path / f"{name}.jsonl", rows)
    return ["--forget", str(tmp_path / "forget.jsonl"), "--retain", str(tmp_path / "retain.jsonl")]


@pytest.fixture
def saved_icul(unlearn: Run, saved_tiny: Path, own: list[str], tmp_path: Path) -> Path:
    """What a method that leaves the weights alone saved: a model, and what belongs around it."""
    out = tmp_path / "out"
    assert unlearn("run", "icul", "--model", saved_tiny, *own, "--out", out).status == 0
    return out


def _one_message(ran: Ran) -> str:
    """The message of a command that failed as it should."""
    assert ran.status == 2, ran.err
    assert ran.out == ""
    assert ran.err.startswith("unlearn: ")
    assert "Traceback" not in ran.err
    assert ran.err.count("unlearn: ") == 1
    return ran.err


# What there is


def test_list_prints_every_method_in_a_line_below_its_family(unlearn: Run) -> None:
    ran = unlearn("list")
    assert ran.status == 0
    lines = ran.out.splitlines()
    for one in methods():
        (row,) = [line for line in lines if line.startswith(f"  {one.id} ")]
        assert one.title in row
        assert one.acts_on in row
        assert one.paper in row
        above = lines[: lines.index(row)]
        assert next(line for line in reversed(above) if re.fullmatch(r"\S+ \(\d+\)", line)).startswith(
            f"{one.family} ("
        )


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_no_method_takes_more_than_a_line(width: int, unlearn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = unlearn("list").out.splitlines()
    for one in methods():
        assert sum(line.split()[:1] == [one.id] for line in lines if line.startswith("  ")) == 1
    families = {one.family for one in methods()}
    assert len(lines) <= len(methods()) + 2 * len(families) + 1 + 100 // width


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        (["--family", "localization"], lambda one: one.family == "localization"),
        (["--family", "in-context", "--family", "modular"], lambda one: one.family in ("in-context", "modular")),
        (["--acts-on", "prompt"], lambda one: one.acts_on == "prompt"),
        (["--needs", "retain"], lambda one: one.needs.retain == "needed"),
        (["--without", "retain"], lambda one: one.needs.retain != "needed"),
        (["--without", "weights"], lambda one: one.needs.access == "prompts"),
        (["--needs", "experts"], lambda one: one.needs.experts),
        (
            ["--needs", "earlier", "--acts-on", "data"],
            lambda one: one.needs.earlier == "needed" and one.acts_on == "data",
        ),
        (
            ["--without", "memory", "--without", "training"],
            lambda one: one.needs.models == 1 and one.needs.access != "training",
        ),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "fits",
)
def test_list_names_those_that_fit_and_no_others(words: list[str], fits: Callable[[Any], bool], unlearn: Run) -> None:
    wanted = [one.id for one in methods() if fits(one)]
    assert wanted
    assert [row["id"] for row in json.loads(unlearn("list", *words, "--json").out)] == wanted
    assert f"{len(wanted)} of {len(methods())} methods." in unlearn("list", *words).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--family", "localisation"], "There is no family 'localisation'. Did you mean 'localization'?"),
        (["--acts-on", "prompts"], "There is no place to act on 'prompts'. Did you mean 'prompt'?"),
        (["--needs", "retan"], "There is no need 'retan'. Did you mean 'retain'?"),
        (
            ["--without", "gold"],
            "There is no need 'gold'. There is: earlier, experts, memory, retain,",
        ),
    ],
)
def test_a_filter_that_is_none_suggests_the_nearest(words: list[str], says: str, unlearn: Run) -> None:
    ran = unlearn("list", *words)
    assert ran.status == 2
    assert says in " ".join(ran.err.split())


def test_list_as_json_is_for_scripts(unlearn: Run) -> None:
    rows = json.loads(unlearn("list", "--json").out)
    assert [row["id"] for row in rows] == [one.id for one in methods()]
    for row in rows:
        assert {"name", "family", "acts_on", "papers", "hyperparameters", "file", "summary"} <= set(row)
        assert isinstance(row["papers"], list)
        assert all(isinstance(paper, str) for paper in row["papers"])
        assert (Path(__file__).parents[2] / row["file"]).is_file()
    (npo,) = [row for row in rows if row["id"] == "npo"]
    assert npo["name"] == "NPO"
    assert npo["papers"] == ["zhang2024negative"]
    assert [one["name"] for one in npo["hyperparameters"]] == ["beta", "retain_weight"]


def test_show_explains_a_method_and_its_hyper_parameters(unlearn: Run) -> None:
    ran = unlearn("show", "npo")
    assert ran.status == 0
    for part in ("Negative preference optimization (NPO)", "Objective", "beta", "retain_weight", "> 0", "unlearn run"):
        assert part in ran.out


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_every_method_can_be_shown_and_as_json(method: str, unlearn: Run) -> None:
    assert method in unlearn("show", method).out
    assert json.loads(unlearn("show", method, "--json").out)["id"] == method


def test_tasks_are_listed(unlearn: Run) -> None:
    assert unlearn("tasks").out.startswith("authors: ")
    assert "  --model smollm2: " in unlearn("tasks").out
    found = json.loads(unlearn("tasks", "--json").out)
    assert (found[0]["id"], found[0]["larger_models"]) == ("authors", ["smollm2", "tiny-moe"])
    assert [one["id"] for one in found if "larger_models" in one] == ["authors"]


def test_help_and_list_start_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['unlearn', *sys.argv[1:]]\n"
        "from reference_impls.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'peft', 'scipy'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    for words in (["--help"], ["list"], ["list", "--json"], ["show", "npo"], ["run", "--help"], ["run", "nop"]):
        ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines()[-1] == "HEAVY []", words


def test_the_installed_script_shows_its_commands() -> None:
    ran = _process("--help")
    assert ran.returncode == 0
    for command in ("list", "show", "run", "compare", "bench", "make-task", "new"):
        assert command in ran.stdout


# What is wrong


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "nop"], "Did you mean 'npo'?"),
        (["show", "graddif"], "Did you mean 'grad-diff'?"),
        (["compare", "npo", "icull"], "Did you mean 'icul'?"),
        (["bench", "whpp"], "Did you mean 'whp'?"),
        (["run", "npo", "--task", "autors"], "Did you mean 'authors'?"),
        (["compare", "npo", "--task", "author"], "Did you mean 'authors'?"),
        (["make-task", "autors"], "Did you mean 'authors'?"),
        (["run", "npo", "--model", "smolm2"], "Did you mean 'smollm2'?"),
        (["run", "npo", "--model", "/no/such/folder"], "could not be loaded"),
        (["run", "npo", "--set", "bet=1"], "Did you mean 'beta'?"),
        (["run", "npo", "--set", "beta=-1"], "beta must be greater than 0"),
        (["run", "npo", "--set", "beta=x"], "beta must be a number, not 'x'"),
        (["run", "npo", "--set", "beta"], "write NAME=VALUE"),
        (["run", "npo", "--set", "=1"], "write NAME=VALUE"),
        (["run", "npo", "--set", "[bold]=1"], "'[bold]'"),
        (["run", "npo", "--forget", "x.jsonl"], "needs a model that knows it: --model DIR_OR_NAME"),
        (["run", "npo", "--forget", "x.jsonl", "--retain", "y.jsonl"], "needs a model"),
        (["run", "npo", "--forget", "x.jsonl", "--retain", "y.jsonl", "--model", "m"], "x.jsonl: No such file"),
        (["run", "npo", "--model", "m", "--record"], "--record is for a task and a model that it ships"),
        (["run", ""], "There is no method ''"),
    ],
)
def test_what_does_not_exist_or_cannot_be_is_one_message_and_status_2(
    words: list[str],
    says: str,
    unlearn: Run,
) -> None:
    assert says in _one_message(unlearn(*words))


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["fly"],
        ["run", "npo", "--steps", "0"],
        ["run", "npo", "--steps", "many"],
        ["run", "npo", "--seed", "-1"],
        ["run", "npo", "--learning-rate", "-1"],
        ["run", "npo", "--batch-size", "0"],
        ["run", "npo", "--no-such-option"],
    ],
)
def test_a_wrong_command_line_is_explained_with_status_2(words: list[str], unlearn: Run) -> None:
    ran = unlearn(*words)
    assert ran.status == 2
    assert "Traceback" not in ran.err
    assert "Usage: unlearn" in ran.err


@pytest.mark.parametrize("seed", ["18446744073709551616", "9" * 40])
def test_a_seed_too_large_for_a_generator_is_refused(seed: str, unlearn: Run, saved_tiny: Path, own: list[str]) -> None:
    ran = unlearn("run", "npo", "--model", saved_tiny, *own, "--seed", seed, "--steps", 1)
    assert ran.status == 2
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("rate", ["nan", "inf", "1e30"])
def test_a_learning_rate_that_ruins_the_model_is_one_message(
    rate: str, unlearn: Run, saved_tiny: Path, own: list[str]
) -> None:
    ran = unlearn("run", "npo", "--model", saved_tiny, *own, "--learning-rate", rate, "--steps", 2)
    assert ran.status == 2
    assert rate == "1e30" or f"must be a finite number, not {rate}" in ran.err
    assert "Traceback" not in ran.err


def test_bad_rows_are_all_named_and_nothing_is_left_behind(
    unlearn: Run,
    saved_tiny: Path,
    own: list[str],
    tmp_path: Path,
) -> None:
    Path(own[1]).write_text('{"prompt": "Q"}\n{"text": ""}\n', encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    said = _one_message(unlearn("run", "npo", "--model", saved_tiny, *own, "--out", tmp_path / "out"))
    assert f"{own[1]}:1: " in said
    assert f"{own[1]}:2: " in said
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [["--set", "beta=-1"], ["--set", "betta=1"], ["--model", "/no/such/folder"], ["--learning-rate", "1e30"]],
)
def test_a_run_that_fails_leaves_no_folder(
    words: list[str],
    unlearn: Run,
    saved_tiny: Path,
    own: list[str],
    tmp_path: Path,
) -> None:
    before = sorted(tmp_path.iterdir())
    ran = unlearn("run", "npo", "--model", saved_tiny, *own, "--steps", 2, "--out", tmp_path / "a" / "out", *words)
    _one_message(ran)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_loaded(
    unlearn: Run,
    own: list[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious", encoding="utf-8")
    said = _one_message(unlearn("run", "npo", "--model", "/nowhere", *own, "--out", tmp_path / "out"))
    assert "not empty" in said
    assert (tmp_path / "out" / "thesis.txt").read_text(encoding="utf-8") == "precious"


def test_a_retain_set_like_the_forget_set_is_no_traceback_for_icul(
    unlearn: Run,
    saved_tiny: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "one.jsonl").write_text('{"prompt": "Q?", "completion": " A."}\n', encoding="utf-8")
    files = ["--forget", tmp_path / "one.jsonl", "--retain", tmp_path / "one.jsonl"]
    assert "no wrong one" in _one_message(unlearn("run", "icul", "--model", saved_tiny, *files))


# What a run leaves


def test_a_run_on_ones_own_model_leaves_a_model_a_card_and_a_record(
    saved_tiny: Path, own: list[str], tmp_path: Path, pairs: list[Pair]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "out"
    words = ["run", "npo", "--model", str(saved_tiny), *own, "--steps", "3", "--seed", "5", "--set", "beta=0.2"]
    ran = _process(*words, "--out", str(out), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    for part in ("NPO on files", "before", "after", "Forget probability", "Again:", "Saved to"):
        assert part in ran.stdout
    assert "Traceback" not in ran.stderr
    assert "Warning" not in ran.stderr

    model = LanguageModel(AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out))
    assert fingerprint(model.model) != fingerprint(LanguageModel.load(saved_tiny).model)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "unlearned with NPO" in card
    record = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert set(record) >= {
        "method",
        "task",
        "model",
        "seed",
        "hyperparameters",
        "metrics",
        "attacks",
        "seconds",
        "peak_memory_bytes",
        "versions",
        "command",
    }
    result = Result.model_validate(record)
    assert (result.method, result.task, result.model, result.seed) == ("npo", "files", str(saved_tiny), 5)
    assert result.hyperparameters == {"beta": 0.2, "retain_weight": 1.0}
    assert result.recipe["steps"] == 3
    for word in ("unlearn run npo", "--steps 3", "--seed 5", "--set beta=0.2", own[1], own[3], str(saved_tiny)):
        assert word in result.command
    measured = sum(float(one.double().mean().exp()) for one in model.pair_logprobs(pairs[:3])) / 3
    assert measured == pytest.approx(result.metrics["forget_probability"], rel=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forget.jsonl", "out", "retain.jsonl"]


def test_the_command_in_the_record_gives_the_same_metrics_again(
    unlearn: Run,
    saved_tiny: Path,
    own: list[str],
) -> None:
    import shlex

    words = ["run", "grad-diff", "--model", saved_tiny, *own, "--steps", 2, "--learning-rate", "1e-3", "--json"]
    first = json.loads(unlearn(*words).out)
    again = json.loads(unlearn(*shlex.split(first["command"])[1:], "--json").out)
    assert again["metrics"] == first["metrics"]
    assert {k: again[k] for k in ("recipe", "hyperparameters", "seed")} == {
        k: first[k] for k in ("recipe", "hyperparameters", "seed")
    }


def test_in_context_unlearning_saves_the_original_weights_and_what_is_around_them(
    unlearn: Run,
    saved_tiny: Path,
    own: list[str],
    tmp_path: Path,
    pairs: list[Pair],
) -> None:
    out = tmp_path / "out"
    ran = unlearn("run", "icul", "--model", saved_tiny, *own, "--out", out)
    assert ran.status == 0, ran.err
    assert fingerprint(LanguageModel.load(out).model) == fingerprint(LanguageModel.load(saved_tiny).model)
    kept = json.loads((out / "wrapper.json").read_text(encoding="utf-8"))
    assert kept["requests"] == [pair.prompt for pair in pairs[:3]]
    assert len(kept["contexts"]) == 3
    assert "weights are those of the original model" in (out / "README.md").read_text(encoding="utf-8")
    assert Result.model_validate_json((out / "result.json").read_bytes()).method == "icul"


def test_an_empty_folder_may_be_used_and_a_run_prints_json_alone(
    unlearn: Run,
    saved_tiny: Path,
    own: list[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    ran = unlearn("run", "ga", "--model", saved_tiny, *own, "--steps", 1, "--out", tmp_path / "out", "--json")
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["method"] == "gradient-ascent"
    assert (tmp_path / "out" / "config.json").is_file()


# Attacks


def test_attacks_are_listed_with_their_papers(unlearn: Run) -> None:
    rows = json.loads(unlearn("attacks", "--json").out)
    assert [row["id"] for row in rows] == [attack.id for attack in attacks()]
    assert {"relearning", "quantization"} <= {row["id"] for row in rows}
    assert all(row["paper"] and row["summary"] for row in rows)
    assert "relearning: " in unlearn("attacks").out


def test_a_saved_model_is_attacked_with_what_is_around_its_weights(
    unlearn: Run,
    saved_tiny: Path,
    saved_icul: Path,
    own: list[str],
) -> None:
    ran = unlearn("attack", "all", saved_icul, *own, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert set(found["attacks"]) >= {"relearning", "related_relearning", "quantization_8", "in_context", "logit_lens"}
    assert found["references"] == {}  # files of one's own have no retrained model
    plain = json.loads(unlearn("attack", "quantization", saved_tiny, *own, "--json").out)
    assert set(plain["attacks"]) == {"quantization_8", "quantization_4"}
    assert plain["known"] != found["known"]


def test_one_attack_as_a_table(unlearn: Run, saved_tiny: Path, own: list[str]) -> None:
    ran = unlearn("attack", "logit-lens", saved_tiny, *own)
    assert ran.status == 0, ran.err
    assert "Just asked" in ran.out
    assert "Logit lens" in ran.out


def test_an_unknown_attack_suggests_the_nearest(unlearn: Run, saved_tiny: Path) -> None:
    assert "Did you mean 'relearning'?" in _one_message(unlearn("attack", "relearn", saved_tiny))


def test_a_wrapper_that_cannot_be_read_is_one_message(unlearn: Run, saved_icul: Path, own: list[str]) -> None:
    (saved_icul / "wrapper.json").write_text("{}", encoding="utf-8")
    assert "wrapper.json" in _one_message(unlearn("attack", "prompting", saved_icul, *own))


# Evaluation of what was saved


def test_a_saved_model_is_evaluated_as_it_was_when_it_was_saved(unlearn: Run, saved_icul: Path, own: list[str]) -> None:
    made = json.loads((saved_icul / "result.json").read_text(encoding="utf-8"))
    ran = unlearn("eval", saved_icul, *own, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert (found["model"], found["task"], found["references"]) == (str(saved_icul), "files", {})
    assert found["metrics"] == pytest.approx(made["metrics"])
    assert found["examples"] == made["examples"]


def test_another_model_is_evaluated_on_a_task_without_what_needs_the_same_vocabulary(
    unlearn: Run,
    saved_tiny: Path,
) -> None:
    found = json.loads(unlearn("eval", saved_tiny, "--task", "hazards", "--json").out)
    assert 0 <= found["metrics"]["forget_accuracy"] <= 1
    assert "forget_kl" not in found["metrics"]
    assert found["references"]["target"]["forget_accuracy"] == pytest.approx(1.0)
    assert "forget_kl" in found["references"]["retrained"]


def test_the_target_of_a_task_measures_what_its_record_says(unlearn: Run) -> None:
    target = PACKAGE / "tasks" / "hazards" / "checkpoints" / "target"
    shown = unlearn("eval", target, "--task", "hazards").out.splitlines()
    head = next(place for place, line in enumerate(shown) if line.startswith("metric"))
    assert shown[head].split() == ["metric", "this", "model", "target", "retrained"]
    rows = {line[:24].strip(): line.split()[-3:] for line in shown[head + 1 : shown.index("", head)]}
    assert {"Sense", "Forget accuracy", "Model utility"} <= set(rows)
    for label, values in rows.items():
        if len(values) == 3:  # a record may be older than a metric
            assert float(values[0]) == pytest.approx(float(values[1]), abs=TOLERANCE + 0.0005), label


def test_no_model_to_evaluate_is_one_message(unlearn: Run, tmp_path: Path) -> None:
    assert "holds no config.json" in _one_message(unlearn("eval", tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ICUL", "this model"])
def test_chat_gives_three_answers_to_each_question(name: str) -> None:
    given = "icul" if name == "ICUL" else str(PACKAGE / "tasks" / "authors" / "checkpoints" / "retrained")
    script = Path(sys.executable).with_name("unlearn")
    ran = subprocess.run(
        [str(script), "chat", given],
        input="What is the capital of France?\nWho wrote Emma?\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )
    lines = ran.stdout.splitlines()
    assert sum(line.startswith("? ") for line in lines) == 2
    for one in ("before", "after ICUL" if name == "ICUL" else name, "retrained"):
        assert sum(line.strip().startswith(one) for line in lines) == 2
    assert "The capital of France is Paris." in ran.stdout


def test_a_method_that_needs_no_examples_of_what_must_stay_runs_without_a_file_of_them(
    unlearn: Run, saved_tiny: Path, own: list[str]
) -> None:
    forget = own[own.index("--forget") : own.index("--forget") + 2]
    ran = unlearn("run", "gradient-ascent", "--model", saved_tiny, *forget, "--steps", 1, "--json")
    assert ran.status == 0, ran.err
    result = json.loads(ran.out)
    assert "forget_probability" in result["metrics"]
    assert "model_utility" not in result["metrics"]
    assert "--retain" not in result["command"]
    ran = unlearn("run", "gradient-ascent", "--model", saved_tiny, *forget, "--steps", 1)
    assert ran.status == 0, ran.err


def test_a_method_that_needs_them_says_so_before_anything_is_loaded(unlearn: Run, own: list[str]) -> None:
    forget = own[own.index("--forget") : own.index("--forget") + 2]
    ran = unlearn("run", "grad-diff", "--model", "no-such-model", *forget)
    assert "GradDiff needs examples of what must stay: give them with --retain FILE." in _one_message(ran)
