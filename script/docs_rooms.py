"""docs/reference/acts.md, states.md and routes.md: what the rooms say of themselves in their plans."""

from collections.abc import Iterator
from typing import Any

from madang.app.portal import rooms as doors
from madang.node import permissions, rooms
from madang.web.room import PREFIX

ACTS = """# Acts

Everything that can be done, by whom, and what its event says. An act is checked, done, written into the audit and told
to whoever listens in one transaction; the command line is bound like everybody. Written by `script/docs`.

"""
STATES = """# States

The states of things, and which act leads from one to another. Written by `script/docs`.

"""
ROUTES = """# Addresses

Every page of the portal; the same is given as JSON below `/api/v1`. `GET` shows, `POST` does. Written by `script/docs`.

"""


def acts_page() -> str:
    """All acts, by area."""
    known = permissions.acts()
    listeners = {act: [plan.name for plan in rooms.plans() if act in plan.listens] for act in known}
    text, area = ACTS, ""
    for name, act in known.items():
        if act.area != area:
            area = act.area
            text += f"\n## {area}\n\n| act | who may | from, to | its event says | heard by |\n|---|---|---|---|---|\n"
        moves = f"{', '.join(act.frm) or 'any'} → {', '.join(act.to)}" if act.to else ", ".join(act.frm)
        details = ", ".join(f"`{field}`" for field in act.details.model_fields) if act.details is not None else ""
        marks = [
            *(["reads"] if act.reads else []),
            *(["not by token"] if not act.by_token else []),
            *(["a token for it alone"] if act.alone else []),
            *(["lasts"] if act.lasts else []),
        ]
        said = f" ({'; '.join(marks)})" if marks else ""
        rule = act.rule.name.replace("|", "\\|")
        text += f"| `{name}`{said} | {rule} | {moves} | {details} | {', '.join(listeners[name])} |\n"
    return text


def states_page() -> str:
    """All machines of states, with a diagram of each."""
    text = STATES
    for plan, states in sorted(rooms.states(), key=lambda each: each[1].area):
        text += f"\n## {states.area} ({plan.title})\n\n```mermaid\nstateDiagram-v2\n"
        text += f"    [*] --> {_node(states.first)}\n"
        for frm, act, to in states.moves():
            text += f"    {_node(frm) if frm else '[*]'} --> {_node(to)}: {act}\n"
        text += "```\n\n| state | called |\n|---|---|\n"
        for name, label in states.labels.items():
            text += f"| `{name}` | {label}{' (by the clock)' if name in states.by_clock else ''} |\n"
    return text


def _node(state: str) -> str:
    return state.replace("-", "_")


def routes_page() -> str:
    """All addresses, by room."""
    text = ROUTES
    for room in doors():
        rows = list(_rows(room))
        if rows:
            text += f"\n## {room.name}\n\n| address | | what |\n|---|---|---|\n" + "".join(rows)
    return text


def _rows(room: Any) -> Iterator[str]:
    for route in room.router.routes:
        path = getattr(route, "path", "")
        if path.startswith(PREFIX) and route.include_in_schema:
            method = "POST" if "POST" in route.methods else "GET"
            yield f"| `{path.removeprefix(PREFIX)}` | {method} | {route.summary} |\n"
