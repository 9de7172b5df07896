"""All that a method, task or attack may import, behind one face.

A method's file has one line of imports from the project, from here. What is not exported here is internal.

- *What people add*: :mod:`~reference_impls.toolkit.method`, ``task``, ``attack`` say what each has to offer.
- *Data*: ``data`` (pairs to forget and to keep), ``splits`` (a task's, by what they are for), ``shards`` (parts
  that share no subject), ``refusals``, ``invented`` (pairs that no model has read), ``wordings`` (of a
  question), ``wrong_answers`` and ``general_tokens`` (which part of an answer is none of its content).
- *Models*: ``language_model`` (a causal LM with its tokenizer), ``unlearned_model`` (what a method returns) and
  ``wrapper`` (something around a model); inside them ``encoding`` (text to tokens), ``marks`` (what begins and ends
  texts and turns), ``architecture`` (where a transformer's parts are), ``adapters``, ``padding`` and
  ``soft_prompt`` (vectors before every text); around them ``changed_prompt`` (prompts that look different inside a
  model), ``changed_states`` (all that is read does), ``prefixed`` (words before every text), ``combined`` (several
  models that speak with one voice), ``assistants`` (small ones beside a large one), ``scope`` and ``retrieval`` (gates)
  and ``fixed_answer`` (what is said behind them); ``support`` asks whether a model has what a method needs.
- *Losses and training*: ``logprobs`` (from token ids and labels to log-probabilities), ``objectives`` (losses and
  targets that several methods share), ``policy_gradient`` (a model's own samples, and steps on them by a reward),
  ``batch`` (one step's data), ``gradients`` (as vectors, to be changed before the step), ``curvature`` (of the loss),
  ``masks`` (which weights may move), ``task_vectors`` (what a training did to the weights, and what several did alike),
  ``training`` (the one loop, and a run's tools) and ``turns`` (an optimizer for two losses that are never added).
- *Inside a model*: ``mlp_memory`` (an MLP as a memory of keys and values), ``attribution`` (which of its neurons an
  answer comes from), ``editing``, ``attention`` (at another temperature), ``experts`` (routers, and whom they send a
  token to), ``steering`` (leading hidden states somewhere), ``collapse`` (updates without what all tokens share),
  ``adversarial`` (the worst small shift of states), ``sparse_autoencoder`` (states as features, and features set to
  something else) and ``outliers`` (which stand apart).
- *Asking*: ``evaluation`` (what a model answers about a task's splits) and ``memorization`` (what it knows by heart).
"""

