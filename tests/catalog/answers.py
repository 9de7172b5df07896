"""What the sources answer, in their own forms, about invented papers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local_server import Asked, Reply, Server

ARXIV = "https://export.arxiv.org"
QUERY = "/export.arxiv.org/api/query"
ACL = "https://aclanthology.org"
OPENREVIEW = "https://api2.openreview.net"
OPENREVIEW_OLD = "https://api.openreview.net"
DOI = "https://doi.org"
CROSSREF = "https://api.crossref.org"


def mirrors(server: Server) -> dict[str, str]:
    """All that the commands ask, answered by one server: ``https://doi.org/x`` by ``/doi.org/x``."""
    hosts = (ARXIV, ACL, OPENREVIEW, OPENREVIEW_OLD, DOI, CROSSREF, "https://arxiv.org", "https://openreview.net")
    extra = ("https://github.com", "https://example.org", "http://example.org", "https://example.com")
    return {host: f"{server.url}/{host.partition('//')[2]}" for host in (*hosts, *extra)}


def as_variable(mirrors: dict[str, str]) -> str:
    return " ".join(f"{address}={instead}" for address, instead in mirrors.items())


def entry(
    paper: str = "3104.01234",
    title: str = "Moonlit Forgetting: Unlearning\n  in Language Models by Relabeling",
    authors: Sequence[str] = ("Åsa Lindqvist", "Tomé van der Ávila"),
    abstract: str = "We propose Moonlit, a method for machine unlearning in large language models. Evaluated on TOFU.",
    version: int = 1,
    published: str = "2031-04-08T17:59:46Z",
    updated: str = "2031-04-08T17:59:46Z",
    comment: str = "",
    journal: str = "",
    doi: str = "",
) -> str:
    people = "".join(f"<author><name>{escape(name)}</name></author>" for name in authors)
    more = "".join(
        f'<arxiv:{tag} xmlns:arxiv="http://arxiv.org/schemas/atom">{escape(text)}</arxiv:{tag}>'
        for tag, text in (("comment", comment), ("journal_ref", journal), ("doi", doi))
        if text
    )
    return f"""<entry><id>http://arxiv.org/abs/{paper}v{version}</id><updated>{updated}</updated>
<published>{published}</published><title>{escape(title)}</title><summary>  {escape(abstract)}
</summary>{people}{more}<link href="http://arxiv.org/abs/{paper}v{version}" rel="alternate" type="text/html"/>
<link title="pdf" href="http://arxiv.org/pdf/{paper}v{version}" rel="related" type="application/pdf"/>
<arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.CL"/><category term="cs.CL"/></entry>"""


def feed(*entries: str, total: int | None = None, start: int = 0) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">ArXiv Query</title><id>http://arxiv.org/api/x</id>
<updated>2031-05-01T00:00:00-04:00</updated>
<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{len(entries) if total is None else total}</opensearch:totalResults>
<opensearch:startIndex xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{start}</opensearch:startIndex>
<opensearch:itemsPerPage xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">100</opensearch:itemsPerPage>
{"".join(entries)}</feed>"""  # noqa: E501


def atom(*entries: str, total: int | None = None, start: int = 0) -> Reply:
    return Reply(feed(*entries, total=total, start=start), type="application/atom+xml; charset=UTF-8")


def arxiv_error(words: str, about: str | None = None) -> str:
    """The feed in which arXiv says what is wrong with a question."""
    fragment = (words if about is None else about).replace(" ", "_")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>ArXiv Query</title>
<entry><id>http://arxiv.org/api/errors#{fragment}</id><title>Error</title>
<summary>{escape(words)}</summary><updated>2031-05-01T00:00:00-04:00</updated>
<author><name>arXiv api core</name></author></entry></feed>"""


ARXIV_ERROR = arxiv_error("incorrect id format for 9")

BOMB = """<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>&d;</title></entry></feed>"""

FILE_ENTITY = """<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>&secret;</title></entry></feed>"""

ANTHOLOGY = r"""@inproceedings{lindqvist-etal-2031-moonlit,
    title = "Moonlit Forgetting: {U}nlearning in Language Models by Relabeling",
    author = "Lindqvist, {\AA}sa  and
      van der {\'A}vila, Tom{\'e}  and
      {The Garden Team}",
    editor = "Brandt, Ilse",
    booktitle = "Findings of the Association for Computational Linguistics: EMNLP 2031",
    month = dec,
    year = "2031",
    address = "Reykjav{\'i}k",
    url = "https://aclanthology.org/2031.findings-emnlp.12/",
    doi = "10.18653/v1/2031.findings-emnlp.12",
    pages = "1--9",
    abstract = "We propose Moonlit. Our code is at https://github.com/lindqvist/moonlit."
}
"""


