#!/bin/sh
# late_disk.sh FOLDER SECONDS COMMAND...: run a command that sees an old state of a folder.
#
# The command, and all that it starts, has a view of the folder that keeps for so many seconds what
# it has once seen: sizes, times, that a file is there and that none is, as NFS does. What others
# write goes to the folder itself. Without arguments, what is needed is installed.
set -eu
. "$(dirname "$0")/apt.sh"
need bindfs bindfs
[ $# -gt 0 ] || exit 0
folder=$1 seconds=$2
shift 2
if [ -z "${LATE_DISK:-}" ]; then
    LATE_DISK=1 exec unshare --mount -- "$0" "$folder" "$seconds" "$@"
fi
unset LATE_DISK
times=attr_timeout=$seconds,entry_timeout=$seconds,negative_timeout=$seconds
bindfs -o "$times" "$folder" "$folder"
code=0
"$@" || code=$?
umount -l "$folder"
exit $code
