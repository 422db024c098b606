#!/bin/sh
# Runs an HTCondor pool in the foreground, in the root folder ROOT of a Debian that has it, until
# it is killed; then all of its daemons and jobs are gone. Inside, the user is `physicist`, whose
# files are root's outside: HTCondor runs no job as root, and jobs are to read and write the very
# files of the tests. /tmp is shared, and the folders SHARED.
# use: condor-pool.sh ROOT SHARED CONFIG
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
grep -q '^physicist:' "$1/etc/passwd" ||
    echo 'physicist:x:1000:1000::/tmp:/bin/sh' >>"$1/etc/passwd"
grep -q '^physicist:' "$1/etc/group" || echo 'physicist:x:1000:' >>"$1/etc/group"
# The SIF with which HTCondor tries whether a node runs some; its package has only the folder of
# which it is made.
TRIAL=/usr/libexec/condor
[ -e "$1$TRIAL/exit_37.sif" ] ||
    "$HERE/in-root.sh" "$1" /tmp apptainer --quiet build \
        "$TRIAL/exit_37.sif" "$TRIAL/singularity_test_sandbox"
export CONDOR_CONFIG="$3"
exec "$HERE/in-root.sh" "$1" "/tmp:$HERE:$2" \
    unshare --user --map-user=1000 --map-group=1000 \
    --pid --fork --kill-child=KILL --mount-proc \
    sh -c 'condor_master -f & wait $!'
