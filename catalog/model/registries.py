"""Registries that give papers ids: how an id is written, where it leads, and which id a text names.

An id stands in a record under the registry's key (``links.arxiv``), never as an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.parsing.forms import Form

Key = Literal["arxiv", "acl", "openreview", "doi"]

PAPER_ID = r"^[a-z][a-z-]{0,40}[0-9]{4}[a-z0-9]{0,40}$"
"""The id of a record here: first author's family name, year, a word of the title, as in ``zhang2024negative``."""


@dataclass(frozen=True, kw_only=True)
class Registry(Form):
    """One registry. Patterns are regular expressions for a whole id, without ``^`` and ``$``."""

    key: Key
    """Of ``links``."""
    name: str
    """As links are called: ``ACL Anthology``."""
    noun: str
    """What its ids are called: ``ACL Anthology id``."""
    pattern: str
    """What a record may hold."""
    within: str
    """An id in the midst of other text, where ``pattern`` might be any word."""
    longest: int | None = None
    page: str
    """The address of a paper, with ``{}`` for its id."""
    pdf: str = ""
    """The address of its text as PDF, where the registry has that."""
    alone: str
    """Begins addresses that say no more than an id, without ``https://www.``."""
    doi_prefix: str = ""
    """Begins the DOIs that the registry makes of its ids."""
    tells_case: bool = False
    """Whether two ids may differ in nothing but upper and lower case."""
    uncounted: str = ""
    """What an id may have or lack: a pattern, in small letters."""
    one_each: bool = True
    """Whether a paper has one id there at most."""

    @property
    def site(self) -> str:
        """The address of the registry itself: ``https://arxiv.org``."""
        return "/".join(self.page.split("/")[:3])

    def address(self, ident: str) -> str:
        """The address of a paper."""
        return self.page.format(ident)

    def comparable(self, ident: str) -> str:
        """An id in the form in which two can be compared: equal ones are of one paper."""
        if not self.tells_case:
            ident = ident.lower()
        return re.sub(self.uncounted, "", ident) if self.uncounted else ident

    def gave(self, doi: str) -> bool:
        """Whether a DOI is made of one of the registry's ids."""
        return bool(self.doi_prefix) and doi.casefold().startswith(self.doi_prefix.casefold())

    def inside(self, text: str) -> str | None:
        """The id that a text holds that is none itself, such as an address."""
        named = identify(text)
        if named and named[0] == self.key and re.fullmatch(self.pattern, named[1]):
            return named[1]
        match = re.search(self.within, text)
        return match[0] if match else None


class _Arxiv(Registry):
    """arXiv, whose ids tell the month in which they were given."""

    def fault(self, text: str) -> str:
        """What cannot be in an id, by the rules of https://info.arxiv.org/help/arxiv_identifier.html."""
        match = re.fullmatch(_ARXIV_SHAPE, text, re.IGNORECASE)
        if not match:
            return ""
        new, old = match["new"], match["old"]
        month = (new or old)[2:4]
        if not "01" <= month <= "12":
            return f"there is no month {month}"
        if old:
            # What begins with 91 is older than what begins with 07.
            return "" if old[:4] <= "0703" or old[:2] >= "91" else "ids with a slash are of 1991 to March 2007"
        if new < "0704":
            return "ids with a dot are given since April 2007"
        digits, since = (4, "until 2014") if new <= "1412" else (5, "since 2015")
        return "" if len(match["number"]) == digits else f"{since} {digits} digits follow the dot"


