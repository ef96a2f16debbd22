"""``apiserver`` turns its options into those of the machine and tells where the server is."""

import pytest


def test_options_become_those_of_the_machine(run, machine, tmp_path) -> None:
    done = run("apiserver", "--data-dir", str(tmp_path), "--bind", "[::1]:7443", "--token", "a", "--token", "b",
               "--service-cluster-ip-range", "10.96.0.0/12,fd00:1::/112")  # fmt: skip
    (_, options), *_ = machine.asked
    assert (done.code, options.host, options.port, options.tokens) == (0, "::1", 7443, ("a", "b"))
    assert options.service_cidrs == ("10.96.0.0/12", "fd00:1::/112")
    assert done.out.startswith(f"ready: https://127.0.0.1:1, kubeconfig {tmp_path}")
    assert "--token" not in done.out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--bind", "localhost"),
        ("--bind", "127.0.0.1:70000"),
        ("--bind", "somewhere:1"),
        ("--service-cluster-ip-range", "10.0.0.0/8,10.96.0.0/12"),
        ("--service-cluster-ip-range", "ten"),
    ],
)
def test_options_that_make_no_sense(run, tmp_path, wrong) -> None:
    assert run("apiserver", "--data-dir", str(tmp_path), *wrong).code == 2
