# Shared by the scripts of the test engines: `need COMMAND PACKAGES` installs packages with apt where the command is missing.
need() {
    command=$1
    shift
    command -v "$command" >/dev/null 2>&1 && return
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >/dev/null
}
