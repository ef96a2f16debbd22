import pytest


def status(state, **more):
    return {"containerStatuses": [{"ready": False, "restartCount": 0, "state": state, **more}], "phase": "Running"}


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        ({"status": {"phase": "Pending"}}, "Pending"),
        ({"status": status({"running": {}})}, "Running"),
        ({"status": status({"waiting": {"reason": "CrashLoopBackOff"}})}, "CrashLoopBackOff"),
        ({"status": status({"terminated": {"exitCode": 3}})}, "ExitCode:3"),
        ({"status": status({"terminated": {"signal": 9}})}, "Signal:9"),
        ({"spec": {"initContainers": [{}, {}]},
          "status": {"initContainerStatuses": [{"state": {"terminated": {"exitCode": 0}}}, {"state": {}}]}},
         "Init:1/2"),
        ({"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Running"}}, "Terminating"),
    ],
)  # fmt: skip
def test_status_of_pods(cells, pod, shown):
    assert cells("Pod", **pod)["Status"] == shown


def test_restarts_tell_when(cells):
    last = {"terminated": {"finishedAt": "2026-01-01T11:59:00Z"}}
    found = cells("Pod", status=status({"running": {}}, lastState=last) | {"podIPs": [{"ip": "10.0.0.1"}]})
    assert (found["Restarts"], found["IP"], found["Ready"]) == ("0", "10.0.0.1", "0/0")
    again = {"restartCount": 2, "lastState": last}
    assert cells("Pod", status={"containerStatuses": [again]})["Restarts"] == "2 (60s ago)"


def test_deployments_and_jobs(cells):
    assert cells("Deployment", spec={"replicas": 3}, status={"readyReplicas": 1})["Ready"] == "1/3"
    done = {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1,
            "startTime": "2026-01-01T11:00:00Z", "completionTime": "2026-01-01T11:00:30Z"}  # fmt: skip
    found = cells("Job", spec={"completions": 1}, status=done)
    assert (found["Status"], found["Completions"], found["Duration"]) == ("Complete", "1/1", "30s")


def test_autoscalers(cells):
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
    now = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "metrics": [metric], "maxReplicas": 3}
    assert cells("HorizontalPodAutoscaler", spec=spec, status={"currentMetrics": [now]})["Targets"] == "cpu: 12%/80%"
    assert cells("HorizontalPodAutoscaler", spec=spec)["Targets"] == "cpu: <unknown>/80%"
