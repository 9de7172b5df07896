r"""Latent adversarial unlearning (LAU).

A model that has stopped saying something may be brought to say it again by a few odd words behind a question. Such
words act through hidden states. So in each step the states of every forget text are first shifted to where the answer
comes back, and it is unlearned there.

## Objective

Yuan et al., with shifts $\delta$ added to the hidden states behind one layer:

$$
\min_\theta\ \mathcal L_f(\theta; \delta^*) + \alpha\, L(\mathcal D_r; \theta),
\qquad
\delta^* = \arg\min_{\|\delta\| \le \epsilon}\ L(\mathcal D_f; \theta, \delta),
$$

where $\mathcal L_f$ is the forget loss of a method that is to be hardened. With `gradient-ascent` it is the paper's
AdvGA, with `npo` its AdvNPO:

$$
\mathcal L_f^{\mathrm{GA}} = -L(\mathcal D_f; \theta, \delta),
\qquad
\mathcal L_f^{\mathrm{NPO}} = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f}
\log \sigma\left( -\beta \log \frac{\pi_{\theta, \delta}(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right) .
$$

## Symbols

- $L(\mathcal D; \cdot)$: the mean negative log-likelihood of a set's answers.
- $\pi_{\theta, \delta}$: the model while its states are shifted. $\pi_{\mathrm{ref}}$: that before unlearning, whose
  states nobody shifts.
- $\delta_t \in \mathbb R^d$: the shift at token $t$ of prompt and answer; $\epsilon$ (`radius`) bounds the length of
  each, relative to the median length of the states there. $\delta^*$ is searched by `attack_steps` steps from 0.
- `depth`: the layer, as a fraction of the depth. `objective`: whose forget loss is hardened; $\beta$ (`beta`): npo's.
- $\alpha$ (`retain_weight`): weight of the retain loss, whose states nobody shifts either.

## Facts

- **$\epsilon = 0$ is `grad-diff` or `npo`.**
- **Under attack npo lets go later.** Its gradient is that of ascent on whole answers times
  $2 r^\beta / (1 + r^\beta)$ with $r = \pi_{\theta,\delta} / \pi_{\mathrm{ref}}$: 1 at the start, and with $\beta = 1$
  it is 0.67 where half of an answer's likelihood is left. An attacker who brings $r$ back to 1 brings the pull back.
- **The pull on logits is weaker under attack**, with either loss: that on the true token's is $1 - p_t$, and the
  attacker makes $p_t$ larger. In `targeted-lat` it is $p_t$. So it takes more steps, or longer ones, to forget as much.
- Beside `targeted-lat`: the same attack under a loss with a floor. Beside `agt-ao`: there the attacker makes npo's loss
  worst, in the model before unlearning as well, in a box and with a gate.
- No gradient goes through the search for $\delta^*$. A step costs `attack_steps` passes forward and back more, from the
  last layer down to the attacked one.
- **What an attacker gains, he has to go further for.** On `authors`, at the rate 0.0002 with $\alpha = 10$, forget
  answers fall to 0.22, which an attacker in the same layer lifts to 0.26 within 0.03 and to 0.41 within 0.1. `npo` at
  0.00015, where it forgets as much (0.19), is lifted to 0.26 and 0.55. Retain answers pay for it, as in the paper: 0.91
  in place of 0.93 (before: 0.98).
- **Too wide a ball teaches nothing.** Within $\epsilon = 0.3$ a state can be shifted so that any of the answers follows
  (0.99 of them, after `npo`): at the rate 0.0001 they then stay at 0.96, for nothing pulls where $p_t = 1$.

## Differences

1. In the released code one ball of radius $\epsilon = 8$ (Llama-3-8B, behind block 4) holds the shift of a whole text.
   The search starts at a random point in it, takes steps along the normalized gradient, and clips states to where they
   ranged before. Here the attack is that of `targeted-lat`: a ball for each token, relative to the size of the states.
2. For npo the code also offers a divergence from what was said before in place of the retain loss, and the same attack
   under the loss of `rmu`. Both are left out.
3. The equations are those of the released code, in its form for npo; of the paper its abstract was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    ascent_or_npo,
    hyperparameter,
    mean_nll,
    shifted,
    worst_shift,
)


@dataclass(frozen=True)
class LAU(Method):
    r"""Find $\delta^*$, and minimise the loss under it."""

    paper = "yuan2024robust"
    acts_on = "activations"
    reference = "log-probabilities"
    retain = "optional"
    parts = ("blocks",)
    remembers = False
    published = {
        "learning_rate": 1e-6,
        "epochs": 1,
        "batch_size": 4,
        "source": "released script, RWKU with Llama-3-8B-Instruct",
    }

    objective: str = hyperparameter(
        "npo", "the forget loss that is hardened", source="paper: AdvGA, AdvNPO", choices=("ascent", "npo")
    )
    beta: float = hyperparameter(0.1, "β of npo", source="released code", above=0)
    radius: float = hyperparameter(
        0.03,
        "ε, how far a state may be shifted, relative to its length",
        source="ours; the code's is absolute, and of a whole text",
        minimum=0,
    )
    attack_steps: int = hyperparameter(6, "steps of the attacker", source="released code", minimum=1)
    depth: float = hyperparameter(
        0.13, "attacked layer as a fraction of the depth", source="layer 4 of Llama-3-8B's 32", minimum=0, maximum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss; 0 does without",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss with the run's recipe."""
        return run.minimize(self.loss, model, data, reference=self.reference, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """Attack the forget texts of one batch, then tell the loss."""
        layer = model.layer_at(self.depth)
        shift = worst_shift(model, batch.forget, layer, mean_nll, self.radius, self.attack_steps)
        with shifted(model, layer, shift):
            (forget,) = model.token_logits(batch.forget)
        (retain,) = model.token_logits(batch.retain)
        forgotten = ascent_or_npo(forget, batch.forget.reference, self.objective, self.beta)
        return forgotten + self.retain_weight * mean_nll(retain)
