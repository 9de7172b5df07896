r"""Inference-time guards.

The model $\theta_0$ is left alone, and something is put around it that acts at every query. A gate $g$ tells whether
a query is about what was to be forgotten, and has it answered otherwise; or what the model expects next is corrected,
at every token, by what small models beside it expect:

$$
\hat y(x) = \begin{cases} \hat y_{\text{other}}(x) & \text{if } g(x) \\ \hat y_{\theta_0}(x) & \text{else,} \end{cases}
\qquad
z(x) = z_{\theta_0}(x) + \gamma \left( z^{+}(x) - z^{-}(x) \right) .
$$

## How they relate

Gates, which leave alone what they let through:

- `guardrail`: $g$ looks for names, and what is said instead is a refusal. Its other forms look at the answer, or put an
  instruction before every question.
- `curate`: $g$ compares the question with those that were stored, as vectors of an encoder that learned on other
  questions what asks the same; what is said is a refusal, too.
- `key-space-detection`: $g$ asks the model itself: whether what a layer reads at the end of the question lies in the
  box that holds what it reads there of the forget set. What is said is a refusal.
- `cbd`: $g$ asks two small models how an answer would go on, of which one was trained to know what must go: where they
  disagree, the other, which never met it, answers. Of the model it needs answers alone.
- `eco`: $g$ is a trained classifier, and what answers is the same model, which reads the question through noise: as
  strong as it takes to know no more than of what it never read.

Corrections, which touch every query:

- `dexperts`: $z^{+}$ is a small model that was trained on what is to be kept, $z^{-}$ one on what is to be forgotten.
- `divergence-decoding`: $z^{-}$ has read what is to be kept as well, so that the two differ in the forget data alone.
- `uld`: $z^{-}$ alone, of an assistant that was trained to know what is to be forgotten and to be uniform elsewhere, so
  that there is nothing to subtract where nothing is to be forgotten.
- `delta-unlearning`: $z^{-}$ is $z^{+}$ before training, and $z^{+}$ is trained so that the sum forgets. The gradient
  is taken at the three together, where the others train their small models by themselves.
- `cmc`: one small model, and nothing to subtract. It is trained as in `delta-unlearning`, on top of probabilities, and
  is then put beside other models as well.
- `token-swap`: no difference, but a division of work. The model says how likely a function word is, a small model
  which; all other words are left alone. It breaks what is recited, not what is known.
- `neuron-adjust`: no other model and no logits. Inside the model, values of neurons that look as if they came from the
  forget set are exchanged for ones that do not; each neuron is its own gate.
- `dsg`: a gate and a change of states. Features of a sparse autoencoder are clamped as in `sae-clamping` of the
  representation family, but only where a question has more of them than nearly all that are to be kept.

`icul` and `spul` of the in-context family change the prompt as well, without a gate; `eul` of the modular family puts
trained layers inside, and `grun` of the representation family gated ones.

## Read first

`guardrail`, then `uld`.

## What to expect

The weights stay as they are, so that whoever has them has everything: `unwrapping` gives the model before unlearning,
to the bit, and attacks on the weights find what they would have found in it. Behind the interface it is another
matter. A gate costs next to nothing and does as well as it can tell questions apart: other words, or no name at all,
may slip through. A gate on questions does not see a text that comes without one. Corrections cannot be fooled by
words that way, but most cost one or two more models at every token, and what the small models get wrong of the rest
goes into its answers. A refusal has no probabilities, so that measures that compare some say little of `guardrail`,
`curate` and `key-space-detection`.
"""
