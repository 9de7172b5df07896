r"""Reward-reinforced fine-tuning.

The model writes, a reward says how unlike the unwanted text it is, and the model learns from its own samples. With
$R$ the reward of a sample $\hat s$ for a prompt $x$, these methods seek

$$
\max_\theta\; \mathbb E_{\hat s \sim \pi_\theta(\cdot \mid x)}\, R(\hat s)
\;\text{ near the model before unlearning, } \pi_0 .
$$

The true answer is needed for the reward only: the model is never shown it, not even to move away from it. (`rule` and
`rerule` may be shown some retain answers before they begin.)

## How they relate

- `quark`: no gradient of a reward. Samples are sorted by it and cut into parts, each sample's rank is told in front
  of its prompt, and the model is fine-tuned on all of them, with a divergence from $\pi_0$; afterwards it is always
  asked behind the best rank. Forget and retain prompts are both explored, and ranked apart.
- `demem`: the gradient of the reward, by proximal policy optimization. The reward is the likeness to the true answer
  with a minus, less a charge for each token on which the model has left $\pi_0$. Only forget prompts are used.
- `purge`: the gradient as well, but each sample is held against others of the same prompt (GRPO), and the reward counts
  words that must not be said, of all that is known of a subject: no true answer is needed, only those words.
- `rule`: groups again, of answers to forget and retain prompts. What earns is a refusal at the ones and an answer at
  the others, so that a little of `idk` has to come first, and what is learned is where refusing begins and ends.
- `rerule`: `rule` with a memory. Groups that earned little early on are used again later, corrected by how likely their
  answers have become.

Where `quark` raises the likelihood of every sample and leaves the choice to the prompt, the others change the model
for every prompt. Held against `gradient-ascent`, which lowers the true answer whatever the model says, all change what
is *said*.

## Read first

`quark`, whose loop is plain; `demem` for the policy gradient; `purge` for the one relative to a group.

## What to expect

Only what is sampled is trained. A model that answers by heart samples one text, earns one reward and learns nothing,
so all start slowly, and the probability of the true answer falls only as far as it was drawn. On `authors` `quark`
does not do what its paper says: the samples sort well, but the small model never learns to read the rank, and
training on its own mistakes costs retain answers. Even where it works, what was unlearned is hidden behind a rank, by
design. `demem` does forget, what is said before what is known, at the cost of retain answers, which no term of it
holds; and saying nothing earns as much as saying something else.

`purge` keeps a little more, with fewer steps on each sample. `rule` and `rerule` refuse every forget question, and
leave the true answers behind the refusal; their second stage brings down how many retain questions they refuse as well.

Writing is what costs: every token of a sample is a pass forward, and these need more of them than any method that
takes its answers from the data. `demem` also keeps a frozen copy of the model and takes several steps on each batch
of samples; `quark` keeps one as well, for the divergence.
"""
