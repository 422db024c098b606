"""What an ipykernel is told when it has started: expressions that it evaluates.

Other kernels than ipykernel have nothing of what is changed here, and answer with an error that
nobody needs.
"""

from __future__ import annotations

# By default, ZeroMQ drops messages when 1,000 of them wait to be sent or to be read. A cell that
# flushes after every line makes that many within a moment. Without any limit, a flood that lasts
# for hours would fill the memory.
WAITING_MESSAGES = 100_000
# Sets the limit for what ipykernel sends, in the thread that owns the socket. 23 is ZMQ_SNDHWM.
_RAISE_LIMIT = (
    f"(lambda t: t.schedule(lambda: t.socket.setsockopt(23, {WAITING_MESSAGES})))"
    "(get_ipython().kernel.iopub_thread)"
)
# When ipykernel is asked to end, it first sends SIGTERM to its children until none is left. For
# these it would wait in vain, and be killed: a resource tracker (of multiprocessing or joblib)
# ignores SIGTERM and ends after the kernel, a pool replaces each worker that has ended, and a
# command whose end nobody has asked for stays as a zombie. Python itself ends the daemonic children
# of multiprocessing, and so the workers of pools, at its exit.
# ipykernel also stops its main loop 0.1 s after it was asked to end, whether its children have
# ended or not. This timer is taken away: the main loop is stopped anyway when they have.
_CODE = """
import sys

children = kernel._process_children

def children_to_wait_for():
    ended_later = set()
    for name, module in list(sys.modules.items()):
        if name.endswith(".resource_tracker"):
            tracker = getattr(module, "_resource_tracker", None)
            ended_later.add(getattr(tracker, "_pid", None))
    processes = sys.modules.get("multiprocessing.process")
    for child in list(getattr(processes, "_children", ())):
        if child.daemon:
            ended_later.add(child.pid)
    return [child for child in children() if child.pid not in ended_later and runs(child)]

def runs(child):
    try:
        return child.status() != "zombie"
    except Exception:
        return False

kernel._process_children = children_to_wait_for
do_shutdown = kernel.do_shutdown

def end_after_children(restart):
    kernel.shell.unobserve_all("exit_now")
    return do_shutdown(restart)

kernel.do_shutdown = end_after_children
"""
_CHOOSE_CHILDREN = f"exec({_CODE!r}, {{'kernel': get_ipython().kernel}})"
EXPRESSIONS = {"waiting": _RAISE_LIMIT, "children": _CHOOSE_CHILDREN}
