"""Where a paper was published, recognized in what sources write about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES: tuple[tuple[str, str], ...] = (
    # (as records write it, what sources write), the longer names before those that they contain
    ("SemEval", r"SemEval|Workshop on Semantic Evaluation"),
    ("LREC-COLING", r"LREC-COLING"),
    ("IJCNLP-AACL", r"IJCNLP-AACL|AACL-IJCNLP|Asia-Pacific Chapter of the Association for Computational Linguistics"),
    (
        "NAACL",
        r"NAACL(?:-HLT)?|(?:North American|Nations of the Americas) Chapter of the Association for Computational "
        r"Linguistics",
    ),
    ("EACL", r"EACL|European Chapter of the Association for Computational Linguistics"),
    ("TACL", r"TACL|Transactions of the Association for Computational Linguistics"),
    ("EMNLP", r"EMNLP|Empirical Methods in Natural Language Processing"),
    ("COLING", r"COLING|International Conference on Computational Linguistics"),
    ("CoNLL", r"CoNLL|Computational Natural Language Learning"),
    ("BlackboxNLP", r"BlackboxNLP"),
    ("ACL", r"(?<!-)ACL|Annual Meeting of the Association for Computational Linguistics"),
    ("ICLR", r"ICLR|International Conference on Learning Representations"),
    ("NeurIPS", r"NeurIPS|NIPS|Neural Information Processing Systems"),
    ("ICML", r"ICML|International Conference on Machine Learning(?! and)"),
    ("COLM", r"COLM|Conference on Language Modeling"),
    ("TMLR", r"TMLR|Transactions on Machine Learning Research"),
    ("JMLR", r"JMLR|Journal of Machine Learning Research"),
    ("AISTATS", r"AISTATS|Artificial Intelligence and Statistics"),
    ("AIES", r"AIES|Artificial Intelligence, Ethics,? and Society"),
    ("AAAI", r"AAAI(?: Conference on Artificial Intelligence)?"),
    ("IJCAI", r"IJCAI|International Joint Conferences? on Artificial Intelligence"),
    ("UAI", r"UAI|Uncertainty in Artificial Intelligence"),
    ("CoLLAs", r"CoLLAs|Conference on Lifelong Learning Agents"),
    ("SaTML", r"SaTML|Secure and Trustworthy Machine Learning"),
    ("KDD", r"(?:SIG)?KDD|Knowledge Discovery (?:and|&) Data Mining"),
    ("WWW", r"WWW|(?:The )?Web Conference"),
    ("SIGIR", r"SIGIR"),
    ("CIKM", r"CIKM|Information and Knowledge Management"),
    ("WSDM", r"WSDM|Web Search and Data Mining"),
    ("RecSys", r"RecSys|Conference on Recommender Systems"),
    ("CVPR", r"CVPR|Computer Vision and Pattern Recognition"),
    ("ICCV", r"ICCV|International Conference on Computer Vision"),
    ("ECCV", r"ECCV|European Conference on Computer Vision"),
    ("ACM MM", r"ACM MM|ACM Multimedia|International Conference on Multimedia"),
    ("USENIX Security", r"USENIX Security(?: Symposium)?"),
    ("IEEE S&P", r"IEEE S&P|(?:IEEE )?Symposium on Security and Privacy"),
    ("CCS", r"(?:ACM )?CCS|Computer and Communications Security"),
    ("NDSS", r"NDSS|Network and Distributed System Security"),
    ("PoPETs", r"PoPETs|PETS|Privacy Enhancing Technologies"),
    ("FAccT", r"FAccT|Fairness, Accountability,? and Transparency"),
    ("ICASSP", r"ICASSP"),
    ("INTERSPEECH", r"INTERSPEECH"),
    ("IJCNN", r"IJCNN|International Joint Conference on Neural Networks"),
    ("ICSE", r"ICSE|International Conference on Software Engineering"),
)
_YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")
_NEAR_YEAR = re.compile(
    r"(?:\s?['’]|-|(?=\d))(?P<short>\d\d)(?!\d)|[\s\-,(:']*(?:Findings |Main )?(?P<year>20\d\d)(?!\d)"
)
_PENDING = re.compile(r"submitted to|under (?:[\w-]+ )?review|submission|withdrawn|reject|\bCoRR\b", re.IGNORECASE)
_TRACKS = (
    ("Datasets and Benchmarks", r"datasets? (?:and|&) benchmarks?"),
    ("Position Papers", r"position papers?"),
    ("System Demonstrations", r"system demonstrations|\bdemo\b"),
    ("Industry", r"industry track"),
    ("Student Research Workshop", r"student research workshop"),
)


@dataclass(frozen=True)
class Venue:
    """A conference or journal, the year in which the paper appeared there, and the part of it."""

    name: str
    year: int | None = None
    track: str = ""
    """``Findings``, ``Workshop``, ``Workshop on ...`` or a track; empty for the main one."""


def in_words(venue: Venue) -> str:
    """The venue as people write it, and as :func:`catalog.model.venues.read_venue` reads it.

    >>> in_words(Venue("EMNLP", 2023, "Findings"))
    'Findings of EMNLP 2023'
    """
    year = f" {venue.year}" if venue.year else ""
    if venue.track == "Findings":
        return f"Findings of {venue.name}{year}"
    return f"{venue.name}{year}{f' {venue.track}' if venue.track else ''}"


@dataclass(frozen=True)
class Mention:
    """The name of a venue in a text."""

    name: str
    year: int | None
    """The year that stands at the name, if one does."""
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """The venues that a text names, those with a year first, then those whose names hold others, then in order."""
    candidates = []
    for order, (name, pattern) in enumerate(_NAMES):
        for match in re.finditer(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", text):
            near = _NEAR_YEAR.match(text, match.end())
            year = int(near["year"] or f"20{near['short']}") if near else None
            end = near.end() if near else match.end()
            candidates.append(((near is None, order, match.start()), Mention(name, year, match.start(), end)))
    return [mention for _, mention in sorted(candidates, key=lambda candidate: candidate[0])]


def recognize(text: str, year: int | None = None) -> Venue | None:
    """The venue that a publisher's text names: a journal reference, the title of proceedings.

    What authors write in a comment is read by :func:`catalog.intake.sources.comments.venue_in_comment`.

    Args:
        text: in a publisher's words.
        year: the year of publication where the text names none; without a year nothing is recognized.
    """
    text = " ".join(text.split())
    venues = mentions(text)
    # What stands after "submitted to" or in "rejected from" is no venue of the paper.
    if not venues or _PENDING.search(text):
        return None
    years = _YEAR.findall(text)
    when = venues[0].year or (int(years[0]) if years else year)
    if when is None or not 2000 <= when <= 2100:
        return None
    return Venue(venues[0].name, when, track_of(venues[0].name, text))


def track_of(name: str, text: str) -> str:
    """The part of a venue that a text names: ``Findings``, ``Workshop on ...``, a track; empty for the main one."""
    if name in ("SemEval", "BlackboxNLP"):  # workshops by themselves
        return ""
    for track, pattern in _TRACKS:
        if re.search(pattern, text, re.IGNORECASE):
            return track
    if match := re.search(r"\bworkshop(?: on (?P<topic>[A-Z][^,.;:()]{3,80}))?", text, re.IGNORECASE):
        topic = re.sub(r"\s*@.*$|\s+(?:at|in|of) .*$|\s*20\d\d.*$", "", match["topic"] or "").strip()
        return f"Workshop on {topic}" if topic else "Workshop"
    return "Findings" if re.search(r"\bfindings\b", text, re.IGNORECASE) else ""
