"""``down`` says whether there was a cluster; both are well."""

import pytest


@pytest.mark.parametrize(("running", "says"), [(True, "nothing of it is left"), (False, "no cluster try is running")])
def test_both_ways_end_well(run, machine, running: bool, says: str) -> None:
    machine.running = running
    done = run("down", "--name", "try")
    assert (done.code, machine.asked) == (0, [("stop", "try")])
    assert says in done.out
