import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

import pytest

from sensorfusion.errors import DriverError, SourceError
from sensorfusion.sources import registry
from sensorfusion.sources.devices import connected_devices
from sensorfusion.sources.driver import ConnectedDevice, Driver, Truth
from sensorfusion.sources.options import DriverOption

CONNECTED = ConnectedDevice("camera:1", "A camera", "1", "", "", "", {})


class Plain(Driver):
    """Recognises names that begin with its letter; hands back what it was opened with."""

    summary = "a driver for tests"

    def can_open(self, location: str) -> bool:
        return "plain" in location

    def open(
        self,
        location: str,
        *,
        count: int = 3,
        gain: float = 1.0,
        live: bool = False,
        depth_kind: Literal["z", "range"] = "z",
        calibration: Path | None = None,
        note: str = "",
    ):
        return dict(locals())

    def truth(self, location: str, *, count: int = 3) -> Truth:
        return {"location": location, "count": count}


class Twin(Plain):
    def can_open(self, location: str) -> bool:
        return "plain and twin" in location


class Raising(Plain):
    def can_open(self, location: str) -> bool:
        raise ZeroDivisionError


class Demanding(Plain):
    def open(self, location: str, *, serial: str):
        return serial


class Unreadable(Plain):
    def open(self, location: str):
        raise PermissionError(13, "Permission denied")


class Camera(Plain):
    def devices(self):
        return (CONNECTED,)


class Unlisted(Plain):
    def devices(self):
        msg = "no bus"
        raise ZeroDivisionError(msg)


class NoDriver:
    pass


@pytest.fixture
def install(monkeypatch):
    module = "driver_registry_test_plugins"
    monkeypatch.setitem(sys.modules, module, sys.modules[__name__])

    def install_drivers(**drivers):
        return install_entries([(name, f"{module}:{value}") for name, value in drivers.items()])

    def install_entries(entries):
        found = [EntryPoint(name, value, registry.GROUP) for name, value in entries]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)

    install_drivers.entries = install_entries
    return install_drivers


def test_drivers_are_listed_without_being_imported(install):
    install.entries([("b", "no_such_module:B"), ("a", "no_such_module:A")])
    assert registry.driver_names() == ("a", "b")


def test_two_different_drivers_with_one_name_are_an_error(install):
    install.entries([("a", "one:A"), ("a", "two:A")])
    with pytest.raises(DriverError, match=r"two drivers are named 'a': one:A .* two:A"):
        registry.driver_names()


def test_a_package_installed_twice_offers_its_driver_once(install):
    install.entries([("a", "one:A"), ("a", "one:A")])
    assert registry.driver_names() == ("a",)


def test_a_misspelt_driver_is_refused_with_the_right_name(install):
    install(plain="Plain")
    with pytest.raises(DriverError, match="no driver 'plian'; did you mean plain"):
        registry.load_driver("plian")


def test_dashes_in_a_driver_name_are_underscores(install):
    install(plain_one="Plain")
    assert registry.load_driver("plain-one").summary == "a driver for tests"


@pytest.mark.parametrize("value", ["Absent", "NoDriver"])
def test_a_broken_driver_asked_for_by_name_is_named(install, value):
    install(broken=value)
    with pytest.raises(DriverError, match=r"driver 'broken' .*mend or remove"):
        registry.load_driver("broken")


@pytest.mark.parametrize("broken", ["Absent", "Raising"])
def test_a_broken_driver_does_not_stop_the_others(install, broken):
    install(a_broken=broken, plain="Plain")
    assert registry.find_driver("plain.x") == "plain"


@pytest.mark.parametrize("broken", ["Absent", "Raising"])
def test_a_broken_driver_is_named_when_nothing_else_opens_a_location(install, broken, tmp_path):
    install(a_broken=broken, plain="Plain")
    with pytest.raises(SourceError, match=r"no driver recognises it.*'a_broken'"):
        registry.find_driver(tmp_path)


def test_a_driver_that_cannot_list_its_cameras_hides_no_other(install):
    install(a_broken="Unlisted", b_absent="Absent", camera="Camera", plain="Plain")
    found, faults = connected_devices()
    assert found == (CONNECTED,)
    assert faults[0] == "driver 'a_broken' cannot list cameras: ZeroDivisionError: no bus"
    assert "'b_absent'" in faults[1]
    assert len(faults) == 2


