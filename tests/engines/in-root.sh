#!/bin/sh
# Runs a command inside a root folder, in a mount namespace of its own, since HTCondor and apptainer
# refuse a plain chroot. Network, processes and users stay those of this machine. The folders SHARED
# (divided by ':') are seen there under the same name.
# use: in-root.sh ROOT SHARED COMMAND...
set -eu
if [ "${IN_ROOT:-}" != mounting ]; then
    IN_ROOT=mounting exec unshare --mount --propagation private "$0" "$@"
fi
unset IN_ROOT
ROOT=$1 SHARED=$2 WORK=$PWD
shift 2
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
IFS=:
for folder in $SHARED; do
    mkdir -p "./$folder"
    mount --rbind "$folder" "./$folder"
done
unset IFS
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
cd "$WORK" 2>/dev/null || cd /
exec "$@"
