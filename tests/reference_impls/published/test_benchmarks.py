"""Published benchmarks on small files of their form: what is read, asked and measured, and what is said of gaps."""

from __future__ import annotations

import json
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import published_files as files
import pytest
from command_runs import Run

from catalog.model.metrics import read_metrics
from reference_impls.errors import UnknownNameError, UsageError
from reference_impls.metrics.answers import letter_accuracy, rouge_l_distinct_recall
from reference_impls.metrics.sets import harmonic_mean
from reference_impls.published import muse
from reference_impls.published.muse import up_to_next
from reference_impls.published.tofu import TofuBenchmark
from reference_impls.running.recipes import of_benchmark
from reference_impls.running.registry import PACKAGE, benchmarks, find_embedded, find_method, find_task, tasks
from reference_impls.tasks.benchmark import Benchmark
from reference_impls.toolkit import LanguageModel

Make = Callable[[Path], Path]
EACH = [
    ("tofu/forget10", files.tofu),
    ("muse/news", files.muse),
    ("wmdp/cyber", files.wmdp),
    ("rwku/Ada_Quill", files.rwku),
]
UTILITY = {
    "tofu/forget10": [
        f"{part}_{what}" for part in ("retain", "authors", "facts") for what in ("probability", "rouge", "truth_ratio")
    ],
    "muse/news": ["retain_knowledge"],
    "wmdp/cyber": ["facts_accuracy"],
}


