"""The portal: every room's pages in one web application."""

from fastapi import FastAPI

from madang.node.node import Node
from madang.node.rooms import open_plans
from madang.web import Room
from madang.web.application import make_application


def rooms() -> list[Room]:
    """The doors of the rooms that have pages, in the order in which addresses are looked up."""
    found: list[Room] = []
    for plan in open_plans():
        for module in plan.pages:
            room = plan.load(module).room
            if room not in found:
                found.append(room)
    return found


def portal(node: Node, *, keeper: bool = True) -> FastAPI:
    """The web application of a node; with `keeper` it looks after jobs and mail while it runs."""
    for plan in open_plans():
        if plan.opened:
            plan.load(plan.opened)(node)
    return make_application(node, rooms(), keeper=keeper)
