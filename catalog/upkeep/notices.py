"""Whether a page with status 200 says in its title that it is not there.

The title as a whole has to be such a notice, alone or beside the name of the site. Papers, too, speak of what is not
found or does not exist, in names and in sentences; where a title may be either, the page lives.
"""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

LONGEST = 300
"""Letters of a title; who writes more says more than that there is nothing."""
_OF_HEAD = frozenset(("html", "head", "title", "meta", "link", "base", "basefont", "bgsound", "style", "script"))
"""Elements that do not end a head whose tags are left out."""
_ELSEWHERE = frozenset(("svg", "math", "template", "noscript"))
"""A title inside of these is not the document's."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.IGNORECASE)
_KNOWN_CHARSET = re.compile(
    r"utf-?(?:8|16(?:-?[bl]e)?)|us-ascii|iso-?8859-?\d+|latin-?\d|windows-?12\d\d|cp12\d\d|koi8-[ru]|gb(?:k|2312|18030)"
    r"|big5(?:-hkscs)?|shift[_-]jis|euc-(?:jp|kr)|iso-2022-jp",
    re.IGNORECASE,
)

_THING = (
    r"(?:(?:the|this|that|your|our|a) )?(?:(?:requested|specified|desired) )?"
    r"(?:web ?page|page|web ?site|site|file or directory|file|document|resource|content|url|link|address|entry|article"
    r"|post|repository|project|dataset|space|doi|object|path|route|product|item|record|deployment|app|application|blog"
    r"|user|profile|account|event)"
    r"(?: (?:that )?(?:you(?:'re| are| were|'ve| have)? (?:are )?(?:look(?:ing|ed) for|request(?:ed|ing)|want(?:ed)?"
    r"|tried to (?:access|reach|view|open))|requested))?"
)
_ABSENT = (
    r"(?:not found|(?:was|is) not found|wasn't found|isn't found|not exist|(?:do|does) not exist|doesn't exist"
    r"|(?:can ?not|can't|could not|couldn't) be (?:found|located)|no longer (?:exists|available|here)"
    r"|(?:is|are) no longer (?:available|here|there|online)|(?:is not|isn't) (?:available|here|there)|not available"
    r"|unavailable|(?:is )?missing|(?:has been|was|is) (?:removed|deleted)|removed|deleted|(?:is )?gone)"
)
_WHERE = r"(?:(?: on (?:this|our|the) (?:web ?)?(?:server|site))|(?: at /\S*)|(?: here))?"
_NUMBER = r"(?:(?:https?|status|error|err|code|fehler|erreur|errore|erro) )*(?:404|410)(?: (?:error|page|fehler))?"
_PAGE_NOTICE = re.compile(
    rf"(?:{_NUMBER} )?{_THING} {_ABSENT}{_WHERE}"
    r"|(?:404|410)[ -](?:not found|gone)"
    r"|(?:there is|there's) nothing here|nothing (?:to see )?here|nothing (?:was )?found(?: here)?"
    r"|no such (?:page|file|site)|missing page"
    r"|(?:we )?(?:can ?not|can't|could not|couldn't) find (?:that|this|the|your) (?:page|site|file)"
    r"|(?:diese )?seite (?:(?:wurde )?nicht gefunden|(?:existiert|existiert leider) nicht)|nicht gefunden"
    r"|(?:cette )?page (?:non trouvée|introuvable|n'existe pas)|página no encontrada|página não encontrada"
    r"|pagina non trovata|pagina niet gevonden|sidan hittades inte|siden (?:blev ikke|ikke) fundet|sivua ei löydy"
    r"|strona nie została znaleziona|stránka nenalezena|sayfa bulunamadı|страница не найдена"
    r"|(?:抱歉,?|对不起,?)?(?:404 ?)?(?:您(?:所)?(?:访问|请求|查找)的)?(?:页面|网页|頁面|網頁)"
    r"(?:不存在|未找到|没有找到|找不到|已删除|已被删除)"
    r"|(?:404 ?)?(?:未找到|找不到)(?:该|此)?(?:页面|网页|頁面|網頁)?|404(?:页面|頁面)"
    r"|(?:お探しの|ご指定の)?ページ(?:が|は)(?:見つかりません(?:でした)?|存在しません)"
    r"|(?:요청하신 )?페이지를 찾을 수 없습니다"
)
"""Says of a page that it is not there, and can hardly be anything else."""
_SHORT_NOTICE = re.compile(rf"{_NUMBER}|not found")
"""The same in few words, which names of papers begin with."""
_FILLER = re.compile(
    r"(?:o+ps(?:ie)?|w?hoops|oh no|uh[ -]?oh|hm+|sorry|we're sorry|we are sorry|error|warning|ah|ouch|that's an error"
    r"|status|http|https|1)"
)
_BESIDE = re.compile(r"\s*(?:[|·•»«‹›¦]|::)\s*|\s+(?:[/\\<>]|~)\s+")
"""Stands between a page and its site, and hardly within a title."""
_DASH = re.compile(r"\s+(?:-+|–|—|―|_)\s+")
"""Stands between a page and its site, and between a title and its subtitle."""
_WITHIN = re.compile(r"\s*[:,;.!?…()\[\]{}\"“”_*]+\s*|\s*(?:--|–|—)\s*|\s+-\s+")
_SUBTITLE = re.compile(
    r"(?:an?|on|how|why|when|what|where|which|who|towards?|can|could|do|does|is|are|should|will|in|for|with|without|if"
    r"|from|by|(?:un)?learning|forgetting|erasing|removing|deleting|teaching|making|evaluating|measuring|benchmarking"
    r"|rethinking|understanding)\b"
)


def says_absent(body: bytes, content_type: str = "") -> bool:
    """Whether an HTML page's own title is a notice that the page is not there.

    Args:
        body: the page, or its beginning.
        content_type: the header, for its charset.
    """
    return is_notice(title_of(_decoded(body, content_type)))


def title_of(page: str) -> str:
    """The title in the head of an HTML page, or nothing; titles of drawings and what comments hold are none."""
    parser = _Head()
    # Not closed: the library reads what is left open at the end again and again, which a hostile page makes minutes of.
    parser.feed(page + "</title>")
    return " ".join("".join(parser.title).split())


def is_notice(title: str) -> bool:
    """Whether a title as a whole says that there is nothing: ``Page not found · GitHub Pages``, ``404``."""
    if len(title) > LONGEST:
        return False
    plain = unicodedata.normalize("NFKC", title).casefold().replace("’", "'").replace("‘", "'")
    return any(_beside_a_name(part.strip()) for part in _BESIDE.split(" ".join(plain.split())))


def _beside_a_name(part: str) -> bool:
    """Whether a part of a title is a notice, alone or with the name of a site before or after a dash."""
    if _alone(part):
        return True
    pieces = [piece.strip() for piece in _DASH.split(part)]
    for inner in range(len(pieces) - 1, 0, -1):
        for notice, name in ((pieces[:inner], pieces[inner:]), (pieces[-inner:], pieces[:-inner])):
            if _alone(" - ".join(notice)) and _is_name(" ".join(name), _certain(" - ".join(notice))):
                return True
    return False


def _sentences(text: str) -> list[str]:
    return [sentence for piece in _WITHIN.split(text) if (sentence := piece.strip(" -'!."))]


def _alone(text: str) -> bool:
    """Whether a text consists of notices and of nothing but exclamations around them."""
    said = [sentence for sentence in _sentences(text) if not _FILLER.fullmatch(sentence)]
    joined = " ".join(said)
    return bool(said) and (
        all(_PAGE_NOTICE.fullmatch(sentence) or _SHORT_NOTICE.fullmatch(sentence) for sentence in said)
        or bool(_PAGE_NOTICE.fullmatch(joined))
    )


def _certain(notice: str) -> bool:
    return any(_PAGE_NOTICE.fullmatch(sentence) for sentence in _sentences(notice))


def _is_name(text: str, after_certain: bool) -> bool:
    """Whether what stands beside a notice may be a site's name; a subtitle would make the notice a title."""
    if re.search(r"[:?]", text) or _SUBTITLE.match(text):
        return False
    return 0 < len(text.split()) <= (8 if after_certain else 4)


def _decoded(body: bytes, content_type: str) -> str:
    """A page as text: by its mark of order, its header, or what it says itself; UTF-8 otherwise."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if body.startswith(mark):
            return body.decode(name, "replace")
    said = _CHARSET.search(content_type) or _CHARSET.search(body[:2048].decode("latin-1"))
    try:
        return body.decode(said[1] if said and _KNOWN_CHARSET.fullmatch(said[1]) else "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


class _Head(HTMLParser):
    """Reads as far as the head goes, whether or not its tags are written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self._in_title = self._done = False
        self._elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._done or self._in_title:
            return
        if tag in _ELSEWHERE:
            self._elsewhere.append(tag)
        elif not self._elsewhere:
            self._in_title = tag == "title"
            self._done = tag not in _OF_HEAD

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Outside of drawings HTML knows no tag that closes itself.
        if tag not in _ELSEWHERE and not self._elsewhere:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._in_title:
            self._done = tag == "title"
            self._in_title = not self._done
        elif self._elsewhere:
            if tag in self._elsewhere:
                while self._elsewhere.pop() != tag:
                    pass
        elif tag == "head":
            self._done = True

    def handle_data(self, data: str) -> None:
        if self._in_title and not self._done:
            self.title.append(data)
