#!/bin/sh
# Runs jobs of a scan on a node: sh worker.sh FOLDER KEY...
#
# If something is missing, the script says so in one line, on stderr and in the launch.log of each
# job, and ends with one of these exit codes:
#   71  the node does not see the scan's folder, or cannot make a temporary folder
#   72  the node has no program that runs the image
#   73  the image cannot be used, or a folder to bind is missing
#   74  there is no Python of at least 3.9, or no papermill
#   75  a GPU was asked for, and the node has none
#   76  a setup line failed
# Else it becomes the worker by exec, so that the signals of a batch system reach the worker.
#SETUP_LINES#folder=${1:?the folder of the scan}
shift
keys=$* host=$(uname -n)

say() {
    printf '%s\n' "$1" >&2
    # On a node that does not see the scan's folder, only stderr can have the line.
    for key in $keys; do
        if find_log "$key"; then printf '%s\n' "$1" >>"$log"; fi
    done
}

fail() {
    say "$2"
    exit "$1"
}

# An earlier container of the job could write to its folder, and may have left a link or a pipe.
# Tells whether there is a plain file of this name or, with a second word, nothing at all.
plain() {
    [ ! -L "$1" ] && { [ -f "$1" ] || { [ -n "${2:-}" ] && [ ! -e "$1" ]; }; }
}

# Puts the path of a job's log into `log`, and tells whether it can be written.
find_log() {
    log=$folder/jobs/$1/launch.log
    [ -w "$folder/jobs/$1" ] && plain "$log" new
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# The runtime may print something before the worker has a log of its own. With several jobs, nobody
# can tell which one it is about, so the log of the first job gets it.
log() {
    if find_log "${keys%% *}"; then exec 2>>"$log"; fi
}

# A folder of this name may be there without the scan: a mount point whose disk is missing.
{ cd "$folder" 2>/dev/null && [ -f worker.pyz ]; } ||
    fail 71 "This node, $host, does not see the scan's folder $folder."
#SETUP## The worker gets a file of each job in place of its key.
for key in "$@"; do
    set -- "$@" "$folder/jobs/$key/job.json"
    shift
done
#CHECKS#
# The programs are tried in the order of preference, and the first that the node has is taken.
for program in #PROGRAMS#; do
    has "$program" || continue
    case $program in
    #CASES#
    esac
done
fail #NO_PROGRAM#
