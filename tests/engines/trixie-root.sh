#!/bin/sh
# Builds a small Debian trixie in the folder ROOT, as root on a Debian machine: HTCondor 23.9,
# Slurm 24.11, Apptainer 1.4, and papermill with a Python kernel for jobs that run there without an
# image. It is ready once this has ended well.
# use: trixie-root.sh ROOT
set -eu
ROOT=${1:?the folder to make}
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/apt.sh"
need mmdebstrap mmdebstrap

MIRROR=$(mirror)
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
DAEMONS=munge,slurmctld,slurmd,slurm-client,minicondor
CONTAINERS=containernetworking-plugins,squashfs-tools,uidmap,libseccomp2,libsqlite3-0
MOUNTS=squashfuse,fuse2fs
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT

# Nothing may start daemons while packages are set up.
NO_DAEMONS='mkdir -p "$1/usr/sbin"
    printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"
    chmod +x "$1/usr/sbin/policy-rc.d"'
mmdebstrap --quiet --variant=minbase \
    --include="python3,procps,ca-certificates,$DAEMONS,$CONTAINERS,$MOUNTS" \
    --setup-hook="$NO_DAEMONS" trixie "$ROOT" "$MIRROR" &
BUILDING=$!

# Apptainer is in sid alone; it runs with trixie's libraries.
(
    mkdir -p "$SCRATCH/lists/partial" "$SCRATCH/cache/archives/partial"
    echo "deb [signed-by=$KEYS] $MIRROR sid main" >"$SCRATCH/sid.list"
    set -- -qq -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root \
        -o Dir::Etc::sourcelist="$SCRATCH/sid.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$SCRATCH/lists" -o Dir::Cache="$SCRATCH/cache" \
        -o Acquire::Check-Valid-Until=false
    apt-get "$@" update
    cd "$SCRATCH"
    apt-get "$@" download apptainer
) &
FETCHING=$!

# Wheels for its Python 3.13, taken by this machine's pip, which knows how to reach an index.
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-compile \
    --target "$SCRATCH/wheels" --python-version 3.13 --only-binary=:all: papermill ipykernel &
INSTALLING=$!

wait "$BUILDING"
wait "$FETCHING"
wait "$INSTALLING"
cp "$SCRATCH"/apptainer_*.deb "$ROOT/root/"
chroot "$ROOT" sh -c '
    dpkg --install /root/apptainer_*.deb >/dev/null && rm /root/apptainer_*.deb'
# root on a test machine may lack a capability that apptainer would keep for it
sed -i 's/^root default capabilities = .*/root default capabilities = no/' \
    "$ROOT/etc/apptainer/apptainer.conf"
cp -r "$SCRATCH/wheels/share" "$ROOT/usr/local/"
rm -rf "$SCRATCH/wheels/share"
PACKAGES=usr/local/lib/python3.13/dist-packages
cp -r "$SCRATCH/wheels/." "$ROOT/$PACKAGES/"
# Some wheels carry Python 2 by purpose, which does not compile.
chroot "$ROOT" python3 -m compileall -q "/$PACKAGES" || true
