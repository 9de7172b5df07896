"""What redirects mean: the same place, a loss, or a login."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.upkeep.addresses import drops_to_front, is_login, same_place

SITE = "https://example.org"


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/project", "/"),
        ("/project/", ""),
        ("/papers/2024/fading.html", "/index.html"),
        ("/a", "/"),
        ("/project", "/home"),
        ("/project", "/en/"),
        ("/project", "/en/index.php"),
        ("/project", "/?utm_source=old&lang=en"),
        ("/project", "/?error=404"),
        ("/index.php?page=fading", "/"),
        ("/homework", "/"),
        ("/index-of-papers", "/"),
        ("/~lindqvist/", "/"),
        ("/project#code", "/"),
    ],
)
@pytest.mark.parametrize("host", ["https://example.org", "https://www.example.org", "http://example.org"])
def test_a_page_that_leads_to_its_own_front_page_is_lost(path: str, to: str, host: str) -> None:
    assert drops_to_front(SITE + path, host + to)
    assert not drops_to_front(SITE + path, "https://example.com" + to)


@pytest.mark.parametrize(
    ("address", "to"),
    [
        ("https://example.org/", "https://example.org/"),
        ("https://example.org", "https://www.example.org/"),
        ("http://www.example.org/", "https://example.org"),
        ("https://example.org/index.html", "https://example.org/"),
        ("https://example.org/index.htm", "https://example.org/"),
        ("https://example.org/INDEX.HTML", "https://www.example.org/"),
        ("https://example.org/index.php", "https://example.org/"),
        ("https://example.org/index", "https://example.org/"),
        ("https://example.org/default.aspx", "https://example.org/"),
        ("https://example.org/home", "https://example.org/"),
        ("https://example.org/home/", "https://example.org/"),
        ("https://example.org/home.html", "https://example.org/"),
        ("https://example.org/home/index.html", "https://example.org/"),
        ("https://example.org/en/", "https://example.org/"),
        ("https://example.org/en-US/home", "https://example.org/"),
        ("https://example.org/index.html#code", "https://example.org/"),
        ("https://example.org/?id=7", "https://example.org/"),
        ("https://example.org/#/papers/7", "https://example.org/"),
        ("https://example.org/project/", "https://example.org/project"),
        ("https://example.org/project/", "https://project.example.org/"),
        ("https://lindqvist.example.org/project/", "https://example.com/"),
        ("https://example.org/project", "https://example.org/#/project"),
        ("https://example.org/project", "https://example.org/?p=17"),
        ("https://example.org/project", "https://example.org/projects/"),
    ],
)
def test_no_loss(address: str, to: str) -> None:
    assert not drops_to_front(address, to)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://www.example.org", "https://example.org/"),
        ("https://example.org/index.html", "https://example.org/"),
        ("https://example.org/home", "https://example.org/"),
        ("https://example.org/project", "https://example.org/project/"),
        ("https://example.org/project/index.html", "https://example.org/project/"),
        ("https://example.org/%7Elindqvist", "https://example.org/~lindqvist/"),
        ("https://Example.org/Project", "https://example.org/project"),
        ("https://example.org/project#code", "https://example.org/project"),
    ],
)
def test_the_same_place(one: str, other: str) -> None:
    assert same_place(one, other)
    assert same_place(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/", "https://example.com/"),
        ("https://example.org/project", "https://example.org/"),
        ("https://example.org/project", "https://project.example.org/"),
        ("https://example.org/?id=1", "https://example.org/?id=2"),
        ("https://example.org/home/project", "https://example.org/project"),
    ],
)
def test_another_place(one: str, other: str) -> None:
    assert not same_place(one, other)
    assert not same_place(other, one)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/login",
        "https://example.org/login/?next=/x",
        "https://example.org/login.php",
        "https://example.org/login.jsp;jsessionid=1A2B",
        "https://example.org/wp-login.php",
        "https://example.org/Account/LogOn",
        "https://example.org/users/sign_in",
        "https://example.org/sign-in",
        "https://example.org/auth",
        "https://example.org/auth/",
        "https://example.org/auth/login",
        "https://example.org/auth/realms/x/protocol",
        "https://example.org/sso/start",
        "https://example.org/idp/profile/SAML2/Redirect/SSO",
        "https://example.org/cas/login?service=x",
        "https://example.org/x?return_to=%2Fproject",
        "https://example.org/x?returnUrl=/project",
        "https://example.org/x?redirect_uri=a",
        "https://login.example.com/x",
        "https://accounts.example.com/v3",
        "https://sso.example.com/",
    ],
)
def test_logins(address: str) -> None:
    assert is_login(address, "https://example.org/project")
    assert not is_login(address, address)


NO_LOGIN = """auth-free auth-bench authors author authority auth0-for-forgetting login-free loginless sign-in-context
    blogin cascade casual sso-bench ssot idp-probe oauth-leaks authenticated open-identity""".split()


@pytest.mark.parametrize(
    "address", ["https://example.org/{}/", "https://{}.example.org/", "https://example.org/{}.html"]
)
@pytest.mark.parametrize("word", NO_LOGIN)
def test_words_that_begin_like_a_login(word: str, address: str) -> None:
    assert not is_login(address.format(word), "https://example.org/project")


@given(st.sampled_from(["auth", "login", "signin", "sso"]), st.from_regex(r"[a-z]{3,9}", fullmatch=True))
def test_only_whole_words_are_logins(word: str, more: str) -> None:
    for made in (f"{word}-{more}", f"{more}-{word}", f"{word}-{more}-free"):
        assert not is_login(f"https://example.org/{made}/", "https://example.org/x")
