"""Where somebody who was invited chooses the password of their account."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from madang.base.translate import _
from madang.node.people import invitations
from madang.services.people.routes import room
from madang.web import Done, Here, View

Secret = Annotated[str, Path(min_length=20, max_length=100, pattern="^[A-Za-z0-9_-]+$")]


class InvitationPage(View):
    """Whose account an invitation is for."""

    login: str
    secret: str


class Chosen(View):
    """The password that somebody chose."""

    new: str = Field(title="The new password", min_length=1, max_length=1_000)


@room.page("/invitations/{secret}", "invitation.html")
def invitation(visit: Here, secret: Secret) -> InvitationPage:
    """Where somebody who was invited chooses their password."""
    return InvitationPage(login=invitations.invited(visit.node, secret), secret=secret)


@room.act("/invitations/{secret}", at=invitation)
def accept(visit: Here, secret: Secret, given: Chosen) -> Done:
    """Choose the password of the account that you were invited to; the invitation is used up."""
    login = invitations.accept(visit.node, secret, given.new, address=visit.address)
    return Done(see="/sign-in", message=_("The password of {login} is set. Sign in with it.").format(login=login))