from catalog.model.questions import first_answer
from reference_impls.errors import DivergedError, UnsupportedModelError, UsageError
from reference_impls.metrics.answers import rouge_1_precision, rouge_l_recall
from reference_impls.scaling import LoRA
from reference_impls.toolkit.adapters import (
    AdaptedLayer,
    NamedAdapters,
    adapted_layers,
    adapter_weights,
    lora_config,
    not_adapted,
    row_importance,
    weighted_low_rank,
    with_adapter,
)
from reference_impls.toolkit.adversarial import shifted, worst_shift
from reference_impls.toolkit.architecture import by_output, is_causal, rows_of
from reference_impls.toolkit.assistants import OffsetModel, first_blocks, offset_logits
from reference_impls.toolkit.attack import (
    Attack,
    Knowledge,
    NotApplicableError,
    Victim,
    bare,
    given_and_asked,
    inside,
    with_weights,
)
from reference_impls.toolkit.attention import smoothed
from reference_impls.toolkit.attribution import (
    above_share,
    integrated_gradient,
    most_shared,
    neuron_attributions,
    silence,
)
from reference_impls.toolkit.batch import Batch, Reference
from reference_impls.toolkit.changed_prompt import ChangedPrompt
from reference_impls.toolkit.changed_states import ChangedStates
from reference_impls.toolkit.collapse import Common, both_sides, breaking_loss, broken_mlps, but_first, drift
from reference_impls.toolkit.combined import Combined, mean_vote
from reference_impls.toolkit.curvature import (
    conjugate_gradients,
    drawn_labels,
    gauss_newton_product,
    kronecker_factors,
    solved,
)
from reference_impls.toolkit.data import Pair, UnlearningData, shares_of_subjects
from reference_impls.toolkit.editing import (
    Request,
    ValueSearch,
    Window,
    deletion_answers,
    deletion_loss,
    deletion_requests,
    least_squares_update,
    mean_keys,
    mean_output,
    null_space,
    projected_update,
    with_ridge,
)
from reference_impls.toolkit.evaluation import Evaluation, Probe, asked_examples, evaluate, examples, probe
from reference_impls.toolkit.experts import Mixture, mixtures, routed
from reference_impls.toolkit.features import Features, clamp_of, features_of
from reference_impls.toolkit.fixed_answer import FLOOR, FixedAnswer
from reference_impls.toolkit.general_tokens import common_tokens, general_tokens, private_labels, specific_tokens
from reference_impls.toolkit.gradients import (
    Gradient,
    cosine,
    damped,
    diagonal_fisher,
    nll_gradient,
    trained_weights,
)
from reference_impls.toolkit.invented import new_pairs, unknown_names
from reference_impls.toolkit.language_model import LanguageModel, weights_of
from reference_impls.toolkit.logprobs import (
    IGNORE,
    Encoded,
    TokenLogits,
    by_token,
    mean_by_sequence,
    mean_kl,
    mean_nll,
    sum_by_sequence,
)
from reference_impls.toolkit.masks import holding, most_salient
from reference_impls.toolkit.memorization import memorization_accuracies, memorization_accuracy
from reference_impls.toolkit.method import HyperparameterError, LossMethod, Method, hyperparameter
from reference_impls.toolkit.mlp_memory import (
    Memory,
    beside,
    by_place,
    changed_output,
    keys_of,
    mean_over_tokens,
    memories,
    neuron_masks,
    shifted_at,
    watched,
)
from reference_impls.toolkit.objectives import (
    ascent_or_npo,
    away_loss,
    bs_t_loss,
    dpo_loss,
    dpo_with_retain,
    generic_logits,
    inverted_hinge_loss,
    log_ratio,
    npo_loss,
    npo_losses,
    refusal_and_npo,
    softened_kl,
    uniform_loss,
    unlikelihood_loss,
    weighted_ascent_loss,
)
from reference_impls.toolkit.outliers import outlier_scores
from reference_impls.toolkit.policy_gradient import (
    Sample,
    clipped_objective,
    group_advantages,
    grpo_loss,
    kl_estimate,
    refusal_groups,
    sampled_groups,
    taught_to_refuse,
    written_answers,
)
from reference_impls.toolkit.prefixed import Prefixed
from reference_impls.toolkit.refusals import (
    REFUSALS,
    broken_off,
    refusal_reward,
    refused_anywhere,
    refuses,
    with_beginnings,
    with_refusals,
)
from reference_impls.toolkit.retrieval import Store
from reference_impls.toolkit.scope import Scope
from reference_impls.toolkit.shards import place_of, sharded, sliced
from reference_impls.toolkit.soft_prompt import SoftPrompted
from reference_impls.toolkit.sparse_autoencoder import (
    Activity,
    Clamp,
    Clamped,
    SparseAutoencoder,
    contrasted,
    token_states,
)
from reference_impls.toolkit.splits import Splits
from reference_impls.toolkit.steering import (
    mean_over_answers,
    misdirection_loss,
    random_direction,
    steered_weights,
    steering_loss,
)
from reference_impls.toolkit.support import Part, check
from reference_impls.toolkit.task import EmbeddedTask, Task
from reference_impls.toolkit.task_vectors import (
    elected_mean,
    subtract_task_vector,
    task_vector,
    ties,
    trimmed_task_vector,
    unanimous_mean,
)
from reference_impls.toolkit.training import Recipe, Run
from reference_impls.toolkit.turns import DualAdamW, forgets, loss_in_turns
from reference_impls.toolkit.unlearned_model import AnswerDistribution, UnlearnedModel
from reference_impls.toolkit.wordings import with_mistake
from reference_impls.toolkit.wrapper import Ensemble, Kept, Wrapped, Wrapper
from reference_impls.toolkit.wrong_answers import (
    distinct_words,
    false_answers,
    flipped_answer,
    flipped_answers,
    jaccard,
    most_alike,
    with_answers_of_others,
)

