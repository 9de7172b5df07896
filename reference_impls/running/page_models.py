"""Files with which a page of the site asks the embedded model before, after a method, and without the forget set.

Each is a whole network in ONNX whose matrices are kept in 8 bits: every row's values are whole multiples, -127 to 127,
of a scale of its own, and are multiplied out again when the file is read. The network itself is exported once, since
all methods change the same one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from catalog.base.files import write_whole
from catalog.model.page_models import (
    INDEX,
    TOKENIZER,
    PageModel,
    PageModels,
    PageModelsError,
    file_of,
    read_page_models,
)
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.metrics.answers import answer_probability
from reference_impls.metrics.sets import mean
from reference_impls.progress import Progress
from reference_impls.running import checkpoints
from reference_impls.running.chat import suggestions
from reference_impls.running.experiment import Experiment
from reference_impls.running.parallel import run_all
from reference_impls.running.registry import RESULTS, find_embedded
from reference_impls.toolkit import LanguageModel, Task, UnlearnedModel

if TYPE_CHECKING:
    import onnx

LEVELS = 127
"""Steps of 8 bits on either side of 0."""
FAR = 0.05
"""By how much the forget probability may be off the record's before a file is called another model."""
_PREFIX = "network."


@dataclass(frozen=True)
class Job:
    """One method's model, to be made in any process."""

    method: str
    task: str
    network: bytes
    """The exported network."""
    folder: Path


@dataclass(frozen=True)
class Made:
    """The file of a model, or why there is none."""

    model: PageModel | None
    left_out: str = ""


def make_page_models(
    task: Task, methods: Sequence[str], folder: Path, progress: Progress, workers: int | None = None
) -> PageModels:
    """Run methods with their recipes and seed 0, and write a file for each, for both references, and an index.

    Args:
        task: one that ships the embedded model.
        methods: their ids; a method that does not change the weights, or whose weights in 8 bits forget another part
            than its record says, is left out with the reason.
        folder: where to; made if it is missing.
        progress: called as ``progress(stage, done, total)``.
        workers: how many run at a time; the number of cores by default.

    Raises:
        UsageError: packages are missing.
    """
    if not all(map(find_spec, ("onnx", "onnxscript"))):
        raise UsageError("It needs the packages onnx and onnxscript: pip install 'llm-unlearning[ask]'.")
    checkpoints.settle_threads(task)
    folder.mkdir(parents=True, exist_ok=True)
    references = {which: checkpoints.load(task, which) for which in checkpoints.WHICH}
    target = references["target"]
    progress("exporting the network", 0, len(methods))
    network = exported(target)
    jobs = [Job(method, task.name, network, folder) for method in methods]
    models, left_out = _of_others(folder, task, methods)
    models |= {which: written(model, network, task, folder / file_of(which)) for which, model in references.items()}
    done: list[str] = []

    def finished(job: Job, made: Made) -> None:
        done.append(job.method)
        if made.model:
            models[job.method] = made.model
        else:
            left_out[job.method] = made.left_out
        progress(f"last {job.method}", len(done), len(jobs))

    run_all(make_one, jobs, finished, workers)
    write_whole(folder / TOKENIZER, target.tokenizer.backend_tokenizer.to_str())
    before, after = target.around_questions()
    splits = task.splits(target)
    asked = {
        "forget": tuple(suggestions(task, target)),
        "retain": (target.typed(splits.retain_probe[0].prompt),),
        "facts": (target.typed(splits.facts[0].prompt),),
    }
    index = PageModels(
        task=task.name,
        before_question=before,
        after_question=after,
        stops=target.marks.stops,
        longest=task.max_new_tokens,
        window=target.max_length,
        suggestions=asked,
        models=dict(sorted(models.items())),
        left_out=dict(sorted(left_out.items())),
    )
    write_whole(folder / INDEX, index.to_json())
    return index


def _of_others(folder: Path, task: Task, methods: Sequence[str]) -> tuple[dict[str, PageModel], dict[str, str]]:
    """What an earlier call made for other methods, and left out; nothing where it cannot be used."""
    with suppress(PageModelsError):
        earlier = read_page_models(folder)
        if earlier and earlier.task == task.name:
            others = {*earlier.models, *earlier.left_out}.difference(methods)
            return (
                {name: made for name, made in earlier.models.items() if name in others},
                {name: reason for name, reason in earlier.left_out.items() if name in others},
            )
    return {}, {}


