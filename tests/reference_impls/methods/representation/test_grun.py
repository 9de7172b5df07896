from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.grun import GRUN, GatedEdit, GatedModel, gate_loss
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData


def _rows(edit: GatedEdit) -> torch.Tensor:
    """(r, d) R, as an edit has it now."""
    rows = edit.rows.weight
    assert isinstance(rows, torch.Tensor)
    return rows.detach()


def _edit(opening: float) -> GatedEdit:
    """d = 2, r = 1: R = (1, 0), A = (0, 1), b = 0.5."""
    edit = GatedEdit(2, 1)
    rows = nn.Linear(2, 1, bias=False)
    rows.weight.data = torch.tensor([[1.0, 0.0]])
    edit.rows = rows
    edit.target.weight.data, edit.target.bias.data = torch.tensor([[0.0, 1.0]]), torch.tensor([0.5])
    for weight in edit.gate.parameters():
        nn.init.zeros_(weight)
    *_, bias = edit.gate.parameters()
    bias.data.fill_(torch.logit(torch.tensor(opening), eps=1e-9).item())
    return edit


def test_an_edit_is_the_hand_computed_one_at_the_last_token_of_a_question() -> None:
    states = torch.tensor([[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]])
    edit = _edit(0.5)
    found = edit(states, torch.tensor([[True, True, False]]))
    assert_allclose(found.detach(), [[[1.0, 2.0], [1.75, 2.0], [1.0, 2.0]]], atol=1e-6)
    assert_allclose(edit.opened.detach(), [0.5], atol=1e-6)


def test_a_shut_gate_changes_nothing() -> None:
    states = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0))
    assert_allclose(_edit(0.0)(states, torch.ones(2, 3, dtype=torch.bool)).detach(), states, atol=1e-6)


def test_the_gates_loss_is_the_hand_computed_one() -> None:
    opened = [torch.tensor([0.8, 0.1]), torch.tensor([0.8, 0.1])]
    assert gate_loss(opened, 1).item() == pytest.approx(0.164252, abs=1e-6)
    assert gate_loss([torch.tensor([0.1, 0.8])], 1).item() > 1


@given(st.integers(2, 9), st.integers(1, 4))
def test_an_edit_moves_a_state_in_so_many_directions(width: int, rank: int) -> None:
    rank = min(rank, width)
    edit = GatedEdit(width, rank)
    assert_allclose(_rows(edit) @ _rows(edit).T, torch.eye(rank), atol=1e-5)
    states = torch.randn(12, width)
    moved = edit.edit(states)[0] - states
    assert torch.linalg.matrix_rank(moved.detach(), atol=1e-4) <= rank


def test_gates_open_for_what_is_forgotten_and_the_rest_stays(memorized: LanguageModel, data: UnlearningData) -> None:
    model = memorized.copy()
    gated = GRUN().unlearn(model, data, Run(Recipe(learning_rate=4e-3, steps=20, batch_size=3)))
    assert fingerprint(model.model) == fingerprint(memorized.model)
    assert all(weight.requires_grad for weight in model.model.parameters())
    assert mean_logprob(gated, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(gated, data.retain) > mean_logprob(memorized, data.retain) - 0.3
    for pairs, told in ((data.forget, True), (data.retain, False)):
        mean_logprob(gated, pairs)
        assert all(bool(((edit.opened > 0.5) == told).all()) for edit in gated.edits)
    assert_allclose(_rows(gated.edits[0]) @ _rows(gated.edits[0]).T, torch.eye(4), atol=1e-4)
    again = GRUN.restore(model, Kept(gated.to_json(), gated.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(gated, data.forget), abs=1e-6)
    assert again.generate([data.forget[0].prompt], 6) == gated.generate([data.forget[0].prompt], 6)


def test_modules_of_another_model_are_refused(tiny: LanguageModel) -> None:
    kept = GatedModel.untrained(tiny, 2).tensors()
    with pytest.raises(ValueError, match="loading state_dict"):
        GRUN.restore(tiny, Kept({"rank": 3}, kept))
