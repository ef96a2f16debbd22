"""Completion indexes of Indexed Jobs: which pod has which, which are done, and how lists of them are written.

In: a Job's pods, the text in its status.  Out: sets of indexes, text such as ``0,2-4``, a pod for one index.
Called by the job controller.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from switchboard.controllers import _pods
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?\Z")


def indexed(job: Object) -> bool:
    """Whether each completion has a number of its own."""
    return objects.spec(job).get("completionMode") == "Indexed"


def index_of(pod: Object) -> int | None:
    """The completion index of a pod, None when it has none."""
    value = objects.annotations(pod).get(names.JOB_INDEX, "")
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else None


def parse(text: str, limit: int) -> set[int]:
    """Indexes below ``limit`` from ``0,2-4``; what cannot be read counts for nothing."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.match(part)
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            found.update(range(first, min(last + 1, limit)))
    return found


def render(indexes: Iterable[int]) -> str:
    """``0,2-4``: intervals of indexes in order; two neighbours are written apart."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}{',' if len(run) == 2 else '-'}{run[-1]}"


def failures(pods: Iterable[Object]) -> Counter[int]:
    """How many pods of each index have failed."""
    return Counter(i for pod in pods if _pods.phase(pod) == "Failed" and (i := index_of(pod)) is not None)


def succeeded(pods: Iterable[Object]) -> set[int]:
    """Indexes with a pod that has succeeded."""
    return {i for pod in pods if _pods.phase(pod) == "Succeeded" and (i := index_of(pod)) is not None}


def pod_for(pod: Object, job: Object, index: int, failed: int | None) -> Object:
    """The pod (changed in place) for one index: its name, label, annotation, host name and environment.

    ``failed`` is how many pods of the index have failed, where the Job limits failures for each.
    """
    meta = pod["metadata"]
    meta["generateName"] = f"{objects.name(job)}-{index}-"
    meta["labels"] = {**mapping(meta.get("labels")), names.JOB_INDEX: str(index)}
    meta["annotations"] = {**mapping(meta.get("annotations")), names.JOB_INDEX: str(index)}
    if failed is not None:
        meta["annotations"][names.JOB_FAILURES] = str(failed)
    spec = pod["spec"]
    spec.setdefault("hostname", f"{objects.name(job)}-{index}")
    for container in map(mapping, [*sequence(spec.get("initContainers")), *sequence(spec.get("containers"))]):
        environment = sequence(container.get("env"))
        if INDEX_VARIABLE not in [mapping(variable).get("name") for variable in environment]:
            container["env"] = [*environment, _variable()]
    return pod


def _variable() -> dict[str, Any]:
    path = f"metadata.labels['{names.JOB_INDEX}']"
    return {"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": path}}}
