"""A station that is spoken to by SiLA 2 (sila-standard.org): dispense, incubate, read; on loopback, without discovery.

`serve` offers devices as such a station, `SilaDevices` is the other side. What is sent and answered is JSON in the
three commands of one feature. Whatever the station refuses, and whatever does not come, is a step that failed.
"""

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.foundry.devices import DeviceFailed, Devices
from madang.science.bioprocess.foundry.plates import Transfer
from madang.science.bioprocess.needs import needs

HOST = "127.0.0.1"
_COMMAND = """<Command><Identifier>{name}</Identifier><DisplayName>{name}</DisplayName><Description>{text}</Description>
<Observable>No</Observable><Parameter><Identifier>Order</Identifier><DisplayName>Order</DisplayName>
<Description>JSON</Description><DataType><Basic>String</Basic></DataType></Parameter><Response>
<Identifier>Answer</Identifier><DisplayName>Answer</DisplayName><Description>JSON</Description>
<DataType><Basic>String</Basic></DataType></Response></Command>"""
FEATURE = (
    '<?xml version="1.0" encoding="utf-8" ?><Feature SiLA2Version="1.0" FeatureVersion="1.0" Originator="io.madang" '
    'Category="biofoundry" xmlns="http://www.sila-standard.org" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.sila-standard.org '
    'https://gitlab.com/SiLA2/sila_base/raw/master/schema/FeatureDefinition.xsd">'
    "<Identifier>FoundryStation</Identifier><DisplayName>Foundry Station</DisplayName>"
    "<Description>Carries out worklists, incubates and reads plates.</Description>"
    + _COMMAND.format(name="Dispense", text="Carry out a worklist: the wells that were filled.")
    + _COMMAND.format(name="Incubate", text="Keep the plate warm.")
    + _COMMAND.format(name="Read", text="Read the plate: wells and readings.")
    + "</Feature>"
)


@contextlib.contextmanager
def serve(devices: Devices, port: int) -> Iterator[None]:
    """Offer devices as a station at a port of loopback, as long as the block runs."""
    framework, servers = needs("sila2.framework", extra="sila2"), needs("sila2.server", extra="sila2")
    base: Any = servers.FeatureImplementationBase

    def answered(work: Any) -> str:
        try:
            return json.dumps({"answer": work()})
        except DeviceFailed as error:
            return json.dumps({"failed": str(error)})

    class Station(base):
        def Dispense(self, Order: str, *, metadata: Any) -> str:  # named by the feature
            told = json.loads(Order)
            transfers = [Transfer(**each) for each in told["transfers"]]
            return answered(lambda: sorted(devices.dispense(told["round"], transfers, told["plan"])))

        def Incubate(self, Order: str, *, metadata: Any) -> str:
            told = json.loads(Order)
            return answered(lambda: devices.incubate(told["round"], told["hours"]))

        def Read(self, Order: str, *, metadata: Any) -> str:
            return answered(lambda: devices.read(json.loads(Order)["round"]))

    server: Any = servers.SilaServer(
        server_name="Madang station",
        server_type="FoundryStation",
        server_description="Simulated devices of a biofoundry",
        server_version="1.0",
        server_vendor_url="https://example.org",
        server_uuid=uuid.uuid4(),
    )
    server.set_feature_implementation(framework.Feature(FEATURE), Station(server))
    server.start_insecure(HOST, port, enable_discovery=False)
    try:
        yield
    finally:
        server.stop()


class SilaDevices:
    """Devices behind a station at HOST:PORT. Raises `foundry.station` where none answers."""

    def __init__(self, address: str) -> None:
        host, _colon, port = address.rpartition(":")
        client: Any = needs("sila2.client", extra="sila2").SilaClient
        try:
            self._station: Any = client(host, int(port), insecure=True).FoundryStation
        except Exception as error:  # gRPC and the client raise kinds of their own
            raise MadangError(
                "foundry.station",
                _("No foundry station answers at {address}.").format(address=address),
                _("Start one: madang manufacturing foundry station FILE"),
            ) from error

    def dispense(self, round_: int, transfers: Sequence[Transfer], plan: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Carry out a worklist; the wells that were filled."""
        order = {"round": round_, "transfers": [vars(each) for each in transfers], "plan": plan}
        return set(self._asked("Dispense", order))

    def incubate(self, round_: int, hours: float) -> None:
        """Keep the plate warm."""
        self._asked("Incubate", {"round": round_, "hours": hours})

    def read(self, round_: int) -> list[tuple[str, float]]:
        """Readings in the order in which the reader gives them."""
        return [(well, float(value)) for well, value in self._asked("Read", {"round": round_})]

    def _asked(self, command: str, order: Any) -> Any:
        try:
            told = json.loads(getattr(self._station, command)(json.dumps(order)).Answer)
        except Exception as error:  # gRPC and SiLA raise kinds of their own; all mean that the step was not done
            raise DeviceFailed(f"{type(error).__name__}: {' '.join(str(error).split())[:120]}") from None
        if "failed" in told:
            raise DeviceFailed(str(told["failed"]))
        return told["answer"]
