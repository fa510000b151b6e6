"""Signing in through a provider: a real one, in a process of its own on loopback."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import openid_provider
from madang.base.errors import MadangError
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor, openid
from madang.node.people.accounts import create_person, set_disabled
from madang.node.people.proof import Proof
from madang.node.people.sessions import actor_of_cookie

STRANGER = Actor.stranger()
BACK = "http://127.0.0.1:8460/sign-in/provider"


@contextlib.contextmanager
def provider(folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str = "") -> Iterator[Node]:
    """An installation that trusts a provider."""
    with openid_provider.running(fault) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        node = Node.open(Home(folder))
        yield node
        node.close()


def visit(node: Node, linking: Actor | None = None) -> tuple[str, dict[str, str]]:
    """What a browser does at the provider: the state of its cookie, and the query with which it comes back."""
    url, state = openid.begin(node, BACK) if linking is None else openid.begin_link(node, linking, Proof(), BACK)
    answer = httpx.get(url)
    assert answer.status_code == 302 and answer.headers["location"].startswith(BACK)
    return state, {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def test_an_identity_is_linked_and_then_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with provider(tmp_path, monkeypatch) as node:
        number = create_person(node, Actor.owner(), "kim", "Kim")
        state, answer = visit(node)
        vouched = openid.finish(node, STRANGER, BACK, state, answer)
        assert (vouched.subject, vouched.name, vouched.email) == ("subject-42", "김 연구", "kim@example.org")
        with pytest.raises(MadangError) as refused:
            openid.sign_in_with_identity(node, vouched)
        assert refused.value.code == "openid.not_linked"

        with node.read() as session:
            kim = Actor.person(session, number)
        with pytest.raises(MadangError) as refused:
            openid.link_identity(node, kim, vouched)  # a sign-in, which somebody may have sent them
        assert refused.value.code == "openid.refused"
        _state, answer = visit(node, kim)
        with pytest.raises(MadangError) as refused:  # in another browser
            openid.finish(node, STRANGER, BACK, _state, answer)
        assert refused.value.code == "openid.refused"
        asked = openid.finish(node, kim, BACK, "", answer)
        openid.link_identity(node, kim, asked)
        openid.link_identity(node, kim, asked)
        with pytest.raises(MadangError) as refused:
            openid.sign_in_with_identity(node, asked)
        assert refused.value.code == "openid.refused"
        assert [each.subject for each in openid.identities(node, kim)] == ["subject-42"]
        actor = actor_of_cookie(node, openid.sign_in_with_identity(node, vouched))
        assert actor is not None and actor.person_id == number

        lee = create_person(node, Actor.owner(), "lee", "Lee")
        with node.read() as session, pytest.raises(MadangError) as refused:
            openid.link_identity(node, Actor.person(session, lee), replace(vouched, person_id=lee))
        assert refused.value.code == "openid.taken"
        set_disabled(node, Actor.owner(), number, True)
        with pytest.raises(MadangError) as refused:
            openid.sign_in_with_identity(node, vouched)
        assert refused.value.code == "people.disabled"


def test_an_answer_is_good_once_and_for_the_browser_that_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with provider(tmp_path, monkeypatch) as node:
        state, answer = visit(node)
        openid.finish(node, STRANGER, BACK, state, answer)
        mine, other = visit(node), visit(node)
        for kept, brought in [
            (state, answer),  # again
            (mine[0], other[1]),  # somebody else's answer, put under mine
            ("made up", answer | {"state": "made up"}),
            (other[0], {"error": "access_denied", "state": other[0]}),
        ]:
            with pytest.raises(MadangError) as refused:
                openid.finish(node, STRANGER, BACK, kept, brought)
            assert refused.value.code == "openid.refused"


@pytest.mark.parametrize("fault", ["audience", "expired", "nonce", "key", "parties", "unsigned", "issuer"])
def test_a_provider_that_does_something_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    with provider(tmp_path, monkeypatch, fault) as node, pytest.raises(MadangError) as refused:
        state, answer = visit(node)
        openid.finish(node, STRANGER, BACK, state, answer)
    assert refused.value.code == ("openid.provider" if fault == "issuer" else "openid.refused")


def test_a_provider_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with provider(tmp_path, monkeypatch) as node:
        state, answer = visit(node)
    for step in (lambda: openid.begin(node, BACK), lambda: openid.finish(node, STRANGER, BACK, state, answer)):
        with pytest.raises(MadangError) as refused:
            step()
        assert refused.value.code == "openid.provider"
    node.close()
    monkeypatch.delenv("MADANG_OPENID_ISSUER")
    without = Node.open(Home(tmp_path))
    with pytest.raises(MadangError) as refused:
        openid.begin(without, BACK)
    assert refused.value.code == "openid.off"
    without.close()
