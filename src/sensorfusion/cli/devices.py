"""``sensorfusion devices``: the cameras that are plugged in."""

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.errors import SourceError
from sensorfusion.sources.devices import connected_devices
from sensorfusion.sources.driver import ConnectedDevice


def devices(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List the cameras that are plugged in: serial number, firmware, port, what they offer.

    Parameters
    ----------
    json
        Write one JSON object instead of text.

    Raises
    ------
    SourceError
        If there is none that can be seen, and a reason is known.
    """
    with only_our_output():
        found, faults = connected_devices()
    if faults and not found:
        raise SourceError("; ".join(faults))
    if json:
        write_json({"devices": [asdict(one) for one in found], "faults": list(faults)})
        return
    if not found:
        write_line("no camera is connected")
    for one in found:
        _write(one)
    for fault in faults:
        write_line(f"fault: {fault}")


def _write(device: ConnectedDevice) -> None:
    write_line(f"{device.location}  {device.name or 'unnamed camera'}")
    recommended = device.recommended_firmware
    advice = f" (recommended: {recommended})" if recommended not in ("", device.firmware) else ""
    write_line(f"  firmware {device.firmware or 'unknown'}{advice}, USB {device.usb or 'unknown'}")
    for warning in device.warnings:
        write_line(f"  WARNING: {warning}")
    for stream, modes in device.modes.items():
        write_line(f"  {stream}: {', '.join(modes)}")
