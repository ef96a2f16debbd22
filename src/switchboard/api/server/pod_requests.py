"""Requests for what streams out of and into a pod: log, exec, attach, port-forward.

In: a request for one of these subresources and the Pod.  Out: a frozen ``PodStream`` that says what is wanted.
Called by the router once the caller is authorized; ``serve.pod_streams`` carries it out.
Specification: PodLogOptions, PodExecOptions, PodAttachOptions and PodPortForwardOptions of the Kubernetes API (v1).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from switchboard.api import errors
from switchboard.api.errors import BadRequest, Cause
from switchboard.api.server.booleans import truthy
from switchboard.api.server.request import Request, Target
from switchboard.k8s import names, objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, mapping, sequence, text

LOG: Final = "log"
EXEC: Final = "exec"
ATTACH: Final = "attach"
PORT_FORWARD: Final = "portforward"
STREAMS: Final = (LOG, EXEC, ATTACH, PORT_FORWARD)
_UPGRADED: Final = (EXEC, ATTACH, PORT_FORWARD)
_LOG_OPTIONS: Final = Kind(
    group=names.CORE, version="v1", kind="PodLogOptions", plural="podlogoptions", singular="podlogoptions"
)
_MOST_PORTS: Final = 128


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of a log is wanted; ``since`` is a moment, ``since_seconds`` counts back from now; None is no limit."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_seconds: int | None = None
    since: datetime | None = None


class PodStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream: ``kind`` is a subresource, the pod is told by its facts; the members behind are of some kinds."""

    kind: str
    namespace: str
    name: str
    uid: str
    node: str = ""
    ip: str = ""
    created: str = ""
    container: str = ""
    # Why the container does not run, empty when it does.
    waiting: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    log: LogOptions = LogOptions()
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    ports: tuple[int, ...] = ()


def authorized_as(target: Target) -> Target:
    """What authorization looks at: whoever runs programs in pods or reaches into them creates something.

    A WebSocket opens with GET, which the right to read must not be enough for.  kube-apiserver demands ``create``
    for it since 1.35.
    """
    streams = (target.group, target.resource) == (names.CORE, "pods") and target.subresource in _UPGRADED
    return msgspec.structs.replace(target, verb="create") if streams and target.verb == "get" else target


def stream_of(request: Request, target: Target, pod: Object) -> PodStream:
    """What a request wants of a pod; raises ApiError as Kubernetes words it."""
    kind, spec = target.subresource, objects.spec(pod)
    if kind == LOG:
        options = _log_options(request)
    else:
        options = LogOptions()
        if not text(spec.get("nodeName")):
            raise BadRequest(f"pod {target.name} does not have a host assigned")
    container = "" if kind == PORT_FORWARD else container_of(pod, request.parameter("container"))
    found = PodStream(
        kind=kind,
        namespace=target.namespace,
        name=target.name,
        uid=objects.uid(pod),
        node=text(spec.get("nodeName")),
        ip=text(objects.status(pod).get("podIP")),
        created=text(objects.metadata(pod).get("creationTimestamp")),
        container=container,
        waiting=_waiting(pod, container),
        environment=_environment(pod, container),
        log=options,
    )
    if kind in (EXEC, ATTACH):
        return _with_streams(found, request)
    if kind == PORT_FORWARD:
        return msgspec.structs.replace(found, ports=_ports(request))
    return found


def container_of(pod: Object, wanted: str) -> str:
    """The container that is meant; raises BadRequest when it does not exist or there are several to choose from."""
    spec, pod_name = objects.spec(pod), objects.name(pod)
    names_of = {
        key: [text(mapping(c).get("name")) for c in sequence(spec.get(key))]
        for key in ("containers", "initContainers", "ephemeralContainers")
    }
    if wanted:
        if not any(wanted in found for found in names_of.values()):
            raise BadRequest(f"container {wanted} is not valid for pod {pod_name}")
        return wanted
    if len(names_of["containers"]) == 1 and not names_of["initContainers"]:
        return names_of["containers"][0]
    if not names_of["containers"]:
        raise BadRequest(f"a container name must be specified for pod {pod_name}")
    message = f"a container name must be specified for pod {pod_name}, choose one of: [{_listed(names_of, 0)}]"
    if names_of["initContainers"]:
        message += f" or one of the init containers: [{_listed(names_of, 1)}]"
    if names_of["ephemeralContainers"]:
        message += f" or one of the ephemeral containers: [{_listed(names_of, 2)}]"
    raise BadRequest(message)


