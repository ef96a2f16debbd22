import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.controllers import _job_indexes

LABEL = "batch.kubernetes.io/job-completion-index"


def pod(index, phase="Succeeded"):
    return {"metadata": {"annotations": {LABEL: index}}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("indexes", "text"), [([], ""), ([3], "3"), ([1, 0], "0,1"), ([0, 2, 3, 4, 6, 7], "0,2-4,6,7"), ([5, 5], "5")]
)
def test_lists_are_written_as_intervals(indexes, text):
    assert _job_indexes.render(indexes) == text


@given(st.sets(st.integers(0, 40)))
def test_what_is_written_can_be_read(indexes):
    assert _job_indexes.parse(_job_indexes.render(indexes), 41) == indexes


def test_what_cannot_be_read_or_is_too_high_counts_for_nothing():
    assert _job_indexes.parse("x,1,4-9,-3,2-", 6) == {1, 4, 5}


@pytest.mark.parametrize(("value", "index"), [("7", 7), ("", None), ("-1", None), ("x", None), (3, None)])
def test_the_index_of_a_pod(value, index):
    assert _job_indexes.index_of(pod(value)) == index


def test_failures_and_successes_by_index():
    pods = [pod("1"), pod("1", "Failed"), pod("1", "Failed"), pod("2", "Running"), pod("x", "Failed")]
    assert _job_indexes.succeeded(pods) == {1}
    assert _job_indexes.failures(pods) == {1: 2}


def test_a_pod_keeps_the_variable_and_host_name_of_its_template():
    made = {"metadata": {}, "spec": {"hostname": "own", "containers": [{"env": [{"name": "JOB_COMPLETION_INDEX"}]}]}}
    job = {"metadata": {"name": "j"}}
    found = _job_indexes.pod_for(made, job, 4, 2)
    assert found["spec"] == {"hostname": "own", "containers": [{"env": [{"name": "JOB_COMPLETION_INDEX"}]}]}
    assert found["metadata"]["annotations"] == {LABEL: "4", "batch.kubernetes.io/job-index-failure-count": "2"}