def test_a_location_that_does_not_exist_is_said_to_be_missing(install, tmp_path):
    install(plain="Plain")
    with pytest.raises(SourceError, match=r"gone\.bag: no such file or folder"):
        registry.find_driver(tmp_path / "gone.bag")


@pytest.mark.parametrize("location", ["a\0b", "x" * 5000])
def test_what_can_be_no_path_is_refused_in_one_sentence(install, location):
    install(plain="Plain")
    with pytest.raises(SourceError, match="no such file or folder"):
        registry.find_driver(location)


def test_a_location_that_two_drivers_recognise_asks_for_a_choice(install):
    install(plain="Plain", twin="Twin")
    with pytest.raises(SourceError, match="plain, twin all recognise it; choose one with --driver"):
        registry.find_driver("plain and twin")


def test_the_driver_that_is_asked_for_opens_what_two_recognise(install):
    install(plain="Plain", twin="Twin")
    assert registry.open_source("plain and twin", "twin")["location"] == "plain and twin"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("count", "12", 12),
        ("gain", "0.5", 0.5),
        ("live", "true", True),
        ("live", "No", False),
        ("depth-kind", "range", "range"),
        ("depth_kind", "range", "range"),
        ("calibration", "a/b.txt", Path("a/b.txt")),
        ("calibration", "none", None),
        ("note", "12", "12"),
    ],
)
def test_an_option_gets_the_type_of_its_parameter(install, key, text, value):
    install(plain="Plain")
    opened = registry.open_source("plain", options={key: text})
    assert opened[key.replace("-", "_")] == value


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("count", "1.5", "expected int"),
        ("gain", "much", "expected float"),
        ("live", "maybe", "expected true or false"),
        ("depth-kind", "Range", "expected z or range"),
        ("calibration", "", "expected path or none"),
    ],
)
def test_an_option_of_the_wrong_type_is_refused_with_the_right_one(install, key, text, expected):
    install(plain="Plain")
    with pytest.raises(DriverError, match=f"option {key} is {text!r}; {expected}"):
        registry.open_source("plain", options={key: text})


def test_a_misspelt_option_is_refused_with_the_right_name(install):
    install(plain="Plain")
    with pytest.raises(DriverError, match="no option 'depth-knd'; did you mean depth-kind"):
        registry.open_source("plain", options={"depth-knd": "z"})


def test_an_option_given_in_both_spellings_is_refused(install):
    install(plain="Plain")
    with pytest.raises(DriverError, match="depth-kind is given twice"):
        registry.open_source("plain", options={"depth-kind": "z", "depth_kind": "range"})


def test_an_option_without_a_default_has_to_be_given(install):
    install(demanding="Demanding")
    with pytest.raises(DriverError, match="'demanding' needs -o serial=text"):
        registry.open_source("plain")


def test_truth_takes_the_options_that_concern_it_and_leaves_the_others(install):
    install(plain="Plain")
    truth = registry.read_truth("plain", options={"count": "5", "gain": "2"})
    assert truth == {"location": "plain", "count": 5}


def test_truth_refuses_a_misspelt_option(install):
    install(plain="Plain")
    with pytest.raises(DriverError, match="did you mean count"):
        registry.read_truth("plain", options={"coutn": "5"})


def test_a_file_without_permission_is_an_error_of_the_source(install):
    install(plain="Unreadable")
    with pytest.raises(SourceError, match="plain: cannot be read: Permission denied"):
        registry.open_source("plain")


def test_options_are_described_with_type_and_default(install):
    install(plain="Plain")
    assert registry.driver_options("plain") == (
        DriverOption("count", "int", "3"),
        DriverOption("gain", "float", "1.0"),
        DriverOption("live", "true or false", "false"),
        DriverOption("depth-kind", "z or range", "z"),
        DriverOption("calibration", "path or none", "none"),
        DriverOption("note", "text", ""),
    )


@pytest.mark.parametrize("driver", [None, "realsense", "rgbd-folder"])
@pytest.mark.parametrize("opened", [registry.open_source, registry.read_truth])
def test_an_empty_location_is_not_taken_for_the_present_folder(opened, driver):
    with pytest.raises(SourceError, match=r"location of the recording is ''; expected a file"):
        opened("", driver)


@pytest.mark.parametrize("name", ["a.bag", "a.db3", "a.png", "a.ply"])
@pytest.mark.parametrize("driver", [None, "realsense"])
def test_a_file_without_a_byte_is_said_to_be_empty(tmp_path, name, driver):
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=rf"{name}: is empty \(0 bytes\)"):
        registry.open_source(tmp_path / name, driver)