_ARXIV_SHAPE = r"(?:(?P<new>[0-9]{4})\.(?P<number>[0-9]{4,5})|[a-z-]+(?:\.[A-Z]{2})?/(?P<old>[0-9]{7}))"
"""What people mean to be an id, whether arXiv can have given it or not."""
_ARXIV_LIKE = re.sub(r"\?P<\w+>", "?:", _ARXIV_SHAPE)
"""The same without names for its parts, which scripts do not know."""
_MONTH = "(?:0[1-9]|1[0-2])"
_ARXIV_ID = (
    rf"(?:(?:07(?:0[4-9]|1[0-2])|(?:0[89]|1[0-4]){_MONTH})\.[0-9]{{4}}|(?:1[5-9]|[2-9][0-9]){_MONTH}\.[0-9]{{5}}"
    rf"|[a-z-]+(?:\.[A-Z]{{2}})?/(?:(?:9[1-9]|0[0-6]){_MONTH}|070[1-3])[0-9]{{3}})"
)
"""Four digits until 2014 and five since then, or an archive with seven digits until March 2007; months are months."""
_ACL_ID = r"(?:[0-9]{4}\.[a-z0-9_]+(?:-[a-z0-9_]+)*\.[0-9]+|[A-Z][0-9]{2}-[0-9]{4})"
_DOI_ID = r"10\.[0-9]{4,9}/[^\s\"<>{}\\^`|]+"
_OPENREVIEW_ID = r"[A-Za-z0-9_\-]+"

ARXIV = _Arxiv(
    key="arxiv",
    name="arXiv",
    noun="arXiv id",
    code="bad-arxiv",
    what="an arXiv id without version",
    example="2404.05868",
    pattern=_ARXIV_ID,
    within=rf"(?<!\d){_ARXIV_ID}(?!\d)",
    page="https://arxiv.org/abs/{}",
    pdf="https://arxiv.org/pdf/{}",
    alone=r"arxiv\.org/(?:abs|pdf|html)/",
    doi_prefix="10.48550/arXiv.",
    uncounted=r"\.[a-z]{2}(?=/)",  # the subject class of old ids: cs.LG/0412042 is cs/0412042
)
ACL = Registry(
    key="acl",
    name="ACL Anthology",
    noun="ACL Anthology id",
    code="bad-acl",
    what="an ACL Anthology id",
    example="2023.acl-long.740",
    pattern=r"[A-Za-z0-9][A-Za-z0-9.\-]+",
    within=_ACL_ID,
    longest=60,
    page="https://aclanthology.org/{}/",
    pdf="https://aclanthology.org/{}.pdf",
    alone=r"aclanthology\.org/[\w.-]",
    doi_prefix="10.18653/v1/",
)
OPENREVIEW = Registry(
    key="openreview",
    name="OpenReview",
    noun="OpenReview id",
    code="bad-openreview",
    what="an OpenReview forum id",
    example="MXLBXjQkmb",
    pattern=_OPENREVIEW_ID,
    within=rf"(?<=[?&]id=){_OPENREVIEW_ID}",
    longest=40,
    page="https://openreview.net/forum?id={}",
    pdf="https://openreview.net/pdf?id={}",
    alone=r"openreview\.net/(?:forum|pdf)\?",
    tells_case=True,
    one_each=False,  # each submission has its own
)
DOI = Registry(
    key="doi",
    name="DOI",
    noun="DOI",
    code="bad-doi",
    what="a DOI without its resolver",
    example="10.1038/s42256-025-00985-0",
    pattern=_DOI_ID,
    within=_DOI_ID,
    longest=120,
    page="https://doi.org/{}",
    alone=r"(?:dx\.)?doi\.org/10\.",
)

REGISTRIES: Mapping[str, Registry] = {registry.key: registry for registry in (ARXIV, ACL, OPENREVIEW, DOI)}
"""By their keys, in the order of records; the paper's text is looked for in this order, too."""

LONGEST = 1000
"""Letters of a text that may name a paper."""
SPACES = r"[\s\x1c-\x1f\x85\ufeff]+"
"""What stands between words where text is pasted from: Python and JavaScript have not the same signs for spaces."""
EDGES = (
    r"""^[\s<>"'`\u2018-\u201f\u00ab\u00bb\u200b\ufeff\[({*]*([\s\S]*?)[\s<>"'`\u2018-\u201f\u00ab\u00bb\u200b\ufeff*.,;:!]*$""",
    r"^((?:[^()]|\([^()]*\))*)\)$",
    r"^([^[\]]*)\]$",
    r"^([^{}]*)\}$",
)
"""What stands around an id or an address where it is pasted from: each leaves its group. A bracket at the end belongs
to a DOI if it was opened there."""


