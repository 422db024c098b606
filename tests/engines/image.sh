#!/bin/sh
# Makes the small images of the tests, as root on a Debian machine and without any registry: a
# Debian with Python, as the folder FOLDER/bare, and the same with papermill and its kernel, as
# FOLDER/full.
# use: image.sh FOLDER
set -eu
FOLDER=${1:?the folder to make}
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/apt.sh"
need mmdebstrap mmdebstrap

MIRROR=$(mirror)
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
mkdir -p "$FOLDER"

mmdebstrap --quiet --variant=essential --include=python3,libstdc++6 \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$FOLDER/bare" "$MIRROR" &
BUILDING=$!
# Wheels for its Python 3.11, taken by this machine's pip, which knows how to reach an index.
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-compile \
    --target "$SCRATCH/wheels" --python-version 3.11 --only-binary=:all: papermill ipykernel &
INSTALLING=$!
wait "$BUILDING"
wait "$INSTALLING"

rm -rf "$FOLDER/bare/var/cache/apt" "$FOLDER/bare/var/lib/apt/lists" "$FOLDER/bare/dev"
mkdir "$FOLDER/bare/dev"
cp -a "$FOLDER/bare" "$FOLDER/full"
cp -r "$SCRATCH/wheels/share" "$FOLDER/full/usr/local/"
rm -rf "$SCRATCH/wheels/share"
cp -r "$SCRATCH/wheels/." "$FOLDER/full/usr/local/lib/python3.11/dist-packages/"
chroot "$FOLDER/full" python3 -m compileall -q /usr/local/lib/python3.11/dist-packages || true
chmod -R a+rX "$FOLDER"
