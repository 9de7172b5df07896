"""What was computed is not lost: where it is kept, when, and that it can be opened again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked import contents, do_until
from unlearning_toys import invented_pairs, write_rows

from reference_impls.attacks.unwrapping import UnwrappingAttack
from reference_impls.errors import UsageError
from reference_impls.running import saving
from reference_impls.running.evaluate_saved import attack_saved, evaluate_saved
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import find_attack, find_method, method_class, methods
from reference_impls.running.runner import Outcome, run
from reference_impls.running.saving import Keeper, prepare_folder
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import Kept, Pair, Run, Splits, Victim
from reference_impls.toolkit.savepoints import UNFINISHED

WRAPPING = [one.id for one in methods() if method_class(one).wraps()]


@pytest.fixture
def task(tmp_path: Path) -> FilesTask:
    for name, rows in (("forget", invented_pairs()[:3]), ("retain", invented_pairs()[3:])):
        write_rows(tmp_path / name, rows)
    return FilesTask(tmp_path / "forget", tmp_path / "retain")


def _experiment(method: str, model: Path, **changes: Any) -> Experiment:
    return Experiment(method, model=str(model), **({"recipe": {"steps": 2, "learning_rate": 1e-2}} | changes))


# Places


def _link_to_empty(tmp_path: Path) -> Path:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    return tmp_path / "link"


def _empty(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


PLACES: dict[str, Callable[[Path], Path]] = {
    "new": lambda tmp_path: tmp_path / "new",
    "deep": lambda tmp_path: tmp_path / "a" / "b" / "c",
    "empty": _empty,
    "link to an empty folder": _link_to_empty,
    "below a link": lambda tmp_path: _link_to_empty(tmp_path) / "below",
    "long name": lambda tmp_path: tmp_path / ("x" * 250),
    "with spaces": lambda tmp_path: tmp_path / "a b ü",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_that_passes_is_one_that_is_written(
    place: str, task: FilesTask, saved_tiny: Path, tmp_path: Path
) -> None:
    folder = PLACES[place](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    keeper = Keeper(folder, find_method("ga"))
    assert sorted(tmp_path.rglob("*")) == before  # proved, and taken away again
    outcome = run(_experiment("ga", saved_tiny), task, keep=keeper.keep)
    keeper.check()
    assert {"model.safetensors", "config.json", "result.json", "README.md"} <= {one.name for one in folder.iterdir()}
    assert not list(tmp_path.rglob(f"{UNFINISHED}*"))
    assert evaluate_saved(str(folder), task, lambda *_: None).metrics == pytest.approx(outcome.result.metrics, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "says"),
    [("x" * 256, "cannot be made"), ("file/below", "cannot be made"), ("file", "not empty"), ("full", "not empty")],
)
def test_a_folder_that_cannot_be_written_is_refused_first(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "one").write_text("precious", encoding="utf-8")
    with pytest.raises(UsageError, match=says) as caught:
        prepare_folder(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "full"]


def test_a_dangling_link_is_refused_or_followed_but_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot be made"):
        prepare_folder(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_what_a_killed_run_left_is_told_and_in_nobodys_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / f"{UNFINISHED}abc").mkdir(parents=True)
    prepare_folder(tmp_path / "out")
    assert f"{UNFINISHED}abc was left by a run that was killed" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is a copy of this one")
def test_a_run_that_is_killed_while_it_saves_leaves_the_whole_model_or_nothing_in_the_way(
    task: FilesTask, saved_tiny: Path, tmp_path: Path
) -> None:
    method = find_method("ga")
    outcome = run(_experiment("ga", saved_tiny, recipe={"steps": 1, "learning_rate": 1e-2}), task)

    def save(folder: Path) -> None:
        saving.save(folder, outcome.model, method, outcome.result)

    save(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    for moment in range(1, 200):
        folder = tmp_path / f"killed-{moment}"
        if not do_until(moment, partial(save, folder)):
            break
        try:
            prepare_folder(folder)
        except UsageError:  # all had arrived
            left = contents(folder)
        else:
            save(folder)
            left = {name: content for name, content in contents(folder).items() if not name.startswith(UNFINISHED)}
        assert left == whole, moment
    assert moment > len(whole)


def test_only_what_a_killed_run_named_is_taken_back(tmp_path: Path) -> None:
    """A list that names other places, or none, takes nothing from anybody."""
    scratch = tmp_path / "out" / f"{UNFINISHED}abc"
    scratch.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (scratch / "config.json").write_text("{}", encoding="utf-8")
    (scratch / saving.MOVING).write_text(json.dumps(["../precious", "config.json"]), encoding="utf-8")
    prepare_folder(tmp_path / "out")
    assert not scratch.exists()
    for broken in ("[", "{}", "3", '[["a"]]'):
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / saving.MOVING).write_text(broken, encoding="utf-8")
        prepare_folder(tmp_path / "out")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"


def test_a_model_that_cannot_be_saved_where_it_should_is_saved_elsewhere(
    task: FilesTask, saved_tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(tmp_path / "out", find_method("ga"))
    write = saving.save

    def full(folder: Path, *rest: Any) -> None:
        if folder == tmp_path / "out":
            raise OSError(28, "No space left on device")
        write(folder, *rest)

    monkeypatch.setattr(saving, "save", full)
    outcome = run(_experiment("ga", saved_tiny), task, keep=keeper.keep)
    assert outcome.result.metrics
    assert keeper.place is not None
    assert evaluate_saved(str(keeper.place), task, lambda *_: None).metrics
    with pytest.raises(UsageError, match=rf"No space left on device\. It is in {keeper.place} instead; move it"):
        keeper.check()


# Order


def test_a_run_is_kept_before_anybody_attacks_the_model(
    task: FilesTask, saved_tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: UnwrappingAttack, victim: Victim, run: Run) -> dict[str, float]:
        raise MemoryError("the attack died")

    monkeypatch.setattr(UnwrappingAttack, "measure", crash)
    keeper = Keeper(tmp_path / "out", find_method("ga"))
    with pytest.raises(MemoryError):
        run(_experiment("ga", saved_tiny), task, attacked=True, keep=keeper.keep)
    assert evaluate_saved(str(tmp_path / "out"), task, lambda *_: None).metrics


def test_what_attacks_found_is_added_to_what_was_kept(task: FilesTask, saved_tiny: Path, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "out", find_method("ga"))
    kept: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        kept.append(outcome)
        keeper.keep(outcome)

    outcome = run(_experiment("ga", saved_tiny), task, attacked=True, keep=keep)
    keeper.update(outcome)
    assert kept[0].result.attacks == {}
    assert outcome.result.attacks.keys() >= {"quantization_8", "relearning", "logit_lens"}
    assert "Unwrapping" in outcome.left_out
    assert (tmp_path / "out" / "result.json").read_text("utf-8") == outcome.result.to_json()


# Wrappers

FEWER = {"sisa-adapters": {"shards": "2"}}
"""Of several models inside, two are enough to come back."""


@pytest.mark.parametrize("method", WRAPPING)
def test_what_is_around_the_weights_comes_back_with_them(
    method: str, task: FilesTask, saved_tiny: Path, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path / "out", find_method(method))
    earlier = str(saved_tiny) if find_method(method).needs.earlier == "needed" else None
    asked = _experiment(method, saved_tiny, settings=FEWER.get(method, {}), earlier=earlier)
    outcome = run(asked, task, keep=keeper.keep)
    keeper.check()
    assert "alone are not the unlearned model" in keeper.describe(outcome)
    again = evaluate_saved(str(tmp_path / "out"), task, lambda *_: None)
    assert again.metrics == pytest.approx(outcome.result.metrics, abs=1e-6)
    assert again.examples == outcome.result.examples
    attacked = attack_saved(str(tmp_path / "out"), task, [find_attack("unwrapping")], 0, lambda *_: None)
    assert attacked.attacks.keys() == {"unwrapped"}


def test_whoever_wraps_can_be_put_together_again() -> None:
    assert {"icul", "eul", "quark", "sisa-adapters"} <= set(WRAPPING)
    assert "npo" not in WRAPPING
    with pytest.raises(TypeError, match="puts nothing around"):
        method_class(find_method("npo")).restore(None, Kept({}))  # type: ignore[arg-type]


# Requests


@pytest.mark.parametrize("requests", [4, 9])
def test_more_requests_than_subjects_are_refused_at_once(requests: int, task: FilesTask, saved_tiny: Path) -> None:
    with pytest.raises(UsageError, match=rf"--requests {requests} is more than .* \(3\)"):
        run(_experiment("ga", saved_tiny, requests=requests), task)


@pytest.mark.parametrize("count", range(1, 12))
def test_as_many_requests_as_there_may_be_take_every_subject_once(count: int) -> None:
    splits = Splits(tuple(Pair(f"{number}?", "x") for number in range(count)), ())
    for requests in range(1, count + 1):
        parts = [splits.part(one / requests, (one + 1) / requests).forget for one in range(requests)]
        assert [pair for part in parts for pair in part] == list(splits.forget)
        assert all(parts)


def test_who_goes_on_from_what_it_put_around_the_weights_serves_a_course(task: FilesTask, saved_tiny: Path) -> None:
    outcome = run(_experiment("o3", saved_tiny, requests=3), task)
    assert len(outcome.result.stages) == 3
    assert len(outcome.model.gates) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("method", [one for one in WRAPPING if not method_class(find_method(one)).continues])
def test_requests_to_what_wraps_are_refused_before_anything_is_loaded(method: str, task: FilesTask) -> None:
    with pytest.raises(UsageError, match="works around them"):
        run(_experiment(method, Path("/nowhere"), requests=2), task)


# Signals


def test_a_polite_request_to_end_cleans_up(tmp_path: Path) -> None:
    script = (
        "import sys, tempfile, time\n"
        "from catalog.base.terminal import run\n"
        "def app():\n"
        f"    with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "run('unlearn', app)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=dict(os.environ))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []
