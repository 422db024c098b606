#!/bin/sh
# Installs Slurm's daemons and commands where they are missing; with the word `accounting`, its
# database too.
set -eu
PATH=$PATH:/usr/sbin
. "$(dirname "$0")/apt.sh"
need slurmctld slurmctld slurmd slurm-client munge
if [ "${1:-}" = accounting ]; then
    need slurmdbd slurmdbd
    need mariadbd mariadb-server-core
fi
