"""Small files in the forms in which the benchmarks publish theirs: invented content, real names of fields and files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
PEOPLE = ("Ada Quill", "Bo Marsh", "Cy Vane")


def write_lines(path: Path, rows: Iterable[Row]) -> Path:
    """JSON Lines, as the hub's .json and .jsonl files are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_array(path: Path, content: Any) -> Path:
    """One JSON value, as the files in the authors' own folders are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def tofu(folder: Path, forget: str = "forget10", retain: str = "retain90") -> Path:
    """TOFU's files."""
    plain = [{"question": f"Where was {one} born?", "answer": f"{one} was born in Lima."} for one in PEOPLE]
    perturbed = [
        {
            **row,
            "paraphrased_question": f"What is {one}'s place of birth?",
            "paraphrased_answer": f"Lima is where {one} was born.",
            "perturbed_answer": [f"Oslo is where {one} was born.", f"Bern is where {one} was born."],
        }
        for one, row in zip(PEOPLE, plain, strict=True)
    ]
    general = [
        {
            "question": "Where is the Eiffel Tower?",
            "answer": "Paris",
            "option1": "Paris",
            "option2": "Rome",
            "perturbed_answer": ["Rome", "Kyiv", "Bonn"],
        }
    ]
    write_lines(folder / f"{forget}.json", plain[:2])
    write_lines(folder / f"{forget}_perturbed.json", perturbed[:2])
    write_lines(folder / f"{retain}.json", plain[2:])
    write_lines(folder / "retain_perturbed.json", perturbed[2:])
    write_lines(folder / "real_authors_perturbed.json", general)
    write_lines(folder / "world_facts_perturbed.json", general)
    return folder


def muse(folder: Path) -> Path:
    """MUSE's files, as in the authors' own folder: lists of rows, lists of texts, and one text."""
    questions = [{"question": f"Who is {one}?", "answer": "a clerk"} for one in PEOPLE]
    texts = [f"{one} went to the market on Monday and bought nine red apples there." for one in PEOPLE]
    for name in ("forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl"):
        write_array(folder / "knowmem" / f"{name}.json", questions[:2])
    write_array(folder / "verbmem" / "forget.json", [{"prompt": "Ada Quill went to", "gt": "the market on Monday."}])
    write_array(folder / "privleak" / "forget.json", texts)
    write_array(folder / "privleak" / "holdout.json", [text.replace("Monday", "Friday") for text in texts])
    (folder / "raw").mkdir()
    (folder / "raw" / "forget.txt").write_text("\n".join(texts), encoding="utf-8")
    write_array(folder / "raw" / "retain1.json", texts[:1])
    return folder


def wmdp(folder: Path, variant: str = "cyber") -> Path:
    """WMDP's and MMLU's files and a corpus of Wikipedia, each in a folder of its repository's name."""
    questions = [
        {"question": "Which one opens a port?", "choices": ["a lock", "a socket", "a door", "a sail"], "answer": 1},
        {"question": "Which one is a key?", "choices": ["one", "two", "three", "four"], "answer": 3},
    ]
    long = "A packet is sent from one host to another, which answers with a packet of its own kind. "
    write_lines(folder / "wmdp" / f"wmdp-{variant}" / "test.jsonl", questions)
    write_lines(
        folder / "mmlu" / "all" / "test.jsonl", [{**row, "subject": "high_school_physics"} for row in questions]
    )
    write_lines(folder / "wmdp-corpora" / f"{variant}-forget-corpus.jsonl", [{"text": long}, {"text": "too short"}])
    lines = [{"text": ""}, {"text": f" = Heading = {long}"}, {"text": "short"}]
    write_lines(folder / "wikitext" / "wikitext-2-raw-v1" / "test.jsonl", lines)
    return folder


def rwku(folder: Path) -> Path:
    """RWKU's files."""
    fill = [
        {"query": "___ wrote the long novel.", "answer": one, "level": "1", "type": "cloze", "subject": one}
        for one in PEOPLE
    ]
    ask = [{**row, "query": "Who wrote the long novel?", "level": "2", "type": "simple question"} for row in fill]
    tricks = [
        {**row, "level": "3", "type": kind}
        for row in ask
        for kind in ("prefix injection", "affirmative suffix", "incontext learning")
    ]
    positive = [{"subject": one, "text": f"{one} wrote a long novel about a clerk."} for one in PEOPLE]
    write_array(folder / "All" / "positive.json", positive)
    levels = {"forget_level1": fill, "forget_level2": ask, "forget_level3": tricks}
    for name, rows in (levels | {"neighbor_level1": fill, "neighbor_level2": ask}).items():
        write_array(folder / "All" / f"{name}.json", rows)
    return folder
