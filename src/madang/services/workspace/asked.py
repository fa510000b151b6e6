"""The written list of requests that the gateway answers, and what each does. There are no others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.workspace import notebooks, service
from madang.services.workspace.guests import Gateway, Guest, Shown

Answer = Callable[[Gateway, Guest, dict[str, Any]], Any]


def _folder(gateway: Gateway, guest: Guest) -> Path:
    return service.folder_of(gateway.node, guest.ticket.workspace) / "notebooks"


def do_list(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """The names of the notebooks, and whether the workspace is awake."""
    space = gateway.space(guest)
    names = notebooks.list_notebooks(_folder(gateway, guest))
    waiting = [{"notebook": each.notebook, "cell": each.cell} for each in space.waiting]
    return {"notebooks": names, "awake": space.is_awake, "waiting": waiting}


def do_load(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """One notebook."""
    return notebooks.load(_folder(gateway, guest), given["name"])


def do_create(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """A new notebook."""
    space = gateway.space(guest)
    with space.books:
        made = notebooks.create(_folder(gateway, guest), given["name"])
    space.say(say="notebooks")
    return made


def do_save(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Keep a notebook's text."""
    space = gateway.space(guest)
    with space.books:
        made = notebooks.save(_folder(gateway, guest), given["name"], given["version"], given["cells"])
    page = given.get("page", "")  # which of somebody's pages it was, so that this one does not load it again
    page = page if isinstance(page, str) and len(page) <= 40 else ""
    space.say(say="saved", notebook=made["name"], version=made["version"], page=page)
    return {"version": made["version"]}


def do_remove(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Take a notebook away."""
    space = gateway.space(guest)
    with space.books:
        notebooks.remove(_folder(gateway, guest), given["name"])
    space.say(say="notebooks")
    return {}


def do_wake(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """Wake the workspace; comes back once its kernel is ready."""
    space = gateway.space(guest)
    gateway.wake(space)
    if space.patience.acquire(blocking=False):  # who waits keeps a thread from everybody else
        try:
            space.ready.wait(20)
        finally:
            space.patience.release()
    return {"awake": space.is_awake}


def do_run(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Run a cell as it was saved or as it is given."""
    space = gateway.space(guest)
    code, name, cell = given["code"], given["notebook"], given["cell"]
    known = {each["id"] for each in notebooks.load(_folder(gateway, guest), name)["cells"]}
    if not isinstance(code, str) or len(code) > notebooks.CODE or cell not in known:
        raise MadangError("workspace.notebook", _("This is no cell of the notebook."))
    gateway.wake(space)
    space.run(name, cell, code, guest.ticket.person)
    with gateway.lock:
        gateway.shown.setdefault((guest.ticket.workspace, guest.ticket.person), Shown()).cells += 1
    return {}


def do_complete(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Ask for names that may stand at a place."""
    if isinstance(given["code"], str) and isinstance(given["at"], int) and len(given["code"]) <= notebooks.CODE:
        gateway.space(guest).complete(given["code"], given["at"], guest.ticket.person)
    return {}


def do_stop(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """Interrupt what runs."""
    gateway.space(guest).stop_cell()
    return {}


def do_sleep(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """End the kernel; it begins anew with the next cell."""
    gateway.space(guest).sleep()
    return {}


ROUTES: dict[str, Answer] = {
    "list": do_list,
    "load": do_load,
    "create": do_create,
    "save": do_save,
    "remove": do_remove,
    "wake": do_wake,
    "run": do_run,
    "complete": do_complete,
    "stop": do_stop,
    "sleep": do_sleep,
}
