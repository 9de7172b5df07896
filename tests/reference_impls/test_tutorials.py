"""The tutorials and the notebook work as written: their files are written, and their commands run, in their order."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import command_runs
import pytest

from reference_impls.models.architectures import small_network

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "site" / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"^cat > (\S+) <<'EOF'\n(.*?)^EOF\n", re.MULTILINE | re.DOTALL)


def commands(text: str, folder: Path) -> Iterator[list[str]]:
    """The words of each command of a page's shell blocks; files that a block makes are in the folder by then."""
    for block in BLOCK.findall(text):
        for name, content in HERE_DOCUMENT.findall(block):
            (folder / name).write_text(content, encoding="utf-8")
        for line in HERE_DOCUMENT.sub("", block).replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def test_there_are_the_four_cases() -> None:
    assert [path.stem for path in TUTORIALS] == ["book", "customer", "subject", "vendor"]


@pytest.fixture(scope="module")
def small(saved_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model so small that a whole case takes seconds."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(saved_tiny)
    folder = tmp_path_factory.mktemp("small")
    small_network("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_as_written(
    tutorial: Path, small: Path, tmp_path: Path, unlearn: command_runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to").mkdir(parents=True)
    for place in ("path/to/model", "their-model"):
        (tmp_path / place).symlink_to(small)
    ran = 0
    for program, *words in commands(tutorial.read_text(encoding="utf-8"), tmp_path):
        assert program == "unlearn", "a tutorial has no other commands"
        done = unlearn(*words)
        assert done.status == 0, f"{words}: {done.err}"
        ran += 1
    assert ran
    if "--out audit.html" in tutorial.read_text(encoding="utf-8"):
        assert "</html>" in (tmp_path / "audit.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((ROOT / "examples" / "unlearn.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        assert cell.get("outputs", []) == [], "a notebook is committed without what it printed"
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    printed = capsys.readouterr().out
    assert "forget_probability" in printed
    assert "quantization_4" in printed
    assert "like never seen" in printed or "still there" in printed or "says nothing" in printed
