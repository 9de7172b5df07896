"""What pages call things: relations of papers to what runs, states, heads of columns."""

from __future__ import annotations

RELATIONS = {
    "introduces": "introduces what this runs",
    "extends": "builds on what this runs",
    "related": "the nearest running relative",
    "uses": "uses it",
    "evaluates": "evaluates it",
}
"""A paper's relation to an implementation, in words, as read from the paper's page."""

ATTACKS, ATTACKED = "attacks it", "Attacked by"
"""The same of an attack that evaluates a method; and the heading over such papers on the method's page."""

RELATION_HEADINGS = {
    "introduces": "Introduced by",
    "extends": "Extended by",
    "evaluates": "Examined by",
    "uses": "Used by",
    "related": "Close relatives",
}
"""The same as read from the implementation's page: the heading over its papers."""

COVERAGE_WORDS = {
    "introduces": "Own",
    "extends": "Base",
    "related": "Relative",
    "uses": "Covered",
    "evaluates": "Examined",
    "none": "None",
}
"""The closest relation of a paper to anything that runs, as the head of a column."""

STATES = {
    "revised": "This paper was revised in substance.",
    "superseded": "This paper is superseded.",
    "withdrawn": "This paper was withdrawn by its authors.",
    "retracted": "This paper was retracted.",
}
"""What has become of a paper, in a sentence."""

FAINTER = (
    "its answers have become unlikely, half way to the retrained model or further, and still it prefers the truth to "
    "what is wrong, nearer to the target in that than to the retrained model."
)
"""What it means that a method's answers are only fainter."""
