from __future__ import annotations

import torch
from torch import nn
from unlearning_toys import fingerprint, hooks, invented_pairs, mean_logprob

from reference_impls.toolkit import ChangedStates, LanguageModel
from reference_impls.toolkit.mlp_memory import Change

PAIRS = invented_pairs()


def test_without_a_change_it_is_the_model(learned: LanguageModel) -> None:
    changed = ChangedStates.of(learned, {})
    assert mean_logprob(changed, PAIRS) == mean_logprob(learned, PAIRS)
    assert changed.generate([PAIRS[0].prompt], 6) == learned.generate([PAIRS[0].prompt], 6)


def test_a_change_is_made_once_wherever_the_model_is_read_or_asked(learned: LanguageModel) -> None:
    # Doubling the last state is seen, and twice the change would be seen as well.
    block, hooked = learned.blocks[1], hooks(learned.model)
    changes: dict[nn.Module, Change] = {block: lambda states: 2 * states}
    changed = ChangedStates.of(learned, changes)
    batch = learned.encode(PAIRS[:2])
    (after,) = changed.outputs(batch, [learned.blocks[2]])
    before = fingerprint(learned.model)
    with torch.no_grad():
        block_two, scale = learned.blocks[2], []
        handle = block_two.register_forward_pre_hook(lambda module, given: scale.append(given[0]))
        for model in (learned, changed):
            model.outputs(batch, [block_two])
        handle.remove()
    assert torch.equal(2 * scale[0], scale[1])
    assert after.shape == scale[0].shape
    assert hooks(learned.model) == hooked
    assert fingerprint(learned.model) == before


def test_what_is_scored_is_what_is_written(learned: LanguageModel) -> None:
    changed = ChangedStates.of(learned, {learned.blocks[0]: lambda states: -states})
    prompts = [pair.prompt for pair in PAIRS[:3]]
    together = changed.generate(prompts, 4)
    assert together == [changed.generate([one], 4)[0] for one in prompts]
    assert together != learned.generate(prompts, 4)
    for prompt, text in zip(prompts, together, strict=True):
        if text:
            (told,) = changed.distributions([prompt], [f" {text}"])
            assert bool(told.likeliest[:1].all())
