# Bash runs the setup lines where it is, since many a site's scripts are written for it. As `posix`
# it reads no file of the user at its start, where something could be printed.
if [ -z "${BASH_VERSION:-}" ] && has bash; then
    exec bash --posix "$folder/worker.sh" "$folder" "$@"
fi

# `echo` would read backslashes.
echo_line() {
    printf '%s\n' "$1"
}

setup_text() {
    case $1 in
    #TEXTS#
    esac
}

# Ends the setup lines with all that they started, when this process is told to end.
setup_ended() {
    kill -9 "-$setup" 2>/dev/null || kill -9 "$setup" 2>/dev/null
    kill "$watch" 2>/dev/null
    rm -f "$report"
    trap - "$1"
    kill -s "$1" $$
}

# The lines run in a process of their own, whose end is no end of this one. It may take some time
# and print some text; no more.
setup_watch() {
    pause=1 ticks=#SECONDS#
    # Not every sleep knows fractions. With them, less is printed before it is seen.
    if sleep 0.2 2>/dev/null; then pause=0.2 ticks=$((ticks * 5)); fi
    why=time
    while [ "$ticks" -gt 0 ]; do
        sleep $pause
        ticks=$((ticks - 1))
        if [ -f "$1" ] && [ "$(wc -c <"$1")" -gt $(($2 + #BYTES#)) ]; then
            why=size
            break
        fi
    done
    echo "setup_stop=$why" >>"$report"
    kill -9 "-$setup" 2>/dev/null || kill -9 "$setup"
}

setup_fail() {
    case $text in
    *setup_stop=time*) how="was ended after #SECONDS# s" ;;
    *setup_stop=size*) how="printed too much and was ended" ;;
    *)
        how="failed with exit code $code"
        if [ "$code" = 0 ]; then how="ended the shell"; fi
        ;;
    esac
    line=${text##*setup_line=}
    line=${line%%[!0-9]*}
    words=$(setup_text "$line")
    said=
    if [ -f "$out" ]; then
        # The end of what this line printed, which follows the line itself.
        said=$(tail -c 4000 "$out")
        said=${said##*"\$ $words"}
        said=$(printf '%s' "$said" | tail -n 4 | tail -c 300 | tr '\n' ' ' | sed 's/^ *//; s/ *$//')
    fi
    case $text in
    *setup_stop=size*) printf '%s\n...\n%s\n' "$(head -c 100000 "$out")" "$said" >"$out" ;;
    esac
    if [ "$line" = 0 ]; then fail 74 "--$words: $said"; fi
    fail 76 "Setup line $line $how on $host: $words.${said:+ It said: $said}"
}

size=0 out=
if find_log "${keys%% *}"; then
    out=$log
    if [ -f "$out" ]; then size=$(wc -c <"$out"); fi
    exec 8>>"$out"
else
    exec 8>&2
fi
report=${TMPDIR:-/tmp}
{ [ -d "$report" ] && [ -w "$report" ]; } || report=/tmp
report=$report/gridgpu-setup-$host-$$
rm -f "$report"
# What the lines export may be secret, so the file is private and stays on the node.
(umask 077; set -C; : >"$report") || fail 71 "$host cannot make a temporary file, $report."
shell=sh
if [ -n "${BASH_VERSION:-}" ]; then shell=bash; fi
lead=
if has setsid; then lead=setsid; fi
$lead $shell "$folder/worker.sh" --setup 9>"$report" >&8 2>&8 8>&- </dev/null &
setup=$!
setup_watch "$out" "$size" >/dev/null 2>&1 8>&- </dev/null &
watch=$!
for name in TERM INT USR1 HUP; do trap "setup_ended $name" $name; done
wait "$setup" 2>/dev/null
code=$?
trap - TERM INT USR1 HUP
kill "$watch" 2>/dev/null
wait "$watch" 2>/dev/null
text=$(cat "$report")
rm -f "$report"
case $text in
*"
setup_done=1") ;;
*) setup_fail ;;
esac
python_before=$(command -v python3)
# The lines may have exported variables of the names that are used here.
set -- "$folder" "$keys" "$host" "$python_before" "$@"
eval "$text"
folder=$1 keys=$2 host=$3 python_before=$4
shift 4
cd "$folder" || fail 71 "This node, $host, does not see the scan's folder $folder."
echo "The setup lines have run." >&8
exec 8>&-
# A Python that the lines chose is wanted.
first=
if [ "$(command -v python3)" != "$python_before" ]; then first=python3; fi
