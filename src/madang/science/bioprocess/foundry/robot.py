"""A liquid handler driven by pylabrobot: the worklist is carried out on its simulator, tip by tip, with the volume of
every well tracked by pylabrobot itself; the plate is then incubated and read by the simulated devices.

The commands are those of pylabrobot's own front, so that another of its backends could stand behind them; only the
simulator has been tried.
"""

import asyncio
import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from madang.science.bioprocess.foundry.devices import DeviceFailed, SimulatedDevices
from madang.science.bioprocess.foundry.plates import Transfer
from madang.science.bioprocess.needs import needs

FULL = 2_000.0  # microliters in a well of sources at the beginning of each round
MOST_SOURCES = 96
ROUNDING = 0.01  # microliters


class RobotDevices(SimulatedDevices):
    """The simulated devices with pylabrobot's simulator as the dispenser."""

    def dispense(self, round_: int, transfers: Sequence[Transfer], plan: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Carry out a worklist; the wells whose tracked volume is what the worklist says."""
        kind = self._trouble("dispenser", round_)
        if kind in ("silent", "late"):
            raise DeviceFailed(kind)
        wanted: dict[str, float] = {}
        for each in transfers:
            wanted[each.target_well] = wanted.get(each.target_well, 0.0) + each.volume
        some = transfers[: len(transfers) // 2] if kind == "partial" else transfers
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its definitions of plates are being renamed
            held = asyncio.run(_carried_out(some))
        filled = {well for well, volume in wanted.items() if abs(held.get(well, 0.0) - volume) <= ROUNDING}
        self._filled = {well: plan[well] for well in wanted if well in filled and well in plan}
        self._turned = kind == "turned"
        return filled


async def _carried_out(transfers: Sequence[Transfer]) -> dict[str, float]:
    """Volumes by well after the transfers, as pylabrobot tracked them."""
    handling: Any = needs("pylabrobot.liquid_handling", extra="pylabrobot")
    backends: Any = needs("pylabrobot.liquid_handling.backends", extra="pylabrobot")
    resources: Any = needs("pylabrobot.resources", extra="pylabrobot")
    decks: Any = needs("pylabrobot.resources.hamilton", extra="pylabrobot")

    sources = list(dict.fromkeys(each.source_well for each in transfers))
    if len(sources) > MOST_SOURCES:
        raise DeviceFailed(f"{len(sources)} sources are more than a plate has")
    resources.set_volume_tracking(True)
    handler = handling.LiquidHandler(
        backend=backends.LiquidHandlerChatterboxBackend(num_channels=8), deck=decks.STARLetDeck()
    )
    await handler.setup()
    try:
        tips, plates = resources.TIP_CAR_480_A00(name="tips"), resources.PLT_CAR_L5AC_A00(name="plates")
        tips[0] = rack = resources.hamilton_96_tiprack_1000uL_filter(name="rack")
        plates[0] = source = resources.Cor_96_wellplate_2mL_Vb(name="source")
        plates[1] = target = resources.Cor_96_wellplate_360ul_Fb(name="target")
        handler.deck.assign_child_resource(tips, rails=3)
        handler.deck.assign_child_resource(plates, rails=15)
        place = {}
        for number, well in enumerate(sources):
            place[well] = source.get_item(number)
            place[well].tracker.set_volume(FULL)
        for each in transfers:
            await handler.pick_up_tips(rack["A1"])
            await handler.aspirate([place[each.source_well]], vols=[each.volume])
            await handler.dispense(target[each.target_well], vols=[each.volume])
            await handler.return_tips()
        return {
            well: float(target.get_item(well).tracker.get_used_volume())
            for well in {each.target_well for each in transfers}
        }
    finally:
        await handler.stop()
