"""A new method's file and its test, ready to fill in: they run as they are, with gradient difference inside."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from reference_impls.errors import UsageError
from reference_impls.running.registry import PACKAGE

METHOD = r'''r"""Title as in the paper (SHORT).

What it does to the model and why that makes it forget, in two sentences.

## Objective

Authors (equation N):

$$
\mathcal L(\theta) = \mathcal L_f(\theta) + \alpha\, L(\mathcal D_r; \theta),
\qquad
\mathcal L_f(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \log \pi_\theta(y \mid x).
$$

## Symbols

- $\pi_\theta(y \mid x)$: the probability of the whole answer; $|y|$: its number of tokens.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- What follows from the objective and a reader would ask: is it bounded below, which limits are other methods, what is
  its gradient, where does it go wrong, what did it do on the embedded task?

## Differences

1. Whatever departs from the paper or from its released code.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit.batch import Batch
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits, mean_nll
from reference_impls.toolkit.method import LossMethod, hyperparameter


def MODULE_loss(out: TokenLogits) -> Tensor:
    r"""() $\mathcal L_f$ from logits at the tokens of answers to forget."""
    return -out.sequence_nll().mean()


@dataclass(frozen=True)
class CLASS(LossMethod):
    r"""Minimise $\mathcal L$."""

    paper = "PAPER"
    family = "gradient-ascent"
    acts_on = "loss"

    retain_weight: float = hyperparameter(1.0, "α, weight of the retain loss", source="section or code", minimum=0)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return MODULE_loss(forget) + self.retain_weight * mean_nll(retain)
'''

TEST = """from __future__ import annotations

import pytest
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, token_logits

from reference_impls.toolkit.data import UnlearningData
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.methods.MODULE import CLASS, MODULE_loss
from reference_impls.toolkit.training import Recipe, Run


def test_loss_and_gradient_on_the_toy_are_the_hand_computed_ones() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    value = MODULE_loss(out)
    value.backward()
    assert value.item() == pytest.approx(-0.395495, abs=1e-6)
    assert out.logits.grad is not None
    # By hand: (one-hot - softmax) / 2 in each row.
    assert_allclose(out.logits.grad[0], (0.106507, -0.053253, -0.053253), atol=1e-6)


def test_what_the_paper_claims_shows_on_a_small_model(fresh: LanguageModel, data: UnlearningData) -> None:
    before = [float(one.sum()) for one in fresh.pair_logprobs(data.forget)]
    unlearned = CLASS().unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=5)))
    after = [float(one.sum()) for one in unlearned.pair_logprobs(data.forget)]
    assert all(now < then for now, then in zip(after, before, strict=True))
"""


def new_method(name: str, paper: str, root: Path = PACKAGE.parent) -> tuple[Path, Path]:
    """Write a method's file and its test, and link its paper's record back to it; returns where both are.

    Args:
        name: the method's id, as in ``unlearn run NAME``.
        paper: id of the record that it follows.
        root: the checkout.

    Raises:
        UsageError: the name cannot be one, is taken, or this is not a checkout.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be a method's id. Use small letters, digits and dashes, such as 'sim-npo'.")
    module = name.replace("-", "_")
    method = root / "reference_impls" / "methods" / f"{module}.py"
    test = root / "tests" / "reference_impls" / "methods" / f"test_{module}.py"
    if not test.parent.is_dir():
        raise UsageError(f"There are no tests at {test.parent}: methods are added to a checkout of the project.")
    for path in (method, test):
        if path.exists():
            raise UsageError(f"{path.relative_to(root)} is there already.")
    words = {
        "MODULE": module,
        "CLASS": "".join(word.capitalize() for word in name.split("-")),
        "SHORT": name,
        "PAPER": paper,
    }
    for path, text in ((method, METHOD), (test, TEST)):
        path.write_text(re.sub("|".join(words), lambda found: words[found[0]], text), encoding="utf-8")
    record = next(iter(root.glob(f"papers/*/{paper}.yaml")), None)
    if record:
        record.write_text(with_implementation(record.read_text(encoding="utf-8"), name), encoding="utf-8")
    return method, test


def with_implementation(record: str, name: str) -> str:
    """A paper's record with a link to the method that follows it, as the last of its implementations."""
    link = f"  - {{id: {name}, relation: introduces}}\n"
    # After the list's last item, or in its place among the record's keys: before the provenance, which ends it.
    for place in (r"^implementations:\n(?:[ #].*\n)*", r"(?=^provenance:)", r"\Z"):
        found = re.search(place, record, flags=re.MULTILINE)
        if found:
            break
    assert found
    key = "" if found[0] else "implementations:\n"
    return record[: found.end()] + key + link + record[found.end() :]
