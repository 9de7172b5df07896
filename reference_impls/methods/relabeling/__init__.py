r"""Relabeling-based fine-tuning.

Ordinary fine-tuning on the forget prompts, with other answers: nothing is pushed down, something else is taught in
its place.

$$
\mathcal L(\theta) = L\big(\{(x, \tilde y) : (x, y) \in \mathcal D_f\}; \theta\big) + \alpha\, L(\mathcal D_r; \theta).
$$

Every method is a choice of $\tilde y$.

## How they relate

- `idk`: $\tilde y$ is a refusal, one of many; TOFU's "preference optimization".
- `knowledge-sanitization`: one harmless phrase for all, learned by a low-rank adapter beside the model's usual
  answers.
- `random-labels`: every token drawn by lot. In expectation that is a divergence from the uniform distribution.
- `whp`: each token is what a model would say that never read the text: the present model, asked about generic
  stand-ins for the idiosyncratic names, less what further training on the text makes more likely.

`dpo` and `alt-po` of the preference family use other answers too, and hold them against the true one; `llmu` mixes
random answers with ascent.

## Read first

`idk` for the form, `whp` for the idea.

## What to expect

The loss is a likelihood, so nothing diverges, and fluency is kept where $\tilde y$ is fluent. Since the true answer
never enters the loss, it is displaced at its *first* token and stays known behind it: attacks that begin the answer,
or fine-tune a little, find it. Refusals also spread to questions that are much like those to forget.
"""
