"""``exec`` hands words over as they are, options of the other program included, and returns its exit code."""

import pytest


@pytest.mark.parametrize("words", [("curl", "-k", "--name", "x"), ("sh", "-c", "exit 7")])
def test_words_after_the_dashes_are_the_programs_own(run, machine, words: tuple[str, ...]) -> None:
    machine.exit_code = 7
    assert run("exec", "--name", "try", "client-1", "--", *words).code == 7
    assert machine.asked == [("execute", "try", "client-1", words)]


def test_options_that_are_not_ours_need_no_dashes(run, machine) -> None:
    assert run("exec", "node-1", "nft", "-j", "list", "ruleset").code == 0
    assert machine.asked == [("execute", "default", "node-1", ("nft", "-j", "list", "ruleset"))]


def test_a_program_is_needed(run, machine) -> None:
    assert run("exec", "client-1").code == 2
    assert machine.asked == []
