"""The pages of stewards: from a dataset of the node to a published record, and to its tombstone."""

from datetime import date as Day
from typing import Annotated, Any, Literal

from pydantic import Field

from madang.base.translate import _, in_language
from madang.node.permissions import check
from madang.services.catalog import identifying, service
from madang.services.catalog.description import Description
from madang.services.catalog.list_views import Hit, Holder
from madang.services.catalog.models import Record
from madang.services.catalog.routes import RecordView, hit, room, view
from madang.web import Done, Here, View


class Free(View):
    """A dataset of the node without a record."""

    name: str
    version: int
    kind: str
    created: str


class Stewarded(Holder):
    """An organization whose data one answers for; `minimum` is how few persons numbers of them may be about."""

    minimum: int


class Desk(View):
    """What a steward has to do with."""

    records: list[Hit]
    states: dict[str, str]
    free: list[Free]
    organizations: list[Stewarded]


class Make(View):
    """A record to be made."""

    dataset: str = Field(title="The dataset", max_length=200)
    organization: str = Field(title="The organization", max_length=70)


class Minimum(View):
    """How few persons numbers of an organization's data may be about."""

    minimum: int = Field(title="The smallest number of persons", ge=1, le=1_000)


class Edit(View):
    """A record as a steward describes it; what is left out of a form is emptied."""

    edition: int = Field(title="The edition")
    title: str = Field(title="The title", min_length=1, max_length=300)
    title_en: str = Field(default="", max_length=300)
    tier: Literal["open", "registered", "controlled", "embargoed"]
    tier_after: Literal["open", "registered", "controlled"] = "controlled"
    embargo_reason: str = Field(default="", max_length=2_000)
    embargo_end: Day | None = Field(default=None, title="The end of the embargo")
    description: str = Field(default="", max_length=20_000)
    description_en: str = Field(default="", max_length=20_000)
    keyword: str = Field(default="", max_length=2_000)
    keyword_en: str = Field(default="", max_length=2_000)
    creator: str = Field(default="", max_length=2_000)
    publisher: str = Field(default="", max_length=300)
    contact: str = Field(default="", max_length=300)
    license: str = Field(default="", max_length=300)
    access_rights: str = Field(default="", max_length=20_000)
    access_rights_en: str = Field(default="", max_length=20_000)
    data_use: str = Field(default="", max_length=2_000)
    asks_training: str = Field(default="", max_length=300)
    population: str = Field(default="", max_length=20_000)
    spatial: str = Field(default="", max_length=300)
    start: Day | None = None
    end: Day | None = None
    funding: str = Field(default="", max_length=300)
    provenance: str = Field(default="", max_length=20_000)
    synthetic: Literal["yes", ""] = ""
    confirmed: Literal["yes", ""] = ""


class EditView(RecordView):
    """A record with what a form needs besides."""

    edition: int
    title_ko: str
    embargo_day: Day | None
    may_identify: bool


class Number(View):
    """A version to be published."""

    version: Annotated[int, Field(ge=1, title="The version")]


class Withdraw(View):
    """Why a record is taken back."""

    reason: str = Field(title="The reason", min_length=1, max_length=2_000)


@room.page("/steward", "steward.html")
def desk(visit: Here) -> Desk:
    """The records that you answer for, and the datasets of this node that have none yet."""
    records, free = service.mine(visit.node, visit.actor)
    return Desk(
        records=[hit(visit, record) for record in records],
        states={record.name: record.state for record in records},
        free=[Free(name=v.dataset.name, version=v.number, kind=v.kind, created=v.created) for v in free],
        organizations=[
            Stewarded(name=each.name, title=in_language(each.title, each.title_en), minimum=each.minimum)
            for each in service.stewarded(visit.node, visit.actor)
        ],
    )


@room.act("/steward", at=desk)
def make(visit: Here, given: Make) -> Done:
    """Begin a record for a dataset; what can be known of it is filled in, and its verdict is computed."""
    name = service.make(visit.node, visit.actor, given.dataset, given.organization)
    return Done(see=f"/steward/{name}", message=_("The draft is made. Its checks are being run."))


@room.act("/organizations/{organization}/minimum", at=desk)
def set_minimum(visit: Here, organization: str, given: Minimum) -> Done:
    """Set how few persons numbers of your organization's data may be about, where they are not open."""
    service.set_minimum(visit.node, visit.actor, organization, given.minimum)
    return Done(see="/steward", message=_("The rule is set; what is shown of your data follows it."))


@room.page("/steward/{name}", "edit.html")
def edit_page(visit: Here, name: str) -> EditView:
    """Describe a record, publish its versions, withdraw it."""
    found = _found(visit, name)
    shown = view(visit, found)
    return EditView(
        **{field: getattr(shown, field) for field in RecordView.model_fields},
        edition=found.edition,
        title_ko=found.title,
        embargo_day=visit.node.settings.last_day_before(found.embargo_end) if found.embargo_end else None,
        may_identify=identifying.is_set_up(visit.node),
    )


def _found(visit: Any, name: str) -> Record:
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, "record.edit", found)
    return found


@room.act("/steward/{name}", at=edit_page)
def edit(visit: Here, name: str, given: Edit) -> Done:
    """Describe a record anew; refused where somebody else changed it meanwhile."""
    before = _found(visit, name).told
    told = {field: value for field, value in given.model_dump().items() if field in Description.model_fields}
    told["synthetic"] = given.synthetic == "yes"
    end = given.embargo_end
    service.edit(
        visit.node,
        visit.actor,
        name,
        service.Edited(
            edition=given.edition,
            title=given.title,
            title_en=given.title_en,
            tier=given.tier,
            tier_after=given.tier_after,
            embargo_reason=given.embargo_reason,
            embargo_end=visit.node.settings.end_of(end) if end else None,
            description=Description.model_validate(before.model_dump() | told),
            confirmed=given.confirmed == "yes",
        ),
    )
    return Done(see=f"/steward/{name}", message=_("The description is saved."))


@room.act("/steward/{name}/versions", at=edit_page)
def add_version(visit: Here, name: str) -> Done:
    """Take the newest version of the dataset into the record, to be published."""
    service.add_version(visit.node, visit.actor, name)
    return Done(see=f"/steward/{name}", message=_("The version is being prepared."))


@room.act("/steward/{name}/publish", at=edit_page)
def publish(visit: Here, name: str, given: Number) -> Done:
    """Let everybody find a version that is prepared."""
    service.publish(visit.node, visit.actor, name, given.version)
    return Done(see=f"/records/{name}", message=_("The version is published."))


@room.act("/steward/{name}/doi", at=edit_page)
def identify(visit: Here, name: str) -> Done:
    """Have a DOI registered for a published record, or the one that it has know its description of now."""
    doi = identifying.register(visit.node, visit.actor, name)
    return Done(see=f"/steward/{name}", message=_("Its DOI is {doi}.").format(doi=doi))


@room.act("/steward/{name}/withdraw", at=edit_page)
def withdraw(visit: Here, name: str, given: Withdraw) -> Done:
    """Take a record back for good; a tombstone with the reason stays."""
    service.withdraw(visit.node, visit.actor, name, given.reason)
    return Done(see=f"/records/{name}", message=_("The record is withdrawn."))
