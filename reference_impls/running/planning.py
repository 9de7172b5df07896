"""What ``unlearn plan --model`` adds to a plan: whether each method runs on a model, and what it takes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.model.choosing import MODEL, Candidate, Verdict
from catalog.model.cost import work
from catalog.model.results import Result
from reference_impls.errors import UnsupportedModelError, UsageError
from reference_impls.measuring.estimate import Demand, Load, Size, estimate, room, speed
from reference_impls.models.loading import Loading
from reference_impls.models.pretrained import skeleton
from reference_impls.running.fitting import check_method, check_network
from reference_impls.running.recipes import chosen
from reference_impls.running.registry import DEFAULT_TASK, method_class
from reference_impls.scaling import Scaling
from reference_impls.toolkit import check

GIGABYTE = 10**9
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class On:
    """A model, and what is to be done with it."""

    model: str
    loading: Loading
    scaling: Scaling
    examples: int
    """In the forget set."""
    tokens: int
    """Of an example."""
    room: float | None
    """Gigabytes of memory; None for those of this machine."""


@dataclass(frozen=True)
class Plan:
    """Every method, with what there is to say of the model."""

    candidates: Sequence[Candidate]
    demands: Mapping[str, Demand]
    """By method, of those that run on the architecture."""
    rate: float
    """Operations in a second that training may reach on this machine."""

    def seconds(self, method: str) -> float | None:
        """How long a method's training takes; None where nothing is trained in steps, or the method does not run."""
        one = self.demands.get(method)
        return one.operations / self.rate if one and one.operations is not None else None


def planned(found: Sequence[Candidate], results: Sequence[Result], on: On) -> Plan:
    """Candidates with a verdict on the model each.

    Raises:
        UsageError: the model has no configuration that can be read, or no network can be made from it.
    """
    network = skeleton(on.model, on.loading)
    if network is None:
        raise UsageError(
            f"What {on.model!r} takes cannot be told from its configuration. Name a folder that save_pretrained wrote."
        )
    check_network(network, on.scaling)
    size = Size.of(network, on.tokens)
    load = Load(_BYTES[on.loading.dtype or "float32"], on.scaling)
    there = room() if on.room is None else on.room * GIGABYTE
    demands: dict[str, Demand] = {}
    judged = []
    for candidate in found:
        method = candidate.method
        verdict = _refused(candidate, network, on.scaling)
        if verdict is None:
            recipe = chosen(DEFAULT_TASK, method, shipped=None).recipe({}, on.examples)
            demands[method.id] = one = estimate(method.needs, size, load, recipe, work(results, method))
            verdict = fits(one, there)
        judged.append(replace(candidate, verdicts={**candidate.verdicts, (MODEL, on.model): verdict}))
    return Plan(judged, demands, speed(load.bytes))


def fits(one: Demand, there: float) -> Verdict:
    """Whether a method fits into so many bytes."""
    if one.least > there:
        return Verdict("no", f"takes about {in_words(one)}, and there are {_gigabytes(there)}")
    if one.most > there:
        return Verdict("but", f"may take more memory than the {_gigabytes(there)} that there are")
    return Verdict("yes", f"takes about {in_words(one)}")


def in_words(one: Demand) -> str:
    """The memory, as people say it."""
    least, most = _gigabytes(one.least), _gigabytes(one.most)
    return most if least == most else f"{least.removesuffix(' GB')} to {most}"


def _gigabytes(count: float) -> str:
    value = count / GIGABYTE
    return f"{value:.0f} GB" if value >= 10 else f"{value:.1f} GB" if value >= 0.1 else f"{value:.2f} GB"


def _refused(candidate: Candidate, network: object, scaling: Scaling) -> Verdict | None:
    """Why a method does not run on a model, or not as it is to be trained; None where it does."""
    found = method_class(candidate.method)()
    try:
        check(candidate.method.name, found.parts, network)
        check_method(found, candidate.method.name, scaling, 1)
    except UnsupportedModelError as error:
        return Verdict("no", f"does not run on {type(network).__name__}: {_reason(error)}")
    except UsageError as error:
        return Verdict("no", _reason(error))
    return None


def _reason(error: UsageError) -> str:
    """What the first sentence of an error says behind its colon."""
    first = str(error).partition(". ")[0]
    return first.partition(": ")[2] or first
