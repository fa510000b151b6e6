"""The kit of pages: rooms show what they offer through it, as a page for people and as JSON for programs.

One function gives a value; `Room.page` shows it in a template and, under /api/v1, as the same value in JSON. What every
page has to have (language, who it is, security headers, defense against other sites, one shape of errors) is here, one
file each. Needs no JavaScript, no other host, and no session on the server but that of whoever signed in.
"""

from madang.web.room import Done, Number, Room, View
from madang.web.visit import Here, Visit

__all__ = ["Done", "Here", "Number", "Room", "View", "Visit"]
