r"""Reward-reinforced fine-tuning.

The model writes, a reward says how unlike the unwanted text it is, and the model learns from its own samples. The
true answer is needed for the reward only; it is never a target, not even one to move away from.

## How they relate

- `quark`: no gradient of a reward. Samples are sorted, the ranks are told in front as a prefix, and the model is
  fine-tuned on all of them with a divergence from the first model; afterwards it is always asked for the best rank.
- `demem`: proximal policy optimization with a reward of $-\mathrm{sim}(\hat s, s)$, the likeness to the true
  continuation, and a penalty for leaving the first model.

## Read first

`quark`, whose loop is plain; `demem` for the policy gradient.

## What to expect

Only what is sampled is trained. A model that answers by heart samples one text, earns one reward and learns nothing,
so both start slowly, and what they change is what is *said*: the probability of the true answer falls as far as it
was drawn. With `quark` what was unlearned is hidden behind a rank, by design.
"""
