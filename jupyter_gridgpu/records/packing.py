"""A scan in one file, and out of one that somebody sent: nothing leaves the folder, nothing fills the disk, nothing runs."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from jupyter_gridgpu.errors import StorageError, UnknownScan, UsageError
from jupyter_gridgpu.records.record import Record, load
from jupyter_gridgpu.store import home

SUFFIX = ".gridscan.zip"
LEFT_OUT = (
    "inbox",
    "runner.lock",
    "runner.log",
    "batches",
    "fold.json",
    "checkpoint.json",  # the name of fold.json in version 0.1.0
)  # what belongs to a run on one machine
LEFT_OUT_OF_JOBS = ("claim.json", "stop")
COUNT_LIMIT = 500_000
SIZE_LIMIT = 50 * 2**30
RATIO_LIMIT = 200  # bytes out of one byte in; text of metrics reaches about 20
RATIO_FREE = 10 * 2**20  # small packs may be of any ratio
PATH_LIMIT = 1000
CHUNK = 1024 * 1024
_ODD = re.compile(r"[\x00-\x1f\x7f\\]|^/|^[A-Za-z]:|(^|/)\.\.?(/|$)|//")


def pack(record: Record, target: Path | None = None) -> Path:
    """Write a scan that has ended into one file and return where. Raises UsageError or StorageError."""
    if not record.finished or record.view.active:
        raise UsageError(f"{record.name} has not ended: wait for it or stop it, then pack it.")
    target = (target or Path(f"{record.name}{SUFFIX}")).absolute()
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already; name another place with --output.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(
            part, "x", zipfile.ZIP_DEFLATED, compresslevel=4, strict_timestamps=False
        ) as archive:
            for name in _packed(record.paths.folder):
                _put(record, archive, name)
        os.link(part, target)
    except FileExistsError:
        raise UsageError(f"{target} is there already; name another place with --output.") from None
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)
    return target


def _packed(root: Path) -> Iterator[str]:
    """Yield the plain files of a scan; links, such as those to the helper files in every job, are left out."""
    for folder, folders, files in os.walk(root, followlinks=False):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(name for name in folders if here.parts or name not in LEFT_OUT)
        for name in sorted(files):
            path = here / name
            out = (not here.parts and name in LEFT_OUT) or (
                len(path.parts) == 3 and name in LEFT_OUT_OF_JOBS
            )
            if (
                not out
                and not name.endswith(".part")
                and stat.S_ISREG(os.lstat(root / path).st_mode)
            ):
                yield path.as_posix()


def _put(record: Record, archive: zipfile.ZipFile, name: str) -> None:
    with record.open(name) as source:
        info = zipfile.ZipInfo.from_file(
            record.paths.folder / name, f"{record.name}/{name}", strict_timestamps=False
        )
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, CHUNK)


def unpack(source: Path, into: Path | None = None, name: str | None = None) -> Path:
    """Put the scan of a pack into a folder of the home (or of `into`) and return it. Raises UsageError or StorageError."""
    where = (into or home.home()).absolute()
    try:
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (
            zipfile.ZipFile(source) as archive,
            tempfile.TemporaryDirectory(prefix=".new-", dir=where) as scratch,
        ):
            packed, members = _members(archive, source)
            made = Path(scratch) / "scan"
            _extract(archive, members, made, source)
            return _settle(
                made, where, home.check_name(name or packed), free=name is None, source=source
            )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise UsageError(f"{source} is no sound pack of a scan: {error}.") from None
    except OSError as error:
        raise StorageError(f"{source} cannot be unpacked: {error.strerror or error}.") from None


def _members(archive: zipfile.ZipFile, source: Path) -> tuple[str, list[zipfile.ZipInfo]]:
    """Return the name of the scan and the files of a pack, all of them looked at before anything is written."""
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(archive.infolist()) > COUNT_LIMIT:
        raise _refused(source, f"it has more than {COUNT_LIMIT:,} files")
    tops = {info.filename.split("/")[0] for info in members}
    if len(tops) != 1:
        raise _refused(source, "it does not hold one folder")
    if len({info.filename.casefold() for info in members}) != len(members):
        raise _refused(source, "it has a file twice")
    for info in members:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if (
            _ODD.search(info.filename)
            or len(info.filename) > PATH_LIMIT
            or "/" not in info.filename
        ):
            raise _refused(source, f"{info.filename[:100]!r} is no name of a file in a scan")
        if kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
            raise _refused(source, f"{info.filename[:100]!r} is no plain file")
        if info.filename.split("/")[1] in LEFT_OUT:
            raise _refused(source, f"{info.filename[:100]!r} belongs in no pack")
    size, packed = (
        sum(info.file_size for info in members),
        sum(info.compress_size for info in members),
    )
    if size > SIZE_LIMIT or size > max(RATIO_FREE, RATIO_LIMIT * packed):
        raise _refused(source, f"it would become {size / 2**30:.1f} GB")
    return tops.pop(), members


def _refused(source: Path, why: str) -> UsageError:
    return UsageError(f"{source} is no sound pack of a scan: {why}.")


def _extract(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], made: Path, source: Path
) -> None:
    """Write the files; what is said of their size is not believed but counted."""
    for info in members:
        target = made.joinpath(*info.filename.split("/")[1:])
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        left = info.file_size
        with os.fdopen(handle, "wb") as file, archive.open(info) as packed:
            while data := packed.read(min(CHUNK, left + 1)):
                left -= len(data)
                if left < 0:
                    raise _refused(source, f"{info.filename[:100]!r} is larger than it says")
                file.write(data)


def _settle(made: Path, where: Path, name: str, free: bool, source: Path) -> Path:
    """Give an unpacked scan its place, if it is one, has ended and is not here yet."""
    try:
        record = load(made)
    except (UnknownScan, StorageError) as error:
        raise _refused(source, str(error).replace(str(made), "its folder").rstrip(".")) from None
    if not record.finished or record.view.active:
        # An unfinished scan would be gone on with by whatever looks at the home: somebody else's notebook would run.
        raise _refused(source, "its scan had not ended")
    known = _same(where, record)
    if known is not None:
        raise UsageError(f"The scan in {source} is here already: {known}.")
    for folder in ("inbox", "files", "jobs"):
        (made / folder).mkdir(mode=0o700, exist_ok=True)
    target = where / name
    for n in range(2, 1000) if free else ():
        if not target.exists():
            break
        target = where / f"{name[: home.NAME_LIMIT - len(str(n)) - 1]}-{n}"
    if target.exists():
        raise UsageError(f"{target} is there already; name another with --name.")
    os.rename(made, target)
    return target


def _same(where: Path, record: Record) -> Path | None:
    """The folder of the same scan, if there is one in `where`."""
    for entry in sorted(where.iterdir()):
        try:
            if home.NAME.fullmatch(entry.name) and home.load(entry).id == record.scan.id:
                return entry
        except (UnknownScan, StorageError):
            continue
    return None
