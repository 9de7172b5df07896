r"""Relabeling-based fine-tuning.

Ordinary fine-tuning on the forget prompts, with other answers: nothing is pushed down, something else is taught in
its place,

$$
\mathcal L(\theta) = L\big(\{(x, \tilde y) : (x, y) \in \mathcal D_f\}; \theta\big) + \alpha\, L(\mathcal D_r; \theta),
$$

with $L$ the mean negative log-likelihood of an answer's tokens. Every method is a choice of $\tilde y$.

## How they relate

- `idk`: $\tilde y$ is a refusal, one of many. TOFU calls it "preference optimization", though nothing is preferred.
- `idk-ap`: `idk` with another retain term. On questions that are to be answered, the answer is held against a refusal,
  and nothing is asked of it as long as it is far ahead.
- `nauf`: `idk` with refusals that name the subject, and with the same questions asked about those to forget and those
  to keep, so that the name alone decides.
- `mixed-prompt`: `idk` with prompts that ask two questions at once, one to refuse and one to answer, in both orders.
- `knowledge-sanitization`: `idk` with one phrase for all, learned by a low-rank adapter that is merged afterwards. A
  share of sanitized pairs in the training data takes the place of $\alpha$.
- `relearn`: `idk` in an adapter, with vague sentences on the subject for refusals, several wordings of each question,
  and a divergence beside the retain loss.
- `meow`: $\tilde y$ is a false answer of the right kind, and of several those are taken that the model is nearest to
  saying already. There is no retain term.
- `unstar`: $\tilde y$ is a false answer with a reason for it, another one in each round, and only questions take part
  that the model still answers rightly. Questions to keep stand beside them with their answers.
- `gnm`: $\tilde y$ is one false answer after another, each further off than the last, as a small part beside gradient
  ascent and a divergence on what is to stay.
- `lune`: an adapter alone, as in `knowledge-sanitization`, and $\tilde y$ alone: false answers or refusals, with
  nothing to keep.
- `ulmr`: `idk` without a retain term, each question in several wordings; the weights are then averaged with those from
  before, which is all that keeps the rest.
- `stat`: $\tilde y$ is noise, as many tokens as the true answer has, drawn once and learned by heart; batches of it and
  of the retain set take turns.
- `pmc`: $\tilde y$ is what the model says itself: of a few samples in each round the one that is least like what it
  said before unlearning. The true answer is never looked at.
- `random-labels`: every token of $\tilde y$ is drawn by lot, behind the *true* tokens before it. Drawn anew in each
  step, that is in expectation a divergence from the uniform distribution.
- `me-gd`: that divergence itself, computed in place of drawn, or the entropy; small beside the retain loss.
- `palu`: no $\tilde y$, but as in `me-gd` nothing in particular, and that at few places: where a sensitive part of the
  answer begins, and there for the few likeliest tokens.
- `whp`: each token is what a model would say that never read the text: the model before unlearning, asked about
  generic stand-ins for idiosyncratic names, less what further training on the text makes more likely. Again behind
  the true tokens, and without a retain term.

So all up to `pmc` replace an answer as a whole, the other four token by token. `dpo` and `alt-po` of the preference
family use other answers, too, and hold them against the true one; `llmu` mixes random answers with ascent; `undial`
teaches a distribution where `whp` teaches its one likeliest token.

## Read first

`idk` for the form, `whp` for the idea.

## What to expect

The loss is a likelihood, so nothing diverges, and fluency is kept where $\tilde y$ is fluent. In `idk` and
`knowledge-sanitization` the true answer is displaced at its *first* token only and stays known behind it: what is
said changes, while on `authors` the true answers remain likely and easy to tell from unseen ones, and `relearning`
brings them back. Refusals spread to questions that are much like those to forget, and a model that never read the
phrase needs many steps to learn it. `random-labels` errs the other way: uniform is not ignorant, its answers are
pieces of words, and the further it goes the less like the retrained model's. `whp` has to be told the idiosyncratic
names; without them the reinforced copy speaks alone.

A step is one of fine-tuning, on forget and retain answers. `whp` trains a copy of the model first, and asks both
models once about each text.
"""