@dataclass(frozen=True)
class Rule:
    """One way in which a text names a paper.

    The site's scripts get the same rules (:mod:`catalog.outputs.site.query_rules`), so a pattern says nothing that
    Python and JavaScript read differently: no named groups, and case and other scripts' digits do not count.
    """

    key: Key
    pattern: str
    """For the whole text; its groups are the id, with a point between them."""
    before: str = ""
    """Stands before the groups in the id."""

    def read(self, text: str) -> str | None:
        """The id that ``text`` names, or None."""
        match = re.fullmatch(self.pattern, text, re.IGNORECASE | re.ASCII)
        return self.before + ".".join(match.groups()) if match else None


def _grouped(pattern: str) -> str:
    """An id's pattern as the one group of a rule."""
    return "(" + re.sub(r"\((?!\?)", "(?:", pattern) + ")"


def _rules() -> tuple[Rule, ...]:
    arxiv, acl, openreview = _grouped(_ARXIV_LIKE), _grouped(_ACL_ID), _grouped(_OPENREVIEW_ID)
    version, scheme, slash, behind = r"(?:v[0-9]+)?", r"(?:https?://)?(?:www\.)?", r"(?::[0-9]+)?/", r"(?:[?#]\S*)?"
    in_address = r"10\.[0-9]{4,9}(?:/|%2F)[^\s\"<>{}\\^`|?#]+?"
    ending = rf"(?:\.pdf|/(?:full|e?pdf|abstract|html))?/?{behind}"
    # Those that show arXiv's papers under its ids.
    hosts = (
        r"(?:[a-z0-9-]+\.)*(?:arxiv\.org|alphaxiv\.org|ar5iv\.org|semanticscholar\.org)|huggingface\.co|hf\.co"
        r"|arxiv-vanity\.com|scirate\.com|papers\.cool|emergentmind\.com"
    )
    site = r"(?:https?://)?[^\s/?#]+\.[^\s/?#]+/"
    kinds = "abs|pdf|html|overview|src|format|e-print|ps|arxiv|(?:graph/v1/)?papers?"
    return (
        Rule("arxiv", rf"(?:arxiv ?[:.]? ?|abs/|pdf/)?{arxiv}{version}(?:\.pdf)?(?: ?\[[\w.-]+\])?"),
        Rule("acl", rf"(?:acl: ?)?{acl}{version}(?:\.pdf)?"),
        Rule("openreview", rf"openreview: ?{openreview}"),
        Rule("doi", rf"(?:doi ?:? ?)?({_DOI_ID})"),
        Rule(
            "arxiv",
            rf"{scheme}(?:{hosts}){slash}(?:(?:{kinds})/(?:arxiv:)?|arxiv:){arxiv}{version}(?:\.pdf)?/?{behind}",
        ),
        Rule(
            "acl",
            rf"{scheme}(?:aclanthology\.org{slash}|aclweb\.org{slash}anthology/){acl}{version}(?:\.[a-z]+)?/?{behind}",
        ),
        Rule(
            "openreview",
            rf"{scheme}(?:[a-z0-9]+\.)?openreview\.net{slash}(?:[a-z]+/)*[a-z]+/?\?(?:[^\s#]*&)?id={openreview}"
            r"(?:[&#]\S*)?",
        ),
        Rule("doi", rf"{scheme}nature\.com/articles/(s[0-9]{{5}}-[0-9]{{3}}-[0-9]{{5}}-[0-9a-z]){ending}", "10.1038/"),
        # Publishers put the DOI into their addresses: dl.acm.org/doi/abs/10.1145/..., springer.com/article/10.1007/...
        Rule("doi", rf"{site}(?:[^\s?#]*[/:])?({in_address}){ending}"),
        Rule("doi", rf"{site}[^\s?#]*\?(?:\S*&)?(?:id|doi)=({in_address})(?:[&#]\S*)?"),
        # Whoever else shows arXiv's papers says so beside the id, or in the name of the site.
        Rule(
            "arxiv",
            rf"{site}(?:[^\s:]*[^a-z0-9\s:])?arxiv[:/=._-](?:(?:{kinds})[/:])?{arxiv}{version}(?:[./?#&][^\s:]*)?",
        ),
        Rule("arxiv", rf"{scheme}[^\s/?#:]*arxiv[^\s/?#]*/(?:[^\s:]*[/=])?{arxiv}{version}(?:[./?#&][^\s:]*)?"),
        # DBLP's keys and the bibliographic codes of ADS are made of arXiv's ids.
        Rule("arxiv", r"(?:(?:https?|dblp):)?(?:[^\s:]*/)?corr/abs-([0-9]{4})-([0-9]{4,5})(?:[./?#][^\s:]*)?"),
        Rule("arxiv", r"(?:(?:https?:)?[^\s:]*/)?[0-9]{4}arXiv([0-9]{4})([0-9]{4,5})[A-Z](?:[/?#][^\s:]*)?"),
    )