__all__ = [
    "FLOOR",
    "IGNORE",
    "REFUSALS",
    "Activity",
    "AdaptedLayer",
    "AnswerDistribution",
    "Attack",
    "Batch",
    "ChangedPrompt",
    "ChangedStates",
    "Clamp",
    "Clamped",
    "Combined",
    "Common",
    "DivergedError",
    "DualAdamW",
    "EmbeddedTask",
    "Encoded",
    "Ensemble",
    "Evaluation",
    "Features",
    "FixedAnswer",
    "Gradient",
    "HyperparameterError",
    "Kept",
    "Knowledge",
    "LanguageModel",
    "LoRA",
    "LossMethod",
    "Memory",
    "Method",
    "Mixture",
    "NamedAdapters",
    "NotApplicableError",
    "OffsetModel",
    "Pair",
    "Part",
    "Prefixed",
    "Probe",
    "Recipe",
    "Reference",
    "Request",
    "Run",
    "Sample",
    "Scope",
    "SoftPrompted",
    "SparseAutoencoder",
    "Splits",
    "Store",
    "Task",
    "TokenLogits",
    "UnlearnedModel",
    "UnlearningData",
    "UnsupportedModelError",
    "UsageError",
    "ValueSearch",
    "Victim",
    "Window",
    "Wrapped",
    "Wrapper",
    "above_share",
    "adapted_layers",
    "adapter_weights",
    "ascent_or_npo",
    "asked_examples",
    "away_loss",
    "bare",
    "beside",
    "both_sides",
    "breaking_loss",
    "broken_mlps",
    "broken_off",
    "bs_t_loss",
    "but_first",
    "by_output",
    "by_place",
    "by_token",
    "changed_output",
    "check",
    "clamp_of",
    "clipped_objective",
    "common_tokens",
    "conjugate_gradients",
    "contrasted",
    "cosine",
    "damped",
    "deletion_answers",
    "deletion_loss",
    "deletion_requests",
    "diagonal_fisher",
    "distinct_words",
    "dpo_loss",
    "dpo_with_retain",
    "drawn_labels",
    "drift",
    "elected_mean",
    "evaluate",
    "examples",
    "false_answers",
    "features_of",
    "first_answer",
    "first_blocks",
    "flipped_answer",
    "flipped_answers",
    "forgets",
    "gauss_newton_product",
    "general_tokens",
    "generic_logits",
    "given_and_asked",
    "group_advantages",
    "grpo_loss",
    "holding",
    "hyperparameter",
    "inside",
    "integrated_gradient",
    "inverted_hinge_loss",
    "is_causal",
    "jaccard",
    "keys_of",
    "kl_estimate",
    "kronecker_factors",
    "least_squares_update",
    "log_ratio",
    "lora_config",
    "loss_in_turns",
    "mean_by_sequence",
    "mean_keys",
    "mean_kl",
    "mean_nll",
    "mean_output",
    "mean_over_answers",
    "mean_over_tokens",
    "mean_vote",
    "memories",
    "memorization_accuracies",
    "memorization_accuracy",
    "misdirection_loss",
    "mixtures",
    "most_alike",
    "most_salient",
    "most_shared",
    "neuron_attributions",
    "neuron_masks",
    "new_pairs",
    "nll_gradient",
    "not_adapted",
    "npo_loss",
    "npo_losses",
    "null_space",
    "offset_logits",
    "outlier_scores",
    "place_of",
    "private_labels",
    "probe",
    "projected_update",
    "random_direction",
    "refusal_and_npo",
    "refusal_groups",
    "refusal_reward",
    "refused_anywhere",
    "refuses",
    "rouge_1_precision",
    "rouge_l_recall",
    "routed",
    "row_importance",
    "rows_of",
    "sampled_groups",
    "sharded",
    "shares_of_subjects",
    "shifted",
    "shifted_at",
    "silence",
    "sliced",
    "smoothed",
    "softened_kl",
    "solved",
    "specific_tokens",
    "steered_weights",
    "steering_loss",
    "subtract_task_vector",
    "sum_by_sequence",
    "task_vector",
    "taught_to_refuse",
    "ties",
    "token_states",
    "trained_weights",
    "trimmed_task_vector",
    "unanimous_mean",
    "uniform_loss",
    "unknown_names",
    "unlikelihood_loss",
    "watched",
    "weighted_ascent_loss",
    "weighted_low_rank",
    "weights_of",
    "with_adapter",
    "with_answers_of_others",
    "with_beginnings",
    "with_mistake",
    "with_refusals",
    "with_ridge",
    "with_weights",
    "worst_shift",
    "written_answers",
]
