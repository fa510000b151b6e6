"""One more process of `madang serve`, see `madang.web.helpers`: it answers, and leaves jobs and mail to the first."""

from madang.app.portal import portal
from madang.node.node import opened
from madang.web.helpers import inherited, until_input_ends
from madang.web.server import make_server, settle


def main() -> None:
    """Answer until the first process ends."""
    with opened() as node:
        server = make_server(portal(node, keeper=False))
        until_input_ends(server)
        settle()
        server.run(sockets=[inherited()])


if __name__ == "__main__":
    main()
