"""Doors that are found by their first word are those that asking one after the other finds."""

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Mount, Route

from madang.web.doors import Doors

PATHS = (
    *("/", "/records", "/records/{name}", "/records/{name}/files", "/api/v1/records", "/api/v1/records/{name}"),
    *("/{word}", "/{word}/{more}", "/api/v1/{word}", "/{rest:path}", "/apis", "/api", "/api/v1"),
)
ASKED = (
    *("/", "/records", "/records/", "/records/x", "/records/x/files", "/api/v1/records", "/api/v1/records/x", "/api"),
    *("/api/v1", "/api/v1/", "/api/v1/x", "/x", "/x/y", "/x/y/z", "//records", "/apis", "/records//x", "/레코드"),
)


def answer() -> str:
    return ""


def routers(drawn: list[list[tuple[str, str]]]) -> list[APIRouter]:
    made = []
    for doors in drawn:
        router = APIRouter()
        for path, method in doors:
            router.add_api_route(path, answer, methods=[method])
        made.append(router)
    return made


def one_after_the_other(made: list[APIRouter], scope: dict[str, object]) -> tuple[Match, Route | None]:
    partial = None
    for router in made:
        for route in router.routes:
            assert isinstance(route, Route)
            match, _child = route.matches(scope)
            if match == Match.FULL:
                return match, route
            if match == Match.PARTIAL and partial is None:
                partial = route
    return (Match.NONE, None) if partial is None else (Match.PARTIAL, partial)


DOOR = st.tuples(st.sampled_from(PATHS), st.sampled_from(["GET", "POST"]))


@given(st.lists(st.lists(DOOR, max_size=6), min_size=1, max_size=4))
def test_the_door_is_the_first_that_answers(drawn: list[list[tuple[str, str]]]) -> None:
    made = routers(drawn)
    doors = Doors(made)
    for path in ASKED:
        for method in ("GET", "POST"):
            scope = {"type": "http", "path": path, "method": method}
            match, child = doors.matches(dict(scope))
            assert (match, child.get("route")) == one_after_the_other(made, dict(scope)), (path, method)


def test_what_is_no_route_is_not_passed_over() -> None:
    router = APIRouter()
    router.routes.append(Mount("/elsewhere", app=APIRouter()))
    with pytest.raises(TypeError, match="no route"):
        Doors([router])
