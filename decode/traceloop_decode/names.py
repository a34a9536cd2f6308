# SPDX-License-Identifier: Apache-2.0
"""The names by which users call a trace, in addition to its id and its container's id::

web, mypod          the container, the pod
shop/mypod          namespace/pod
mypod/web           pod/container
shop/mypod/web      namespace/pod/container
"""

from __future__ import annotations


def names(namespace: str, pod: str, container: str) -> tuple[str, ...]:
    """Returns a trace's names, the fullest last; none if nothing is known. A part that is not known is empty."""
    if not pod:
        return (container,) if container else ()
    of_pod = (pod, f"{namespace}/{pod}") if namespace else (pod,)
    if container in ("", pod):
        return of_pod
    return (container, *of_pod, *(f"{name}/{container}" for name in of_pod))


def full_name(namespace: str, pod: str, container: str) -> str:
    """Returns the fullest name; empty if nothing is known."""
    return (names(namespace, pod, container) or ("",))[-1]
