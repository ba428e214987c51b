"""The report accounts for every frame."""

from sensorfusion.report import Report


def test_frames_in_are_used_plus_dropped():
    report = Report("x")
    report.use()
    report.drop("no pose", 5)
    report.add_losses({"depth": 2}, {"picture missing": 3})
    values = report.to_dict()
    assert values["frames"] == {
        "in": 5,
        "used": 1,
        "dropped": {"no pose": 1, "picture missing": 3},
    }
    assert values["unpaired"] == {"depth": 2}


def test_frames_lost_in_a_row_are_one_span():
    report = Report("x")
    for timestamp_ns in (10, 20):
        report.drop("overlap too small", timestamp_ns, lost=True)
    report.use()
    report.drop("overlap too small", 40, lost=True)
    assert report.to_dict()["lost"] == [[10, 20], [40, 40]]


def test_a_bad_time_stamp_does_not_end_a_loss():
    report = Report("x")
    report.drop("overlap too small", 10, lost=True)
    report.drop("time stamp does not increase", 5)
    report.drop("overlap too small", 30, lost=True)
    assert report.to_dict()["lost"] == [[10, 30]]


def test_waiting_yields_everything_and_times_it():
    report = Report("x")
    assert list(report.waiting("read", range(3))) == [0, 1, 2]
    assert report.seconds["read"] > 0
