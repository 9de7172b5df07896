"""Whether a page is alive: what HEAD and GET answer, what the page says of itself, and where it leads.

Pages are asked with HEAD, and with GET where HEAD is not enough. A page that says "not found" with status 200 is dead,
and so is one that leads to the front page of its own site. One that wants a login, or turns programs away, is walled,
which says nothing about it; one that was not reached is asked again next time.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from catalog.base.web import BUSY, TOO_OFTEN, Answer, Web, WebError
from catalog.upkeep.addresses import drops_to_front, is_login, same_place
from catalog.upkeep.notices import says_absent
from catalog.upkeep.verdicts import Verdict, by_status

_HONEST = ("github.com", "arxiv.org", "aclanthology.org", "huggingface.co", "gitlab.com")
"""Hosts that say 404 when they mean it, so that HEAD is enough."""
_HTML = ("text/html", "application/xhtml+xml", "")
"""Media types of pages, whose titles are read; also of what has none."""
_ENOUGH = 100_000
"""Bytes of a page, in which its title has to be."""
_NOTHING_CHANGES = ("address", "private", "tls", "status")
"""Kinds of failure that HEAD and GET share; ``status`` is a host that wants to be left alone."""


def check_page(web: Web, address: str) -> Verdict:
    """Where a page is now.

    Raises:
        WebError: it cannot be asked.
    """
    answer = _asked(web, address)
    verdict = by_status(address, answer.status)
    if verdict.status != "fine":
        return verdict
    if answer.content_type in _HTML and says_absent(answer.body, answer.headers.get("content-type", "")):
        return Verdict(address, "dead", f"the page says that it is not there, although with status {answer.status}")
    if is_login(answer.url, address):
        return Verdict(address, "walled", "wants a login")
    if drops_to_front(address, answer.url):
        return Verdict(address, "dead", f"leads to the front page of {urlsplit(answer.url).hostname}", answer.url)
    if address.startswith("http://"):
        return _insecure(web, address, answer)
    for_good = answer.redirects and all(code in (301, 308) for code, _ in answer.redirects)
    if for_good and not same_place(answer.url, address):
        return Verdict(address, "moved", "moved for good", answer.url)
    return verdict


def _asked(web: Web, address: str) -> Answer:
    """What a page answers to HEAD, or to GET where HEAD fails, is refused, or says too little.

    Raises:
        WebError: it cannot be asked either way.
    """
    try:
        answer = web.ask("HEAD", address, stubborn=False)
    except WebError as error:
        if error.kind in _NOTHING_CHANGES:
            raise
    else:
        # Whoever is asked too often is not asked once more in another way.
        if answer.status == TOO_OFTEN or (answer.status in BUSY and "retry-after" in answer.headers):
            return answer
        host = (urlsplit(answer.url).hostname or "").removeprefix("www.")
        if 200 <= answer.status < 300 and (answer.content_type not in _HTML or host in _HONEST):
            return answer
    return web.ask("GET", address, {"Accept": "text/html,*/*;q=0.8"}, enough=_ENOUGH)


def _insecure(web: Web, address: str, answer: Answer) -> Verdict:
    """An address without https, with what is known of the same one with it."""
    secure = answer.url if answer.url.startswith("https://") else "https://" + address.removeprefix("http://")
    there = "the site is there with https, too"
    if secure == answer.url:
        return Verdict(address, "insecure", there, secure)
    try:
        status = _asked(web, secure).status
    except WebError as error:
        none = error.kind in ("tls", "unreachable")
        detail = "the site has no https" if none else f"with https it was not reached: {error.message}"
        return Verdict(address, "insecure", detail)
    if by_status(secure, status).status == "fine":
        return Verdict(address, "insecure", there, secure)
    return Verdict(address, "insecure", f"with https it answers with status {status}")
