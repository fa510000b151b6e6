"""The page of who runs the machine: what there is, what waits and runs by whom, quotas and prices."""

from datetime import date

from pydantic import Field

from madang.base.translate import _
from madang.node.permissions import may
from madang.services.compute import prices, quotas, runner, usage
from madang.services.compute.acts import LIMIT, PRICE
from madang.services.compute.cluster import cluster_of, told_of
from madang.services.compute.definition import machine, size_of
from madang.services.compute.routes import UseLine, room, use_lines
from madang.web import Done, Here, View


class QuotaView(View):
    """A quota with what is used of it; sizes in bytes."""

    share: str
    title: str
    core_hours: float | None
    used_core_hours: float
    cores: int | None
    gpu_hours: float | None
    used_gpu_hours: float
    memory: int | None
    disk: int | None
    kept: int


class PriceView(View):
    """What use costs from a day on."""

    begins: str
    currency: str
    core_hour: float
    gpu_hour: float
    gigabyte: float


class NodeView(View):
    """A node of the cluster, as the scheduler tells it."""

    name: str
    state: str
    cores: int
    in_use: int
    memory: int


class MachineView(View):
    """The machine or the cluster, its queue, quotas and prices."""

    where: str
    said: str
    cores: int
    memory: int
    gpus: int
    nodes: list[NodeView]
    use: list[UseLine]
    quotas: list[QuotaView]
    prices: list[PriceView]
    may_limit: bool
    may_price: bool
    today: str


class NewQuota(View):
    """A quota to set; what is empty has no limit."""

    share: str = Field(title="Whose", max_length=100)
    core_hours: float | None = Field(default=None, title="Core hours", ge=0)
    cores: int | None = Field(default=None, title="Cores", ge=0, le=1_000_000)
    gpu_hours: float | None = Field(default=None, title="GPU hours", ge=0)
    memory: str = Field(default="", title="Memory", max_length=20)
    disk: str = Field(default="", title="Disk", max_length=20)


class NewPrice(View):
    """A price to set."""

    begins: date = Field(title="The day on which it begins")
    currency: str = Field(default="KRW", title="The currency", pattern="^[A-Z]{3}$")
    core_hour: float = Field(default=0.0, title="An hour of a core", ge=0)
    gpu_hour: float = Field(default=0.0, title="An hour of a GPU", ge=0)
    gigabyte: float = Field(default=0.0, title="A gigabyte for 30 days", ge=0)


@room.page("/machine", "machine.html")
def machine_page(visit: Here) -> MachineView:
    """The machine or the cluster, what waits and runs on it by whom, quotas and prices."""
    has, lines = machine(), usage.quota_lines(visit.node, visit.actor)
    runner.wake(visit.node)
    told = told_of(visit.node.home) if cluster_of(visit.node.home) is not None else None
    with visit.node.read() as session:
        known = prices.prices_in(session)
    return MachineView(
        where="local" if told is None else "slurm",
        said=told.said if told is not None else "",
        cores=has.cores,
        memory=has.memory,
        gpus=has.gpus,
        nodes=[NodeView(**vars(each)) for each in (told.nodes if told is not None else ())],
        use=use_lines(visit),
        quotas=[
            QuotaView(
                share=each.share or "everybody",
                title=each.title,
                core_hours=each.limits.core_hours,
                used_core_hours=round(each.core_hours, 3),
                cores=each.limits.cores,
                gpu_hours=each.limits.gpu_hours,
                used_gpu_hours=round(each.gpu_hours, 3),
                memory=each.limits.memory,
                disk=each.limits.disk,
                kept=each.kept,
            )
            for each in lines
        ],
        prices=[
            PriceView(
                begins=each.begins.isoformat(),
                currency=each.currency,
                core_hour=each.core_hour,
                gpu_hour=each.gpu_hour,
                gigabyte=each.gigabyte,
            )
            for each in known
        ],
        may_limit=may(visit.actor, LIMIT),
        may_price=may(visit.actor, PRICE),
        today=date.today().isoformat(),
    )


@room.act("/machine/quotas", at=machine_page)
def set_quota(visit: Here, given: NewQuota) -> Done:
    """Set what a project, person or organization may compute; empty fields are no limit."""
    limits = quotas.Limits(
        given.core_hours,
        given.cores,
        given.gpu_hours,
        size_of(given.memory) if given.memory.strip() else None,
        size_of(given.disk) if given.disk.strip() else None,
    )
    quotas.set_quota(visit.node, visit.actor, given.share, limits)
    return Done(see="/machine", message=_("The quota is set."))


@room.act("/machine/prices", at=machine_page)
def set_price(visit: Here, given: NewPrice) -> Done:
    """Set what computing costs from a day on."""
    costs = {"core_hour": given.core_hour, "gpu_hour": given.gpu_hour, "gigabyte": given.gigabyte}
    prices.set_price(visit.node, visit.actor, given.begins, given.currency, **costs)
    return Done(see="/machine", message=_("The price is set."))