def _listed(names_of: dict[str, list[str]], which: int) -> str:
    return " ".join(list(names_of.values())[which])


def _waiting(pod: Object, container: str) -> str:
    status = objects.status(pod)
    known = [mapping(s) for key in ("containerStatuses", "initContainerStatuses") for s in sequence(status.get(key))]
    states = [mapping(s.get("state")) for s in known if not container or s.get("name") == container]
    if any("running" in state or "terminated" in state for state in states):
        return ""
    reasons = [text(mapping(state.get("waiting")).get("reason")) for state in states]
    return next((reason for reason in reasons if reason), "ContainerCreating")


def _environment(pod: Object, container: str) -> tuple[tuple[str, str], ...]:
    """Plain variables of the container; what refers to other objects stays out."""
    for found in sequence(objects.spec(pod).get("containers")):
        if mapping(found).get("name") == container:
            variables = [mapping(v) for v in sequence(mapping(found).get("env"))]
            pairs = ((text(v.get("name")), text(v.get("value"))) for v in variables if "valueFrom" not in v)
            return tuple((k, v) for k, v in pairs if k and "=" not in k and "\x00" not in k + v)
    return ()


def _with_streams(found: PodStream, request: Request) -> PodStream:
    stdin, stdout, stderr, tty = (truthy(request.parameter(k)) for k in ("stdin", "stdout", "stderr", "tty"))
    command = tuple(request.all("command")) if found.kind == EXEC else ()
    if not (stdin or stdout or stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if tty and stderr:
        # A terminal has one output.
        stderr = False
    if found.kind == EXEC and not (command and command[0]):
        raise BadRequest("you must specify at least one command for the container")
    if any("\x00" in word for word in command):
        raise BadRequest("a command cannot contain a null character")
    return msgspec.structs.replace(found, command=command, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)


def _ports(request: Request) -> tuple[int, ...]:
    found: list[int] = []
    for word in ",".join(request.all("ports")).split(","):
        if not word:
            continue
        if not (word.isascii() and word.isdigit()) or not 1 <= int(word[:6]) <= 65535:
            raise BadRequest(f"unable to parse {word!r} as a port")
        found.append(int(word))
    if len(found) > _MOST_PORTS:
        raise BadRequest(f"at most {_MOST_PORTS} ports are forwarded by one request")
    return tuple(found)


def _log_options(request: Request) -> LogOptions:
    causes: list[Cause] = []
    tail = _number(request, "tailLines")
    limit, seconds = _number(request, "limitBytes"), _number(request, "sinceSeconds")
    since = _moment(request.parameter("sinceTime"))
    if tail is not None and tail < 0:
        causes.append(_cause("tailLines", f"{tail}: must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(_cause("limitBytes", f"{limit}: must be greater than 0"))
    if seconds is not None and since is not None:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("FieldValueForbidden", why, ""))
    elif seconds is not None and seconds < 1:
        causes.append(_cause("sinceSeconds", f"{seconds}: must be greater than 0"))
    if causes:
        raise errors.invalid(_LOG_OPTIONS, "", causes)
    flag: Callable[[str], bool] = lambda name: truthy(request.parameter(name))  # noqa: E731
    return LogOptions(
        follow=flag("follow"),
        previous=flag("previous"),
        timestamps=flag("timestamps"),
        tail_lines=tail,
        limit_bytes=limit,
        since_seconds=seconds,
        since=since,
    )


def _cause(field: str, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {why}", field)


def _number(request: Request, name: str) -> int | None:
    found = request.parameter(name)
    if not found:
        return None
    digits = found.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise BadRequest(f'strconv.ParseInt: parsing "{found}": invalid syntax')
    return int(found)


def _moment(value: str) -> datetime | None:
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadRequest(f'sinceTime: "{value}" is no time as RFC 3339 writes it')
    return found
