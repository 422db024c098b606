#!/bin/sh
# Makes a folder with Apptainer 1.4 for Debian 12, whose own libc is too old for it. The package
# comes from sid and the libraries that it is linked with from trixie; both find each other inside
# the folder. Of the system, nothing is changed but helper programs that apt installs. The folder
# is made as FOLDER and works, as PREFIX/bin/apptainer, once it has been renamed to PREFIX.
# use: apptainer.sh FOLDER PREFIX
set -eu
FOLDER=${1:?the folder to make}
PREFIX=${2:?the name that it will get}
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/apt.sh"
need patchelf patchelf
need mksquashfs squashfs-tools
need squashfuse squashfuse
need fuse2fs fuse2fs
need newuidmap uidmap

MIRROR=$(mirror)
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT

mkdir -p "$SCRATCH/lists/partial" "$SCRATCH/cache/archives/partial" "$SCRATCH/root"
for suite in sid trixie; do
    echo "deb [signed-by=$KEYS] $MIRROR $suite main"
done >"$SCRATCH/suites.list"
set -- -qq -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root \
    -o Dir::Etc::sourcelist="$SCRATCH/suites.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$SCRATCH/lists" -o Dir::Cache="$SCRATCH/cache" \
    -o Acquire::Check-Valid-Until=false
apt-get "$@" update
(
    cd "$SCRATCH"
    apt-get "$@" download \
        apptainer/sid libc6/trixie libseccomp2/trixie libsqlite3-0/trixie
)
for package in "$SCRATCH"/*.deb; do
    dpkg-deb --extract "$package" "$SCRATCH/root"
done

mkdir -p "$FOLDER"
cp -a "$SCRATCH/root/usr/bin" "$SCRATCH/root/usr/lib" "$SCRATCH/root/etc" "$SCRATCH/root/var" \
    "$FOLDER/"
# It looks for its files beside itself, counted from bin/ and from lib/*/apptainer/bin/.
for name in bin etc var; do
    ln -s "../$name" "$FOLDER/lib/$name"
done
cd "$FOLDER"
LOADER=$(find lib -maxdepth 2 -name 'ld-linux-*.so.*')
LIBS=$(dirname "$LOADER")
for program in bin/apptainer "$LIBS/apptainer/bin/starter"; do
    patchelf --set-interpreter "$PREFIX/$LOADER" "$program"
    patchelf --force-rpath --set-rpath "$PREFIX/$LIBS" "$program"
done
# root on a test machine may lack a capability that apptainer would keep for it
sed -i 's/^root default capabilities = .*/root default capabilities = no/' \
    etc/apptainer/apptainer.conf
