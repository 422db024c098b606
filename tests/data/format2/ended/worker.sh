#!/bin/sh
# Runs jobs of a scan on a node: sh worker.sh FOLDER KEY...
# What is amiss it says in one line, on stderr and in the launch.log of each job. It ends in exec: signals reach the worker.
# Exit codes: 71 the node does not see the folder, 72 it has nothing that runs the image, 73 the image cannot be used,
# 74 there is no Python >= 3.9 or no papermill, 75 a GPU was asked for and the node has none.
folder=${1:?the folder of the scan}
shift
keys=$* host=$(uname -n)

say() {
    echo "$1" >&2
    for key in $keys; do
        if [ -w "$folder/jobs/$key" ]; then echo "$1" >>"$folder/jobs/$key/launch.log"; fi
    done
}

fail() {
    say "$2"
    exit "$1"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# What a runtime says before the worker has a log of its own belongs to the first job.
log() {
    if [ -w "jobs/${keys%% *}" ]; then exec 2>>"jobs/${keys%% *}/launch.log"; fi
}

{ cd "$folder" 2>/dev/null && [ -f worker.pyz ]; } || fail 71 "This node, $host, does not see the scan's folder $folder."
for key in "$@"; do
    set -- "$@" "$folder/jobs/$key/job.json"
    shift
done

for program in /srv/venv/bin/python python3; do
    has "$program" || continue
    case $program in
    /srv/venv/bin/python | python3)
        log
        exec "${program}" "${folder}/worker.pyz" --together 1 "$@"
        ;;
    esac
done
fail 74 "$host has no python3."
