"""The annotations that the gateway and the stand-ins understand."""

from pages._table import table

from switchboard.compile.gateway.annotate import SNIPPETS, known
from switchboard.k8s import names
from switchboard.serve.standin import behaviour

_TEXT = """\
# Annotations

## Ingress

The prefix is `{nginx}`.
An annotation that is not in this table has no effect and is reported (`annotation-not-honoured`).
Each has its table of requests in `compile/gateway/annotations/`, which the tests send through a real Envoy.

{ingress}
Text that only nginx reads is refused (`snippet-refused`); this says the same elsewhere:

{snippets}
## Pods

What a stand-in does; the prefix is `{standin}`.

{pods}"""


def page() -> str:
    """Three tables."""
    ingress = [(f"`{a.name}`", a.summary, str(len(a.examples))) for _, a in sorted(known().items())]
    snippets = [(f"`{name}`", instead) for name, instead in sorted(SNIPPETS.items())]
    pods = [(f"`{n}`", a.sentence, f"`{a.example}`") for n, a in sorted(behaviour.ANNOTATIONS.items())]
    parts = {
        "nginx": names.NGINX_PREFIX,
        "standin": names.STANDIN_PREFIX,
        "ingress": table(("annotation", "what it does", "requests that show it"), ingress),
        "snippets": table(("annotation", "instead"), snippets),
        "pods": table(("annotation", "what it does", "for example"), pods),
    }
    return _TEXT.format(**parts)