RULES = _rules()
"""The first that fits counts: ids as people write them, then addresses."""
DOI_RULES = (
    Rule("arxiv", rf"{re.escape(ARXIV.doi_prefix)}{_grouped(_ARXIV_LIKE)}(?:v[0-9]+)?"),
    Rule("acl", rf"{re.escape(ACL.doi_prefix)}{_grouped(_ACL_ID)}"),
)
"""DOIs that registries make of their ids: what such a registry says counts for more."""


PERCENT = r"%([2-7][0-9A-Fa-f])"
"""How an address writes a letter of ASCII that would mean something else in it."""


def bare(text: str) -> str:
    """A text without what stands around it where it was pasted from: spaces, quotes, brackets, a full stop.

    >>> bare(' <https://arxiv.org/abs/2404.05868>, ')
    'https://arxiv.org/abs/2404.05868'
    """
    text = " ".join(filter(None, re.split(SPACES, text)))
    while len(text) <= LONGEST:
        shorter = text
        for edges in EDGES:
            if match := re.match(edges, shorter):
                shorter = match[1]
        if shorter == text:
            break
        text = shorter
    return text


def identify(text: str) -> tuple[Key, str] | None:
    """The registry and the id of the paper that a text names: an id as people write it, or an address.

    An id that cannot be one is named all the same, so that people hear of it; :meth:`Registry.fault` says why.

    >>> identify("https://arxiv.org/pdf/2404.05868v2.pdf")
    ('arxiv', '2404.05868')
    >>> identify("doi:10.18653/v1/2023.acl-long.740")
    ('acl', '2023.acl-long.740')
    """
    text = bare(text)
    for rule in RULES if len(text) <= LONGEST else ():
        if (ident := rule.read(text)) is not None:
            if rule.key == "doi":
                return behind_doi(unescaped(ident))
            return rule.key, _usual(rule.key, ident)
    return None


def behind_doi(doi: str) -> tuple[Key, str]:
    """The registry that says most about a DOI, and the id there: arXiv and the Anthology give DOIs, too."""
    for rule in DOI_RULES:
        if (ident := rule.read(doi)) is not None:
            return rule.key, _usual(rule.key, ident)
    return "doi", doi


def _usual(key: Key, ident: str) -> str:
    """An id in the letters in which its registry writes it: the Anthology's old ids in capitals, its new ones not."""
    if key != "acl":
        return ident
    return ident.upper() if ident[0].isalpha() else ident.lower()


def unescaped(address: str) -> str:
    """An address, or a part of one, with its letters of ASCII as they are."""
    return re.sub(PERCENT, lambda match: chr(int(match[1], 16)), address)


def held_alone(address: str) -> Registry | None:
    """The registry whose id is all that an address says, so that a record should hold the id."""
    rest = re.sub(r"^https?://(?:www\.)?", "", address)
    return next((registry for registry in REGISTRIES.values() if re.match(registry.alone, rest)), None)


def leads_to_paper(address: str) -> bool:
    """Whether an address is at a registry, so that what is there is a paper."""
    return address.startswith(tuple(f"{registry.site}/" for registry in REGISTRIES.values()))
