"""A short slice of the durability campaign; the long one is `python -m tests.e2e.kill_campaign --kills 200`."""

from pathlib import Path

from tests.e2e.kill_campaign import campaign


def test_nothing_acknowledged_is_lost_when_the_relay_is_killed(tmp_path: Path) -> None:
    """Five kills at random moments under load."""
    report = campaign(tmp_path, kills=5, seed=2025)
    print(report)
    assert report.kills == 5
    assert report.acknowledged > 100
    assert report.commits > 0
    assert report.connections > 10