def make_one(job: Job) -> Made:
    """Run one method, and write its file."""
    from reference_impls.progress import silence_libraries
    from reference_impls.running.runner import unlearn

    silence_libraries()
    experiment = Experiment(job.method, job.task)
    try:
        record = Result.model_validate_json((RESULTS / experiment.file).read_bytes())
    except OSError:
        return Made(None, "it was not measured on this task")
    task = find_embedded(job.task)
    model = unlearn(experiment, task)
    if reason := unfit(model, checkpoints.load(task, "target")):
        return Made(None, reason)
    assert isinstance(model, LanguageModel)
    path = job.folder / file_of(job.method)
    made = written(model, job.network, task, path)
    recorded = record.metrics["forget_probability"]
    if abs(made.forget_probability - recorded) > FAR:
        path.unlink()
        return Made(
            None,
            f"in 8 bits its forget probability is {made.forget_probability:.2f}, and {recorded:.2f} in its record",
        )
    return Made(made)


def unfit(model: UnlearnedModel, target: LanguageModel) -> str:
    """Why there is no file of what a method returned; empty if there is one."""
    if not isinstance(model, LanguageModel):
        return "it leaves the weights alone, and works around them"
    return "" if model.embeddings == target.embeddings else "it knows other tokens than the page"


def written(model: LanguageModel, network: bytes, task: Task, path: Path) -> PageModel:
    """Write a model's file; its weights are rounded on the way, and what they know is measured after that."""
    content = filled(network, in_8_bits(model.model))
    write_whole(path, content)
    pairs = task.splits(model).forget
    logprobs = model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    known = mean([answer_probability(values) for values in logprobs])
    return PageModel(bytes=len(content), forget_probability=round(known, 4))


@torch.no_grad()
def in_8_bits(model: nn.Module) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
    """Round a model's matrices in place.

    Returns:
        All weights by name; of a matrix its (rows, columns) levels and (rows,) scales.
    """
    kept: dict[str, Tensor | tuple[Tensor, Tensor]] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        if weight.ndim != 2:
            kept[name] = weight.detach().float()
            continue
        scales = (weight.abs().amax(dim=1) / LEVELS).clamp_min(torch.finfo(torch.float32).tiny)
        levels = (weight / scales[:, None]).round().clamp(-LEVELS, LEVELS)
        weight.copy_(levels * scales[:, None])
        kept[name] = levels.to(torch.int8), scales
    return kept


class _Next(nn.Module):
    """(1, L) tokens -> (V,) the probability of each token to come next."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.network(input_ids=ids, use_cache=False, logits_to_keep=1).logits
        return logits[0, -1].softmax(-1)


def exported(model: LanguageModel) -> bytes:
    """The network in ONNX: from ``ids`` (1, L) to ``probabilities`` (V,) of the next token."""
    length = torch.export.Dim("length", min=2, max=model.max_length)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch's own, inside the exporter
        program = torch.onnx.export(
            _Next(model.model).eval(),
            (torch.zeros(1, 8, dtype=torch.long),),
            dynamo=True,
            dynamic_shapes={"ids": {1: length}},
            input_names=["ids"],
            output_names=["probabilities"],
            optimize=False,  # weights keep their names
            verbose=False,
        )
    assert program is not None
    network: onnx.ModelProto = program.model_proto
    _forget_where_from(network)
    content: bytes = network.SerializeToString(deterministic=True)
    return content


def filled(network: bytes, weights: Mapping[str, Tensor | tuple[Tensor, Tensor]]) -> bytes:
    """An exported network with other weights, matrices in 8 bits."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(network)
    graph = model.graph
    known = {weight.name: weight for weight in graph.initializer}
    unpacking = []
    for name, weight in weights.items():
        if (place := f"{_PREFIX}{name}") not in known:
            continue  # one matrix by two names, as where the head is tied to the embeddings
        graph.initializer.remove(known[place])
        if isinstance(weight, Tensor):
            graph.initializer.append(numpy_helper.from_array(weight.numpy(), place))
            continue
        parts = [f"{place}.levels", f"{place}.scales"]
        for part, values in zip(parts, weight, strict=True):
            graph.initializer.append(numpy_helper.from_array(values.numpy(), part))
        unpacking.append(helper.make_node("DequantizeLinear", parts, [place], axis=0))
    nodes = [*unpacking, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _forget_where_from(network: onnx.ModelProto) -> None:
    """Take out what the exporter noted of the code that each step came from, which is more than the weights."""
    del network.metadata_props[:]
    del network.graph.metadata_props[:]
    del network.graph.value_info[:]
    for part in (*network.graph.node, *network.graph.initializer):
        part.ClearField("doc_string")
        del part.metadata_props[:]
    for function in network.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