def note(new: bool = True, **content: object) -> dict[str, object]:
    given: dict[str, object] = {
        "title": "Moonlit Forgetting: Unlearning in Language Models by Relabeling",
        "authors": ["Åsa Lindqvist", "Tomé van der Ávila"],
        "abstract": "We propose Moonlit.",
        "venue": "ICLR 2032 poster",
        "venueid": "ICLR.cc/2032/Conference",
        **content,
    }
    return {
        "id": "aB3_x-9Z",
        "forum": "aB3_x-9Z",
        "cdate": 1948579200000,
        "pdate": 1957651200000,
        "mdate": 1957651200000,
        "content": {key: {"value": value} for key, value in given.items()} if new else given,
    }


def notes(*given: dict[str, object]) -> Reply:
    return Reply(json.dumps({"notes": list(given), "count": len(given)}), type="application/json; charset=utf-8")


def works(*given: dict[str, object], total: int | None = None) -> Reply:
    """A list of Crossref's own interface."""
    message = {"total-results": len(given) if total is None else total, "items": list(given), "query": {}}
    answer = {"status": "ok", "message-type": "work-list", "message-version": "1.0.0", "message": message}
    return Reply(json.dumps(answer), type="application/json; charset=utf-8")


def work(doi: str, title: str, abstract: str = "", **more: Any) -> dict[str, object]:
    """A work as Crossref lists it: texts in lists, the abstract in JATS."""
    return {
        "DOI": doi,
        "type": "proceedings-article",
        "title": [title],
        "author": [{"given": "Åsa", "family": "Lindqvist", "sequence": "first"}],
        "container-title": ["2032 IEEE International Conference on Gardens"],
        "published": {"date-parts": [[2032, 1, 9]]},
        "abstract": f"<jats:p>{escape(abstract)}</jats:p>",
        **more,
    }


def csl(**more: object) -> Reply:
    given = {
        "type": "paper-conference",
        "DOI": "10.5555/moonlit.12",
        "title": "Moonlit <i>Forgetting</i>: Unlearning &amp; Language Models by Relabeling",
        "author": [
            {"given": "Åsa", "family": "Lindqvist", "sequence": "first"},
            {"given": "Tomé", "non-dropping-particle": "van der", "family": "Ávila"},
            {"literal": "The Garden Team"},
        ],
        "issued": {"date-parts": [[2031, 8, 3]]},
        "published-online": {"date-parts": [[2031, 6]]},
        "container-title": "Proceedings of the 37th ACM SIGKDD Conference on Knowledge Discovery and Data Mining V.2",
        "abstract": "<jats:title>Abstract</jats:title><jats:p>We propose Moonlit.</jats:p>",
        **more,
    }
    return Reply(json.dumps(given), type="application/vnd.citationstyles.csl+json")


@dataclass
class Arxiv:
    """arXiv's interface for ``id_list``: it passes over what it does not know, and refuses a list for one wrong id."""

    entries: dict[str, str]
    """By ids in arXiv's own spelling."""
    wrong: Collection[str] = ()
    """Ids for which a whole list is refused."""
    names: bool = True
    """Whether the refusal tells the id, or has no words at all."""
    silent: list[Collection[str]] = field(default_factory=list)
    """What is passed over in the first answers, one after the other, although it is known."""
    order: Callable[[list[str]], list[str]] = list
    """In which entries are given."""
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        query = parse_qs(urlsplit(asked.path).query)
        start, count = int(query["start"][0]), int(query["max_results"][0])
        ids = query["id_list"][0].split(",")
        self.asked.append(ids)
        for one in ids:
            if one in self.wrong:
                body = arxiv_error(f"incorrect id format for {one}") if self.names else ""
                return Reply(body, 400, type="application/atom+xml; charset=UTF-8")
        over = self.silent.pop(0) if self.silent else ()
        own = [re.sub(r"\.[A-Z]{2}/", "/", one) for one in ids if one not in over]
        known = [self.entries[one] for one in self.order(own) if one in self.entries]
        return atom(*known[start : start + count], total=len(known), start=start)