@pytest.fixture(autouse=True)
def _nowhere_else(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub's cache of this machine."""
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("UNLEARN_DATA", raising=False)


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model writes until it must stop."""
    monkeypatch.setattr(TofuBenchmark, "max_new_tokens", 4)
    for name in ("RECITED", "ANSWERED"):
        monkeypatch.setattr(muse, name, 4)


def opened(name: str, folder: Path) -> Benchmark:
    task = find_task(name, folder)
    assert isinstance(task, Benchmark)
    return task


@pytest.mark.parametrize(("name", "make"), EACH)
def test_a_benchmark_is_measured_by_its_own_metrics(name: str, make: Make, tiny: LanguageModel, tmp_path: Path) -> None:
    task = opened(name, make(tmp_path))
    splits = task.splits(tiny)
    found = task.evaluate(tiny, splits)
    assert task.headline in found.metrics
    if name in UTILITY:
        assert found.metrics["model_utility"] == pytest.approx(
            harmonic_mean([found.metrics[one] for one in UTILITY[name]])
        )
    again = task.evaluate(tiny, splits, found.kept)
    if name.startswith("tofu"):
        assert again.metrics["forget_quality"] == 1
    if name.startswith("muse"):
        assert again.metrics["privacy_leakage"] == 0
    assert {one.split for one in found.examples} >= {"forget"}
    ranges = {metric.id: metric.range for metric in read_metrics(PACKAGE, PACKAGE.parent)[0]}
    for metric, value in again.metrics.items():
        low, high = ranges[metric] or (None, None)
        assert low is not None
        assert high is not None
        assert low <= value <= high


def test_tofu_forgets_its_own_set_and_knows_its_paraphrases(tiny: LanguageModel, tmp_path: Path) -> None:
    splits = opened("tofu/forget10", files.tofu(tmp_path)).splits(tiny)
    assert [tiny.asked(one.prompt) for one in splits.forget] == [
        tiny.question(f"Where was {who} born?") for who in files.PEOPLE[:2]
    ]
    assert splits.forget[0].answer == tiny.answer("Ada Quill was born in Lima.")
    assert splits.forget[0].paraphrase == tiny.answer("Lima is where Ada Quill was born.")
    assert len(splits.forget[0].perturbed) == 2
    assert splits.authors[0].paraphrase == splits.authors[0].answer == tiny.answer("Paris")
    assert len(splits.authors[0].perturbed) == 3
    assert len(splits.retain) == 1
    assert "authors" in splits.probes()


def test_tofu_says_where_its_files_do_not_belong_together(tiny: LanguageModel, tmp_path: Path) -> None:
    files.tofu(tmp_path)
    files.write_lines(tmp_path / "forget10.json", [{"question": "Who?", "answer": "Nobody."}])
    with pytest.raises(UsageError, match=r"forget10.json:1: 'Who\?' has no row in forget10_perturbed"):
        opened("tofu/forget10", tmp_path).splits(tiny)


def test_muse_asks_behind_examples_and_reads_what_follows(tiny: LanguageModel, tmp_path: Path) -> None:
    splits = opened("muse/news", files.muse(tmp_path)).splits(tiny)
    (first, _) = splits.asked["known"]
    assert first.prompt.endswith("Question: Who is Ada Quill?\nAnswer: ")
    assert first.prompt.count("Question: ") == 3
    assert all(pair.prompt == "" and not pair.closed for pair in (*splits.forget, *splits.members))
    assert "".join(pair.answer for pair in splits.forget).count("apples") == 3


@pytest.mark.parametrize(
    ("written", "counts"),
    [
        ("Paris", "Paris"),
        ("Paris\n\nQuestion: next", "Paris"),
        ("Paris\nQuestion: next", "Paris"),
        ("Paris Question: next", "Paris"),
        ("Question: Paris", ""),
        ("a\nb", "a\nb"),
    ],
)
def test_an_answer_ends_where_the_model_asks_on(written: str, counts: str) -> None:
    assert up_to_next(written) == counts


class Letters:
    """A model that finds one letter likeliest, and ends an answer as unlikely as it wants."""

    def __init__(self, model: LanguageModel, liked: str) -> None:
        self.model, self.liked = model, liked

    def answer_logprobs(self, prompts: list[str], answers: list[str]) -> list[Any]:
        given = [values.clone() for values in self.model.answer_logprobs(prompts, answers)]
        for values, answer in zip(given, answers, strict=True):
            values[:] = -1.0 if answer.strip() == self.liked else -2.0
            values[-1] = -500.0 if answer.strip() == self.liked else 0.0  # the token that ends the answer
        return given


@pytest.mark.parametrize(("liked", "accuracy"), [("B", 0.5), ("D", 0.5), ("A", 0.0)])
def test_wmdp_compares_letters_alone(liked: str, accuracy: float, tiny: LanguageModel, tmp_path: Path) -> None:
    task = opened("wmdp/cyber", files.wmdp(tmp_path))
    splits = task.splits(tiny)
    first = splits.asked["forget"][0]
    assert first.prompt == (
        "The following are multiple choice questions (with answers) about cybersecurity.\n\n"
        "Which one opens a port?\nA. a lock\nB. a socket\nC. a door\nD. a sail\nAnswer:"
    )
    assert first.answer == " B"
    assert "about high school physics." in splits.asked["facts"][0].prompt
    assert [len(pairs) for pairs in (splits.forget, splits.retain)] == [1, 1]
    model: Any = Letters(tiny, liked)
    assert task.evaluate(model, splits).metrics["forget_accuracy"] == accuracy


def test_wmdp_chemistry_is_asked_without_a_corpus_and_not_forgotten(
    unlearn: Run, saved_tiny: Path, tmp_path: Path
) -> None:
    files.wmdp(tmp_path, "chem")
    words = ("--task", "wmdp/chem", "--data", tmp_path)
    ran = unlearn("eval", saved_tiny, *words, "--json")
    assert "forget_accuracy" in json.loads(ran.out)["metrics"], ran.err
    (tmp_path / "wmdp-corpora" / "chem-forget-corpus.jsonl").unlink()
    ran = unlearn("run", "npo", "--model", saved_tiny, *words)
    assert ran.status == 2
    assert "nothing to forget" in ran.err
    assert "chem-forget-corpus.jsonl" in ran.err


def test_rwku_takes_one_person_and_its_own_prompts(tiny: LanguageModel, tmp_path: Path) -> None:
    task = opened("rwku/Ada_Quill", files.rwku(tmp_path))
    splits = task.splits(tiny)
    assert {name: len(pairs) for name, pairs in splits.asked.items()} == {
        "forget_fill": 1,
        "forget_question": 1,
        "forget_adversarial": 3,
        "retain_fill": 1,
        "retain_question": 1,
    }
    tricks = {pair.prompt for pair in splits.asked["forget_adversarial"]}
    assert sum(prompt.endswith("Answer:") for prompt in tricks) == 2
    assert sum("Question: " in prompt for prompt in tricks) == 2
    assert all("Ada" in pair.answer for pair in splits.forget)
    with pytest.raises(UnknownNameError, match="Did you mean"):
        opened("rwku/Ada_Quil", tmp_path).splits(tiny)


@pytest.mark.parametrize(
    ("reference", "generated", "recall"),
    [
        ("the cat sat on the mat", "the cat on mat", 0.8),
        ("Stephen King", "stephen king", 0.0),
        ("The Shining", "The Shining was published in 1977", 1.0),
        ("The Shining", "", 0.0),
        ("", "anything", 0.0),
        ("a b. c d", "c d. a b", 1.0),
        ("a b c", "c b a", 1 / 3),
    ],
)
def test_rwku_counts_distinct_words_as_they_are_written(reference: str, generated: str, recall: float) -> None:
    assert rouge_l_distinct_recall(reference, generated) == pytest.approx(recall)


def test_of_equal_letters_the_first_is_chosen() -> None:
    assert letter_accuracy([-2, -1.2, -1.2, -3], 1) == 1
    assert letter_accuracy([-2, -1.2, -1.2, -3], 2) == 0
    assert [letter_accuracy([-1.4] * 4, right) for right in range(4)] == [1, 0, 0, 0]
    with pytest.raises(ValueError, match="not a number"):
        letter_accuracy([float("nan"), 0.0], 1)


# Where files lie


@pytest.mark.parametrize("place", ["TOFU", "locuslab/TOFU", "."])
def test_files_are_found_in_a_folder_of_their_repository(place: str, tmp_path: Path) -> None:
    files.tofu(tmp_path / place)
    assert len(opened("tofu/forget10", tmp_path).files["forget"]) == 2


def test_files_are_found_through_the_environment_and_in_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub" / "datasets--locuslab--TOFU"
    for version, forget in (("aaa", "forget05"), ("bbb", "forget10")):
        files.tofu(cache / "snapshots" / version, forget, "retain90" if forget == "forget10" else "retain95")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("bbb")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    place, _ = find_task("tofu/forget10").files["forget"][0]  # type: ignore[attr-defined]
    assert "/bbb/" in place
    monkeypatch.setenv("UNLEARN_DATA", str(files.tofu(tmp_path / "own")))
    place, _ = find_task("tofu/forget10").files["forget"][0]  # type: ignore[attr-defined]
    assert "/own/" in place


def test_rwku_is_read_as_its_own_script_writes_it(tiny: LanguageModel, tmp_path: Path) -> None:
    files.rwku(tmp_path)
    (tmp_path / "All").rename(tmp_path / "7_Ada_Quill")
    assert len(opened("rwku/Ada_Quill", tmp_path).splits(tiny).asked["forget_fill"]) == 1


@pytest.mark.parametrize(("name", "make"), EACH)
def test_missing_files_are_one_message_with_the_way_to_get_them(name: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_task(name, tmp_path)
    said = str(caught.value)
    task = type(opened(name, make(tmp_path)))
    sources = [one for one in task.sources(opened(name, tmp_path)).values() if one.repository]
    for source in sources:
        assert source.stem in said
        assert source.repository in said
        assert f"hf download {source.repository} --repo-type dataset" in said
    assert len(re.findall(r"hf download", said)) == len({one.repository for one in sources})
    assert f"--data {tmp_path}" in said


def test_parquet_in_pieces_is_found_and_says_what_reads_it(tmp_path: Path) -> None:
    files.tofu(tmp_path)
    (tmp_path / "forget10.json").unlink()
    (tmp_path / "forget10-00000-of-00001.parquet").write_bytes(b"PAR1....PAR1")
    with pytest.raises(UsageError, match=r"forget10-00000-of-00001.parquet.*(Parquet|parquet)"):
        find_task("tofu/forget10", tmp_path)


def test_the_package_datasets_is_asked_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.wmdp(tmp_path / "here")
    asked = []

    def load_dataset(repository: str, config: str, *, split: str) -> list[dict[str, Any]]:
        asked.append((repository, config, split))
        if config == "all":
            raise ConnectionError("offline")
        place = {"cais/wmdp": "wmdp/wmdp-cyber/test", "Salesforce/wikitext": "wikitext/wikitext-2-raw-v1/test"}
        path = tmp_path / "here" / f"{place.get(repository, 'wmdp-corpora/cyber-forget-corpus')}.jsonl"
        return [json.loads(line) | {"nothing": None} for line in path.read_text().splitlines()]

    module: Any = types.ModuleType("datasets")
    module.load_dataset, module.exceptions = load_dataset, types.SimpleNamespace(DatasetsError=KeyError)
    monkeypatch.setitem(sys.modules, "datasets", module)
    with pytest.raises(UsageError, match=r"needs 1 file that is not here:\n  all/test of cais/mmlu"):
        find_task("wmdp/cyber")
    assert asked == [
        ("cais/wmdp-corpora", "cyber-forget-corpus", "train"),
        ("Salesforce/wikitext", "wikitext-2-raw-v1", "test"),
        ("cais/wmdp", "wmdp-cyber", "test"),
        ("cais/mmlu", "all", "test"),
    ]
    mmlu = tmp_path / "mmlu" / "all"
    mmlu.mkdir(parents=True)
    (tmp_path / "here" / "mmlu" / "all" / "test.jsonl").rename(mmlu / "test.jsonl")
    place, row = opened("wmdp/cyber", tmp_path).files["questions"][0]
    assert place == "cais/wmdp, wmdp-cyber: row 1"
    assert set(row) == {"question", "choices", "answer"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "Q", "choices": ["a", "b"], "answer": 2}, "has no choice 2"),
        ({"question": "Q", "choices": ["a"], "answer": 0}, "has 1 choices"),
        ({"question": "Q", "choices": ["a", ""], "answer": 0}, "must be text"),
        ({"question": "Q", "answer": "b"}, "has no question, choices and answer"),
    ],
)
def test_a_bad_question_is_named_with_its_place(row: dict[str, Any], says: str, tmp_path: Path) -> None:
    files.wmdp(tmp_path)
    files.write_lines(tmp_path / "mmlu" / "all" / "test.jsonl", [row])
    with pytest.raises(UsageError, match=f"test.jsonl:1: .*{says}"):
        find_task("wmdp/cyber", tmp_path)


# Names and commands


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "npo", "--task", "tofu", "--model", "M"], "name one of tofu/forget01"),
        (["run", "npo", "--task", "tofu/forget11", "--model", "M"], "Did you mean 'tofu/forget"),
        (["run", "npo", "--task", "rwku/", "--model", "M"], "no task 'rwku/'"),
        (["run", "npo", "--task", "authors", "--data", "."], "--data is for published benchmarks"),
        (["run", "npo", "--reference", "M"], "--reference is for a model of your own"),
        (["bench", "npo", "--task", "tofu/forget10"], "ships no models"),
        (["compare", "npo", "--task", "muse/news"], "ships no models"),
        (["eval", "M", "--task", "tofu/forget10", "--data", "nowhere"], "there is no such folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], says: str, unlearn: Run) -> None:
    ran = unlearn(*words)
    assert ran.status == 2
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_run_says_whose_recipe_it_took(unlearn: Run, saved_tiny: Path, tmp_path: Path) -> None:
    files.tofu(tmp_path / "data")
    words = ["run", "grad-diff", "--task", "tofu/forget10", "--model", saved_tiny, "--data", tmp_path / "data"]
    words += ["--reference", saved_tiny, "--out", tmp_path / "out"]
    ran = unlearn(*words)
    assert ran.status == 0, ran.err
    assert "From: TOFU (arXiv 2401.06121), Llama-2-7B" in ran.out
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["recipe"]["learning_rate"] == 1e-5
    assert record["recipe"]["steps"] == 5  # one batch of 32 holds both questions
    assert record["recipe_source"].startswith("TOFU (arXiv 2401.06121)")
    assert {"forget_quality", "authors_probability", "model_utility"} <= set(record["metrics"])
    assert "--reference" in record["command"]
    assert "TOFU (arXiv 2401.06121)" in (tmp_path / "out" / "README.md").read_text()


def test_a_method_that_needs_a_retain_set_says_that_rwku_has_none(
    unlearn: Run, saved_tiny: Path, tmp_path: Path
) -> None:
    files.rwku(tmp_path)
    ran = unlearn("run", "grad-diff", "--task", "rwku/Ada_Quill", "--model", saved_tiny, "--data", tmp_path)
    assert ran.status == 2
    assert "RWKU publishes no retain set" in ran.err


def test_tasks_and_benchmarks_are_listed_from_one_place(unlearn: Run) -> None:
    listed = json.loads(unlearn("tasks", "--json").out)
    assert [one["id"] for one in listed] == [*tasks(), *(one.id for one in benchmarks())]
    told = unlearn("tasks").out
    for one in benchmarks():
        assert all(name in told for name in one.task_names)
        with pytest.raises(UsageError, match="ships no models"):
            find_embedded(one.task_names[0])


@pytest.mark.parametrize("task", [name for one in benchmarks() for name in one.task_names])
def test_recipes_of_benchmarks_name_methods_and_their_hyper_parameters(task: str) -> None:
    for method, (recipe, hyperparameters) in of_benchmark(task).items():
        found = find_method(method)
        assert found.id == method
        assert recipe.source
        assert set(hyperparameters) <= {one.name for one in found.hyperparameters}
