# Runs the setup lines: `worker.sh --setup` is a process of its own, which the launcher starts.
# What the lines print is the launcher's business. Handle 9 gets assignments: which line runs, and
# at the end all variables that the lines exported. Lines that end this shell never come there.
if [ "${1:-}" = --setup ]; then

gridgpu_names() {
    if [ -n "${BASH_VERSION:-}" ]; then
        compgen -e
    else
        export -p | sed -n 's/^export \([A-Za-z_][A-Za-z0-9_]*\).*/\1/p'
    fi
}

gridgpu_line() {
    echo "setup_line=$1" >&9
    printf '$ %s\n' "$2"
}

gridgpu_after() {
    if [ "$1" != 0 ]; then exit "$1"; fi
}

# Batch jobs and Jupyter sessions often have no `module`. The first use of it looks for its start
# file: that of the session, those of environment modules and Lmod, and what a login shell reads.
gridgpu_find_module() {
    unset -f module ml
    gridgpu_shell=sh gridgpu_path=$PATH
    if [ -n "${BASH_VERSION:-}" ]; then gridgpu_shell=bash; fi
    for gridgpu_start in "${LMOD_PKG:-/none}/init/$gridgpu_shell" \
        "${MODULESHOME:-/none}/init/$gridgpu_shell" /etc/profile.d/modules.sh \
        /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh \
        "/usr/share/lmod/lmod/init/$gridgpu_shell" "/usr/share/modules/init/$gridgpu_shell" \
        "/usr/share/Modules/init/$gridgpu_shell" "/opt/apps/lmod/lmod/init/$gridgpu_shell" \
        /etc/profile; do
        if [ -r "$gridgpu_start" ]; then
            . "$gridgpu_start"
            # /etc/profile sets the search path anew.
            if [ "$gridgpu_start" = /etc/profile ]; then PATH=$gridgpu_path:$PATH; fi
            if command -v module >/dev/null; then return 0; fi
        fi
    done
    echo "$(uname -n) has no command module: neither environment modules nor Lmod is there." >&2
    return 127
}
if ! command -v module >/dev/null; then
    module() { gridgpu_find_module && module "$@"; }
    ml() { gridgpu_find_module && ml "$@"; }
fi

# Prints folders where a conda environment may be, one in each line.
gridgpu_conda_places() {
    case $1 in /*) echo "$1"; return ;; esac
    if [ "${CONDA_DEFAULT_ENV:-}" = "$1" ]; then echo "${CONDA_PREFIX:-}"; fi
    echo "${CONDA_ENVS_PATH:-}:${CONDA_ENVS_DIRS:-}" | tr : '\n' | sed "s#\$#/$1#"
    for gridgpu_root in "${CONDA_EXE:-}" "${MAMBA_EXE:-}" "$(command -v conda)" "$(command -v mamba)"; do
        case $gridgpu_root in /*/*/*)
            gridgpu_root=${gridgpu_root%/*/*}
            if [ "$1" = base ]; then echo "$gridgpu_root"; fi
            echo "$gridgpu_root/envs/$1"
            ;;
        esac
    done
    for gridgpu_root in "${MAMBA_ROOT_PREFIX:-}" "${CONDA_PREFIX:-}" "${HOME:-}/.conda" \
        "${HOME:-}/miniforge3" "${HOME:-}/mambaforge" "${HOME:-}/miniconda3" \
        "${HOME:-}/anaconda3" "${HOME:-}/micromamba" /opt/conda; do
        if [ "$1" = base ]; then echo "$gridgpu_root"; fi
        echo "$gridgpu_root/envs/$1"
    done
    # conda and micromamba list here all environments that they made.
    grep "/$1\$" "${HOME:-}/.conda/environments.txt" 2>/dev/null
}

# Does what `conda activate` does, without conda, which need not be set up on a node.
gridgpu_conda() {
    gridgpu_fields=$IFS
    IFS='
'
    for gridgpu_place in $(gridgpu_conda_places "$1"); do
        if [ -x "$gridgpu_place/bin/python" ]; then
            IFS=$gridgpu_fields
            export CONDA_PREFIX="$gridgpu_place" CONDA_DEFAULT_ENV="$1"
            export PATH="$gridgpu_place/bin:$PATH"
            for gridgpu_script in "$gridgpu_place"/etc/conda/activate.d/*.sh; do
                if [ -r "$gridgpu_script" ]; then . "$gridgpu_script"; fi
            done
            return 0
        fi
    done
    echo "$(uname -n) has no conda environment $1 with a Python." >&2
    return 1
}

gridgpu_before=$(gridgpu_names)
# Sites define commands as aliases: setupATLAS, asetup.
if [ -n "${BASH_VERSION:-}" ]; then shopt -s expand_aliases; fi
#LINES#
gridgpu_report() {
    set +eufx
    IFS='
'
    for gridgpu_name in $gridgpu_before; do
        eval "[ -n \"\${$gridgpu_name+set}\" ]" || echo "unset $gridgpu_name"
    done
    export -p
    echo "setup_done=1"
}
gridgpu_report >&9
exit 0

fi
