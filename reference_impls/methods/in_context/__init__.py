r"""In-context unlearning.

The weights stay as they are (but with `icku`, where they learn to heed what is put there). What is put in front of a
query $x$ makes the model answer as if it had never seen the forget data,

$$
\hat y \sim p_{\theta_0}(\cdot \mid c(x) \oplus x),
$$

so that the method is the context $c$: chosen, or trained as vectors in front of the words. A chosen one works where
there is nothing but an interface. Whoever can choose the prompt can undo either.

## How they relate

- `icul`: $c(x)$ begins with the point to forget and a *wrong* answer to it, and goes on with a few other points and
  their right ones. The contradiction lowers the model's confidence in what it memorised; the right ones keep the
  format. To serve a whole forget set, the request that shares most words with the query is the one put there.

- `rag`: $c(x)$ is a demand to keep silent on what the query is about, found in a store by the name of its subject. What
  finds none has no context at all. Of several wordings that one is taken which the model obeys.

- `dragon`: a gate with three eyes, on names, likeness and a classifier. Behind it $c(x)$ is a policy, made-up answers
  about the subject, and reasoning that leads to a refusal.

- `spul`: what stands before a query is no text but a few vectors, the same for every query, and they are trained: to
  have questions on what is to be forgotten refused, and the others answered as without them.
- `icku`: $c(x)$ is a tag that names whom to forget, and the weights change once, so that the model obeys it: asked
  about the named it says that it forgot, asked about others it answers. Which tag is shown is decided much as in
  `icul`.

Guards at inference time (filters, corrupted prompts, offsets of logits) are a family of their own. `quark` of the
reinforcement family also puts something in front of every query, but trains the model to read it.

## Read first

`icul`.

## What to expect

No damage to the weights, and taking the context away gives the model back to the bit. What it costs comes with every
query: a longer prompt. Which queries get a context is decided by a comparison of words, so that a question about
somebody else which shares a few of them with a request is asked behind the wrong answer, too: on `authors` the
answers that were to be kept suffer more than with most methods that train, and the utility with them. A question that
shares no word with a request slips through. What the model gives as its answer changes; the true answers still stand
out from unseen ones, so that `membership` finds them. And a model has to heed its context for any of this to work.
"""
