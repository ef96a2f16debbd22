"""Paths that are no resources: health, version, discovery, OpenAPI, metrics.

In: a request that is allowed.  Out: an answer; ``NotFound`` for anything else.
Called by the router.
Specification: https://kubernetes.io/docs/reference/using-api/health-checks/ and the discovery API.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api.errors import MethodNotAllowed, NotFound
from switchboard.api.server import answers, content, discovery, openapi
from switchboard.api.server.answers import Answer
from switchboard.api.server.request import Request, Target
from switchboard.api.server.resources import Resources
from switchboard.api.store import Store
from switchboard.k8s import names, schemas

HEALTH: Final = ("healthz", "livez", "readyz")
_CHECKS: Final = ("ping", "log", "etcd")
_PATHS: Final = ("/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz",
                 "/version")  # fmt: skip


class Documents:
    """Answers them for one server.

    Args:
        store: for the figures.
        resources: for discovery and OpenAPI.
        address: where the server is reached.
    """

    def __init__(self, store: Store, resources: Resources, address: str) -> None:
        self._store = store
        self._resources = resources
        self._address = address

    def answer(self, request: Request, target: Target) -> Answer:
        """The document at a path."""
        words = [w for w in target.path.split("/") if w]
        first = words[0] if words else ""
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if first in HEALTH:
            return _health(words, request)
        if first == "metrics" and len(words) <= 2:
            return answers.plain(200, self._metrics())
        found = self._found(first, words, request)
        if found is None:
            return answers.plain(404, "404 page not found\n")
        return found

    def _found(self, first: str, words: list[str], request: Request) -> Answer | None:
        if first == "version" and len(words) == 1:
            return answers.document(version(), content.form_of(request))
        if first == "api":
            return self._api(words, request)
        if first == "apis":
            return self._apis(words, request)
        if first == "openapi":
            return openapi.answer(self._resources, words[1:], request)
        if not words:
            groups = [f"/apis/{n}" for n in self._resources.groups() if n]
            return answers.document({"paths": sorted([*_PATHS, *groups])}, content.form_of(request))
        return None

    def _api(self, words: list[str], request: Request) -> Answer:
        form = content.form_of(request, allowed=(discovery.AGGREGATED,) if len(words) == 1 else ())
        if len(words) == 1 and form.as_:
            return _aggregated(discovery.aggregated(self._resources, core=True), form)
        found: Any = discovery.core_versions(self._address)
        if len(words) > 1:
            found = discovery.resource_list(self._resources, names.CORE, words[1])
        return _or_missing(found, form)

    def _apis(self, words: list[str], request: Request) -> Answer:
        form = content.form_of(request, allowed=(discovery.AGGREGATED,) if len(words) == 1 else ())
        if len(words) == 1:
            if form.as_:
                return _aggregated(discovery.aggregated(self._resources, core=False), form)
            return answers.document(discovery.group_list(self._resources), form)
        if len(words) == 2:
            return _or_missing(discovery.group(self._resources, words[1]), form)
        return _or_missing(discovery.resource_list(self._resources, words[1], words[2]), form)

    def _metrics(self) -> str:
        return (
            "# HELP switchboard_api_resource_version The version of the latest change.\n"
            "# TYPE switchboard_api_resource_version gauge\n"
            f"switchboard_api_resource_version {self._store.resource_version}\n"
        )


def _aggregated(found: Any, form: content.Form) -> Answer:
    """Clients look for the parameters of the media type to know what they got."""
    answer = answers.document(found, form)
    media = f"{form.media};g={form.group};v={form.version};as={form.as_}"
    return Answer(answer.status, answer.body, media)


def _or_missing(found: Any, form: content.Form) -> Answer:
    if found is None:
        raise NotFound("the server could not find the requested resource")
    return answers.document(found, form)


def version() -> dict[str, str]:
    """``/version``: which Kubernetes this speaks."""
    major, minor, _ = schemas.KUBERNETES.split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{schemas.KUBERNETES}+switchboard",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def _health(words: list[str], request: Request) -> Answer:
    if len(words) > 1:
        if words[1] in _CHECKS and len(words) == 2:
            return answers.plain(200, "ok")
        return answers.plain(404, "404 page not found\n")
    if any(key == "verbose" for key, _ in request.query):
        told = "".join(f"[+]{check} ok\n" for check in _CHECKS)
        return answers.plain(200, f"{told}{words[0]} check passed\n")
    return answers.plain(200, "ok")
