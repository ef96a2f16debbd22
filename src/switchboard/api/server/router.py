"""The API server: from the facts of a request to the facts of its answer.

In: a ``Request``.  Out: an ``Answer`` or a ``Watch``; nothing raises but broken promises.
Called by ``serve`` for every request.
Order, as in kube-apiserver: who asks, as whom, may he, then what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from switchboard.api import errors
from switchboard.api.access.identity import TokenReader, User, account_of, authenticate, impersonated
from switchboard.api.access.rbac import Authorizer
from switchboard.api.access.reviews import Reviewer
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import ApiError, MethodNotAllowed, NotFound
from switchboard.api.server import answers, content, options, pod_requests, reads, subresources
from switchboard.api.server.answers import Answer, Shown
from switchboard.api.server.columns import columns_of
from switchboard.api.server.content import Form
from switchboard.api.server.documents import Documents
from switchboard.api.server.pod_requests import PodStream
from switchboard.api.server.request import Request, Target, target_of
from switchboard.api.server.resources import BUILT_IN_GROUPS, Resource, Resources
from switchboard.api.server.subresources import Signer, Subresources
from switchboard.api.server.tables import Columns
from switchboard.api.server.watches import Watch
from switchboard.api.server.writes import DELETED_OBJECTS, SUBRESOURCES, Writer, Written
from switchboard.api.store import FINALIZE, Store
from switchboard.k8s import names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object

_CREATED = 201
_DEPRECATED = (names.CORE, "endpoints")
_ENDPOINTS_DEPRECATED = "v1 Endpoints is deprecated in v1.33+; use EndpointSlices of the group for discovery"


class ApiServer:
    """Answers requests over one store.

    Args:
        store: the objects; its clock is the server's.
        readers: what knows tokens, in order.
        sign: makes ServiceAccount tokens.
        address: where the server is reached, for discovery.
        resources: what is served.
        columns: what custom kinds are printed with.
    """

    def __init__(
        self,
        store: Store,
        readers: Sequence[TokenReader] = (),
        *,
        sign: Signer | None = None,
        address: str = "127.0.0.1:6443",
        resources: Resources | None = None,
        columns: Callable[[Kind], Columns] = columns_of,
    ) -> None:
        self.store = store
        self.resources = resources or Resources(store.custom.kinds)
        self._readers = tuple(readers)
        self._authorizer = Authorizer(store)
        self._columns = columns
        self._writer = Writer(store, self._authorizer)
        self._reviewer = Reviewer(self._authorizer, self._readers)
        self._subresources = Subresources(store, sign)
        self._documents = Documents(store, self.resources, address)

    def handle(self, request: Request) -> Answer | Watch | PodStream:
        """The answer to a request."""
        self.store.warnings.clear()
        target = None
        try:
            user = authenticate(request, self._readers)
            wanted = impersonated(request)
            if wanted is not None:
                self._check_impersonation(user, wanted, request)
                user = wanted
            target = pod_requests.authorized_as(target_of(request))
            self._authorizer.check(user, target)
            if not target.resource:
                return self._documents.answer(request, target)
            answer = self._resource(request, target, user)
        except ApiError as error:
            answer = answers.refusal(error, _form_or_plain(request))
        if isinstance(answer, Watch | PodStream):
            return answer
        told = list(self.store.warnings)
        if target is not None and (target.group, target.resource) == _DEPRECATED:
            told.append(_ENDPOINTS_DEPRECATED)
        return answers.warned(answer, told)

    def _check_impersonation(self, user: User, wanted: User, request: Request) -> None:
        account = account_of(wanted)
        if account:
            namespace, name = account
            asked = Target(verb="impersonate", path="", resource="serviceaccounts", namespace=namespace, name=name)
        else:
            asked = Target(verb="impersonate", path="", resource="users", name=wanted.name)
        self._authorizer.check(user, asked)
        for group in (v for k, v in request.headers if k == "impersonate-group"):
            self._authorizer.check(user, msgspec.structs.replace(asked, namespace="", resource="groups", name=group))
        for key, values in wanted.extra.items():
            for value in values:
                extra = Target(
                    verb="impersonate", path="", group=names.AUTHENTICATION, resource="userextras", subresource=key,
                    name=value,
                )  # fmt: skip
                self._authorizer.check(user, extra)
        if wanted.uid:
            uid = Target(verb="impersonate", path="", group=names.AUTHENTICATION, resource="uids", name=wanted.uid)
            self._authorizer.check(user, uid)

    def _resource(self, request: Request, target: Target, user: User) -> Answer | Watch | PodStream:
        resource = self.resources.find(target.group, target.version, target.resource)
        if target.group not in BUILT_IN_GROUPS and not _is_served(resource, target):
            # Of groups that are not its own kube-apiserver knows nothing, not even how to say so.
            return answers.plain(404, "404 page not found\n")
        if resource is None or (resource.kind.namespaced and request.method != "GET" and not target.namespace):
            raise _no_resource()
        if not resource.kind.namespaced and target.namespace and target.resource != "namespaces":
            raise _no_resource()
        _require_path(resource, target, request)
        if target.subresource:
            return self._below(request, target, resource, user)
        if target.verb not in resource.verbs or target.method_mismatch(request.method):
            raise _not_allowed()
        if not resource.stored:
            return self._stateless(request, target, resource, user)
        if not resource.kind.namespaced:
            # The path of a Namespace names it as its own namespace, which is what authorization looks at.
            target = msgspec.structs.replace(target, namespace="")
        return self._stored(request, target, resource, user)

    def _stored(self, request: Request, target: Target, resource: Resource, user: User) -> Answer | Watch:
        kind = resource.kind
        if isinstance(kind, CustomKind) and kind.warning:
            self.store.warnings.append(kind.warning)
        shown = self._shown(request, kind, answers.FORMS)
        if target.verb == "get":
            return self._get(request, target, kind, shown)
        if target.verb == "list":
            return self._list(request, target, resource, shown)
        if target.verb == "watch":
            wanted = options.list_options(request, watch=True)
            return Watch(self.store, kind, target.namespace or None, wanted, shown)
        if target.verb == "delete":
            obj, gone = self._writer.delete(request, target, resource)
            if gone and kind.kind not in DELETED_OBJECTS and not objects_held(obj):
                return answers.document(subresources.status_of_deletion(kind, obj), shown.form)
            return answers.one(obj, kind, shown)
        if target.verb == "deletecollection":
            found = self._writer.delete_collection(request, target, resource)
            version = self.store.resource_version
            return answers.document(subresources.list_of_deleted(kind, found, version), shown.form)
        write = {"create": self._writer.create, "update": self._writer.update, "patch": self._writer.patch}
        return self._written(write[target.verb](request, target, resource, user), kind, shown)

    def _written(self, written: Written, kind: Kind, shown: Shown) -> Answer:
        return answers.one(written.object, kind, shown, _CREATED if written.created else 200)

    def _get(self, request: Request, target: Target, kind: Kind, shown: Shown) -> Answer:
        version = reads.version_of(request.parameter("resourceVersion"))
        reads.require_reached(self.store, version)
        found = self.store.find(kind.key, target.namespace, target.name)
        if found is None:
            raise errors.not_found(kind, target.name)
        return answers.one(found, kind, shown)

    def _list(self, request: Request, target: Target, resource: Resource, shown: Shown) -> Answer:
        wanted = options.list_options(request, watch=False)
        page = reads.page(self.store, resource.kind, target.namespace or None, wanted)
        data = [record.data for record in page.records]
        return answers.many(data, resource.kind, shown, page.meta, typed=not resource.custom)

    def _below(self, request: Request, target: Target, resource: Resource, user: User) -> Answer | PodStream:
        sub, kind = resource.subresource(target.subresource), resource.kind
        if not kind.namespaced:
            target = msgspec.structs.replace(target, namespace="")
        if sub is None:
            raise _no_resource()
        if target.verb not in sub.verbs:
            raise _not_allowed()
        if kind.kind == "Pod" and sub.name in pod_requests.STREAMS:
            return pod_requests.stream_of(request, target, self.store.get("Pod", target.namespace, target.name))
        shown = self._shown(request, kind, answers.FORMS)
        if sub.name == "scale":
            if target.verb == "get":
                return answers.document(self._subresources.get_scale(target, resource), shown.form)
            return answers.document(self._subresources.write_scale(request, target, resource).object, shown.form)
        if sub.name == "binding":
            done = self._subresources.bind(request, target.namespace, target.name)
            return answers.document(done, shown.form, _CREATED)
        if sub.name == "eviction":
            return answers.document(self._subresources.evict(request, target), shown.form, _CREATED)
        if sub.name == "token":
            return answers.document(self._subresources.token(request, target), shown.form, _CREATED)
        if sub.name == FINALIZE:
            return self._written(self._writer.update(request, target, resource, user), kind, shown)
        if sub.name not in SUBRESOURCES:
            raise _no_resource()
        if target.verb == "get":
            return self._get(request, target, kind, shown)
        write = self._writer.update if target.verb == "update" else self._writer.patch
        return self._written(write(request, target, resource, user), kind, shown)

    def _stateless(self, request: Request, target: Target, resource: Resource, user: User) -> Answer:
        form = content.form_of(request)
        if resource.kind.kind == "Binding":
            return answers.document(self._subresources.bind(request, target.namespace, ""), form, _CREATED)
        obj = content.body_of(request, resource.kind.kind).value
        if not isinstance(obj, dict):
            raise errors.BadRequest(f"the object provided is unrecognized (must be of type {resource.kind.kind})")
        return answers.document(self._reviewer.answer(resource.kind, obj, user, target.namespace), form, _CREATED)

    def _shown(self, request: Request, kind: Kind, allowed: tuple[str, ...]) -> Shown:
        form = content.form_of(request, allowed=allowed)
        include = request.parameter("includeObject") or "Metadata"
        return Shown(form, self._columns(kind), self.store.clock(), include)


def objects_held(obj: Object) -> bool:
    """Whether a deleted object was marked rather than removed (its last finalizer went in another request)."""
    return bool(obj.get("metadata", {}).get("deletionTimestamp")) and bool(obj["metadata"].get("finalizers"))


def _is_served(resource: Resource | None, target: Target) -> bool:
    return resource is not None and (resource.kind.namespaced or not target.namespace)


def _require_path(resource: Resource, target: Target, request: Request) -> None:
    """An object of a namespaced kind is below its namespace."""
    named = bool(request.path.rstrip("/").rpartition("/")[2]) and target.verb in ("get", "update", "patch", "delete")
    if resource.kind.namespaced and named and not target.namespace:
        raise _no_resource()
    if target.rest and target.subresource != "proxy":
        raise _no_resource()


def _no_resource() -> NotFound:
    return NotFound("the server could not find the requested resource")


def _not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def _form_or_plain(request: Request) -> Form:
    try:
        return content.form_of(request, allowed=answers.FORMS)
    except ApiError:
        return Form()
