"""Nothing that is read may run: no pickles, no loader that makes objects, no code that comes with a model unasked."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator

import pytest
from small_checkout import REPOSITORY

PICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pickletools"}
WITHOUT_RUNNING = {"UnpicklingError"}
"""What may be taken from there, to say what was wrong."""
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "_LOADER"}
"""The last is the name under which the two modules that parse YAML keep the faster of the others."""


def unsafe(source: str) -> list[str]:
    """The calls and imports in a module by which something that is read could run, with their lines."""
    return [f"{line}: {what}" for node in ast.walk(ast.parse(source)) for line, what in _unsafe(node)]


def _unsafe(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        yield from ((node.lineno, one.name) for one in node.names if one.name.split(".")[0] in PICKLING)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLING:
        yield from ((node.lineno, one.name) for one in node.names if one.name not in WITHOUT_RUNNING)
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        named = {word.arg: word.value for word in node.keywords if word.arg}
        if called in ("torch.load", "torch.jit.load") and not _is(named.get("weights_only"), True):
            yield node.lineno, f"{called} without weights_only=True"
        if called.endswith((".from_pretrained", ".from_config")) and "Auto" in called:
            if "trust_remote_code" not in named:
                yield node.lineno, f"{called} asks at the terminal whether to run a model's code"
            if "Model" in called and called.endswith("pretrained") and not _is(named.get("weights_only"), True):
                yield node.lineno, f"{called} without weights_only=True"
        if called in ("torch.save", "eval", "exec", "yaml.unsafe_load", "yaml.full_load", "os.system"):
            yield node.lineno, called
        loaders = {"yaml.load": node.args[1:], "get_yaml_loader": node.args}.get(called)
        if loaders is not None and not any(ast.unparse(one).split(".")[-1] in SAFE_LOADERS for one in loaders):
            yield node.lineno, f"{called} without a safe loader"
        for name in ("allow_pickle", "trust_remote_code", "shell"):
            if _is(named.get(name), True):
                yield node.lineno, f"{name}=True"


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_that_is_read_may_run() -> None:
    parts = ("catalog", "reference_impls", "benchmarks", "locks")
    paths = [path for part in parts for path in REPOSITORY.glob(f"{part}/**/*.py")]
    assert len(paths) > 300
    found = {str(path.relative_to(REPOSITORY)): unsafe(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: what for path, what in found.items() if what} == {}


def test_nor_in_a_notebook() -> None:
    for path in REPOSITORY.glob("examples/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert [unsafe(one) for one in code if not one.lstrip().startswith(("%", "!")) and unsafe(one)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import torch, dill",
        "from pickle import UnpicklingError, loads",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=chosen)",
        "torch.save(weights, path)",
        "AutoModelForCausalLM.from_pretrained(path, weights_only=True)",
        "AutoModelForCausalLM.from_pretrained(path, trust_remote_code=False)",
        "AutoTokenizer.from_pretrained(path)",
        "AutoConfig.from_pretrained(path, trust_remote_code=True)",
        "AutoModelForCausalLM.from_config(config)",
        "numpy.load(path, allow_pickle=True)",
        "datasets.load_dataset(path, trust_remote_code=True)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "yaml_load(text, get_yaml_loader())",
        "subprocess.run(text, shell=True)",
        "eval(text)",
    ],
)
def test_what_could_run_is_seen(source: str) -> None:
    assert unsafe(source)


@pytest.mark.parametrize(
    "source",
    [
        "from pickle import UnpicklingError",
        "torch.load(path, weights_only=True)",
        "AutoModelForCausalLM.from_pretrained(path, weights_only=True, trust_remote_code=loading.trust_remote_code)",
        "AutoTokenizer.from_pretrained(path, trust_remote_code=False)",
        "numpy.load(path)",
        "yaml.load(text, yaml.CSafeLoader)",
        "model.eval()",
        "ast.literal_eval(text)",
    ],
)
def test_what_cannot_is_left_alone(source: str) -> None:
    assert unsafe(source) == []
