"""The portal: every room's pages in one web application."""

from fastapi import FastAPI

from madang.node.node import Node
from madang.web import Room
from madang.web.application import make_application


def rooms() -> list[Room]:
    """The rooms with pages, in the order in which addresses are looked up."""
    from madang.services.catalog import questions, steward, tables  # noqa: F401 - add their pages to the room
    from madang.services.catalog.routes import room as catalog
    from madang.services.certification.routes import room as certification
    from madang.services.oversight.routes import room as oversight
    from madang.services.people import account, administration  # noqa: F401 - add their pages to the room
    from madang.services.people.routes import room as people

    return [catalog, certification, people, oversight]


def portal(node: Node, *, keeper: bool = True) -> FastAPI:
    """The web application of a node; with `keeper` it looks after jobs and mail while it runs."""
    from madang.services.catalog.service import rebuild_words

    rebuild_words(node)
    return make_application(node, rooms(), keeper=keeper)
