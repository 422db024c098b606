#!/bin/sh
# Installs podman with runc, where they are not there, as root on a Debian machine.
set -eu
. "$(dirname "$0")/apt.sh"
need podman podman runc
need runc runc
