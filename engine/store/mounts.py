"""What kind of file system a folder is on, and whether that is one of a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import psutil

NETWORK = re.compile(
    r"9p|acfs|afpfs|afs|auristorfs|beegfs|ceph|cifs|davfs2?|gfs2|glusterfs|gpfs|juicefs|lustre|ncpfs|nfs[34]?|ocfs2|"
    r"orangefs|panfs|pvfs2|quobyte|smb3?|smbfs|sshfs|vboxsf|virtiofs|webdav|wekafs"
)
"""Types of file systems that several machines may see at once. `fuse.` before one of these counts as well."""
FUSE_NETWORK = re.compile(r"(fuse\.)?(ceph-fuse|curlftpfs|gcsfuse|goofys|moosefs|mfs|rclone|s3fs|seaweedfs)")
"""Types of FUSE alone."""


class Mount(NamedTuple):
    """A mounted file system: its type as the system calls it, and where its content comes from."""

    type: str
    source: str

    @property
    def is_network(self) -> bool:
        """Whether other machines may write to it at the same time."""
        return bool(NETWORK.fullmatch(self.type.removeprefix("fuse.")) or FUSE_NETWORK.fullmatch(self.type))

    def __str__(self) -> str:
        return f"{self.type} ({self.source})"


def mount_of(path: Path) -> Mount | None:
    """The file system that holds `path`, or will hold it once it is made; None where the system does not tell."""
    path = path.absolute()
    while not path.exists() and path != path.parent:  # also lets an automounter mount it
        path = path.parent
    path = path.resolve()
    found: tuple[int, Mount] | None = None
    for point, mount in _mounts():
        # The later one of two at the same place hides the other, as an automounted one hides its trigger.
        if path.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = (len(point.parts), mount)
    return found[1] if found else None


def _mounts() -> list[tuple[Path, Mount]]:
    """All mounts in the order in which they were made: where, and what."""
    if sys.platform == "linux":
        try:
            return parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
        except OSError:
            pass
    return [(Path(part.mountpoint), Mount(part.fstype, part.device)) for part in psutil.disk_partitions(all=True)]


def parse_mountinfo(content: str) -> list[tuple[Path, Mount]]:
    """The mounts of `/proc/self/mountinfo` (see `man 5 proc`); what is no line of it is passed over."""
    mounts = []
    for line in content.splitlines():
        before, dash, after = line.partition(" - ")
        place, what = before.split(" "), after.split(" ")
        if dash and len(place) > 4 and len(what) > 1:
            mounts.append((Path(_plain(place[4])), Mount(what[0], _plain(what[1]))))
    return mounts


def _plain(text: str) -> str:
    """Spaces and the like are written as octal numbers there."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)
