r"""The vocabulary space: what a state of a model, or what a neuron writes, would say if the head read it as it is.

The logit lens reads a state $x$ as $E\, \mathrm{norm}(x)$. Up to its length that is $\tilde E x$, with the gains of the
norm taken into the unembedding, $\tilde E = E\, \mathrm{diag}(g)$; lengths change no rank. The way back is the
pseudo-inverse $\tilde E^{+} = (\tilde E^\top \tilde E)^{-1} \tilde E^\top$.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import architecture
from reference_impls.toolkit.language_model import LanguageModel


@dataclass(frozen=True)
class VocabularySpace:
    r"""How a model's head reads states. What a norm subtracts or adds, some architectures' does, is left out."""

    rows: Tensor
    r"""(V, d) $\tilde E$, float32."""

    @classmethod
    @torch.no_grad()
    def of(cls, model: LanguageModel) -> VocabularySpace:
        """A model's, from its own norm: asked, not looked up by name."""
        head = model.model.get_output_embeddings().weight
        signs = torch.ones(model.width, dtype=head.dtype, device=head.device)
        signs[1::2] = -1  # of length and mean as norms want it, so that they only multiply
        up, down = architecture.normed(model.model, torch.stack([signs, -signs])).float()
        return cls(head.float() * (signs * (up - down) / 2))

    def logits(self, states: Tensor) -> Tensor:
        """(N, V) of (N, d) states, each brought to the root mean square 1."""
        length = states.float().square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-12)
        return (states.float() / length) @ self.rows.T

    def direction(self, token: int) -> Tensor:
        r"""(d,) $\tilde E^{+} e_t$: along which a state moves where a token's logit is changed and it is read back."""
        rows = self.rows.double()
        direction: Tensor = torch.linalg.solve(rows.T @ rows, rows[token])
        return direction.to(self.rows.dtype)


def ranks(logits: Tensor, token: int) -> Tensor:
    """(N,) how many tokens have a higher logit than this one, in each of (N, V)."""
    return (logits > logits[:, token, None]).sum(dim=1)
