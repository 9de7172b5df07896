"""An empty record, with what belongs where written beside it: for papers that no source knows."""

from __future__ import annotations

from catalog.model.vocabulary import Vocabularies


def template(year: str, today: str, vocabularies: Vocabularies) -> str:
    """The text of a record to be filled in; ``catalog validate`` names what is still missing."""

    def terms(name: str) -> str:
        ids = vocabularies[name].ids if name in vocabularies else ()
        return ", ".join(ids[:12]) + (", ... (see the page Vocabularies)" if len(ids) > 12 else "")

    return f"""\
# A record to fill in. Every field: site/docs/record-format.md. What you don't know, leave out: delete the line.
# Lines that start with "# " are examples; take the sign away to use one. Then: catalog validate && catalog fmt

# As printed, in quotes if it holds a colon.
title:
# Full names in the paper's order: [Given Family, Given Family]
authors: []
# First public version, YYYY-MM or YYYY-MM-DD.
date: {year}-
# Where it was published, once it is; the track only if it is not the main one.
# venue: {{id: colm, year: {year}, track: workshop}}
# One of: {terms("type")}
type:
# Further contributions, of the same terms.
# also: [theory]
# How its method makes a model forget, the primary one first: {terms("family")}
# family: []
# What is to be forgotten: {terms("target")}
# targets: []
# Circumstances: {terms("setting")}
# settings: []
# Only if not text alone: {terms("modality")}
# modalities: []
# What it introduces or measures on: {terms("dataset")}
# datasets: []
links:
  # At least one that leads to the paper: ids where a registry gives ids, the address of its page otherwise.
  # arxiv: "2404.05868"
  # acl: 2023.acl-long.740
  # openreview: MXLBXjQkmb
  # doi: 10.1038/s42256-025-00985-0
  url:
  # code: https://github.com/...
# One or two sentences in your own words: what it offers, and why one would open it.
# summary: ...
# The method that it proposes: its name, what it does to the model in at most 25 words, and what it rests on.
# method: {{name: NPO, mechanism: "...", builds_on: [dpo]}}
# Headline numbers that the paper states of its own method on TOFU, MUSE or WMDP, as printed, with their table.
# reported: [{{benchmark: tofu-forget10, metric: forget-quality, model: Llama-2-7B, value: 0.45, source: Table 2}}]
# What runs here, and how the paper relates to it: introduces, extends, related, uses or evaluates (unlearn list).
# implementations: [{{id: npo, relation: introduces}}]
# The day on which the record comes into the catalog, for feeds of what is new.
added: {today}
# Where the facts come from (arxiv, acl, openreview, doi, web or hand), and the day you looked.
provenance: {{source: web, checked: {today}}}
"""
