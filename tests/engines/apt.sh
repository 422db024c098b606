# Shared by the scripts of this folder.

# need COMMAND PACKAGES: install packages with apt where the command is missing.
need() {
    command=$1
    shift
    command -v "$command" >/dev/null 2>&1 && return
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "$@" >/dev/null
}

# mirror: print the address of the Debian mirror that this machine uses.
mirror() {
    found=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
    # Older machines have one file with a line for each source.
    [ -n "$found" ] ||
        found=$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list | head -n 1)
    echo "$found"
}
