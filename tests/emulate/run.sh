#!/usr/bin/env bash
# Runs statically linked x86-64 programs on an emulated computer, for instruction sets this one lacks.
#
#   tests/emulate/run.sh [--cpu MODEL] [--timeout SECONDS] [--memory MIB] [--work FOLDER]
#                        -- PROGRAM [ARGUMENT...] [--then PROGRAM [ARGUMENT...]]...
#
# The programs run one after another in one boot of a Linux kernel below the emulator bochs. The output is that of the
# programs, with a line for each of them that gives its exit code and seconds. The script fails when a program does,
# when the machine does not come up, and when the seconds are over (default 900). It ends with code 77, and says why,
# when packages or the kernel are missing: they are the group emulate of tests/packages.sh and what fetch_kernel.sh
# beside this script fetches.
#
# Models (bochs -help cpu): corei7_skylake_x, the default, has AVX-512 F, BW, VL, DQ and CD; corei7_icelake_u and tigerlake
# have VNNI, VBMI and GFNI too. A folder given with --work keeps the logs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../../build/emulate
kernel=$build/vmlinuz
isolinux=/usr/lib/ISOLINUX/isolinux.bin
loader=/usr/lib/syslinux/modules/bios/ldlinux.c32
rom=/usr/share/bochs/BIOS-bochs-latest
vga=/usr/share/vgabios/vgabios.bin

cpu=corei7_skylake_x
timeout=900
memory=512
work=
while [ $# -gt 0 ]; do
    case $1 in
    --cpu) cpu=${2:?--cpu needs a model} && shift 2 ;;
    --timeout) timeout=${2:?--timeout needs seconds} && shift 2 ;;
    --memory) memory=${2:?--memory needs MiB} && shift 2 ;;
    --work) work=${2:?--work needs a folder} && shift 2 ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    --) shift && break ;;
    *) echo "run.sh: unknown option $1; try --help" >&2 && exit 2 ;;
    esac
done
if [ $# -eq 0 ]; then
    echo "run.sh: there is no program to run; try --help" >&2
    exit 2
fi

missing=()
for file in "$isolinux" "$loader" "$rom" "$vga"; do
    [ -r "$file" ] || missing+=("${file##*/}")
done
for command in bochs xorriso cpio strip "${CXX:-g++}"; do
    command -v "$command" >/dev/null || missing+=("$command")
done
compgen -G '/usr/lib/*/bochs/plugins/libbx_term_gui.so' >/dev/null || missing+=("the terminal display of bochs")
if [ ${#missing[@]} -gt 0 ]; then
    list=$(printf ', %s' "${missing[@]}")
    echo "skipped: the emulated machine needs what is missing here (packages of the group emulate): ${list:2}"
    exit 77
fi
if [ ! -r "$kernel" ]; then
    echo "skipped: the emulated machine needs a kernel, which tests/emulate/fetch_kernel.sh fetches"
    exit 77
fi

emulator=
keep=yes
if [ -z "$work" ]; then
    mkdir -p "$build"
    work=$(mktemp -d "$build/run.XXXXXX")
    keep=no
fi
clean_up() {
    if [ -n "$emulator" ]; then
        kill -KILL "$emulator" 2>/dev/null || true
        wait "$emulator" 2>/dev/null || true
    fi
    [ "$keep" = yes ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir -p "$work"
work=$(cd "$work" && pwd)
rm -rf "$work/tree" "$work/medium"
mkdir -p "$work/tree/dev" "$work/tree/proc" "$work/tree/tmp" "$work/tree/programs" "$work/medium"

# The programs, and the arguments of each, ended by zero bytes.
names=()
while [ $# -gt 0 ]; do
    program=$work/tree/programs/${#names[@]}
    if ! strip -o "$program" "$1"; then
        echo "run.sh: $1 is no program" >&2
        exit 2
    fi
    if readelf --program-headers "$program" | grep -q INTERP; then
        echo "run.sh: $1 is not linked statically" >&2
        exit 2
    fi
    names+=("${1##*/}")
    while [ $# -gt 0 ] && [ "$1" != --then ]; do
        printf '%s\0' "$1" >>"$program.arguments"
        shift
    done
    [ $# -eq 0 ] || shift
done

"${CXX:-g++}" -std=c++20 -O1 -static -s -o "$work/tree/init" "$here/init.cpp"
(cd "$work/tree" && find . | cpio --quiet --create --format=newc --owner=0:0) >"$work/medium/initrd"
cp "$kernel" "$work/medium/vmlinuz"
cp "$isolinux" "$loader" "$work/medium"

# The models of bochs 2.7 report a wrong size for the area of XSAVES, and none for PKU, upon which Linux gives up AVX;
# with FSRM Linux was seen to hang, and the timer for TSC deadlines is avoided. The rest saves time: no self-tests of
# cryptography, no certificates, no names for tracing, no mitigations, no search for disks.
cat >"$work/medium/isolinux.cfg" <<END
DEFAULT linux
LABEL linux
KERNEL vmlinuz
INITRD initrd
APPEND console=ttyS0,115200 loglevel=7 panic=0 lapic=notscdeadline clearcpuid=xsavec,xsaves,pku,fsrm mitigations=off nokaslr maxcpus=1 tsc=reliable edd=off cryptomgr.notests initcall_blacklist=load_system_certificate_list,trace_eval_init
END
xorriso -as mkisofs -quiet -o "$work/medium.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$work/medium" 2>"$work/xorriso.log"

cat >"$work/bochsrc" <<END
plugin_ctrl: speaker=0
display_library: term
romimage: file=$rom
vgaromimage: file=$vga
cpu: model=$cpu, count=1, ips=10000000, reset_on_triple_fault=0
memory: guest=$memory, host=$memory
clock: sync=none, time0=utc
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/medium.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/console.log
com2: enabled=1, mode=file, dev=$work/programs.log
log: $work/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END

# A bochs with a debugger waits for a command; one without does not know the option.
arguments=(-q -f "$work/bochsrc")
if [[ $(bochs -help 2>&1) == *"-rc filename"* ]]; then
    echo continue >"$work/debugger"
    arguments+=(-rc "$work/debugger")
fi
: >"$work/console.log"
: >"$work/programs.log"
start=$EPOCHREALTIME
TERM=linux bochs "${arguments[@]}" </dev/null >"$work/screen.log" 2>&1 &
emulator=$!

seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

interesting='^(sse4_1|avx|fma|gfni|vaes|vpclmulqdq)'
status=0
ran=0
state=running
handle() {
    local report=@@${1#*@@} before=${1%%@@*} number code
    case $1 in
    *@@"model name: "*)
        echo "emulated processor: ${report#*: } (bochs model $cpu), up after $(seconds_since "$start") s"
        ;;
    *@@"flags: "*)
        echo "its instruction sets: $(tr ' ' '\n' <<<"${report#*: }" | grep -E "$interesting" | tr '\n' ' ')"
        ;;
    *@@run\ [0-9]*)
        echo "--- ${names[${report#*run }]}"
        program_start=$EPOCHREALTIME
        ;;
    *@@exit\ [0-9]*)
        read -r _ number code <<<"$report"
        [ -z "$before" ] || echo "$before"
        echo "--- ${names[$number]}: exit code $code after $(seconds_since "$program_start") s"
        ran=$((ran + 1))
        [ "$code" = 0 ] || status=1
        ;;
    *@@end) state=ended ;;
    *) printf '%s\n' "$1" ;;
    esac
}

exec 3<"$work/programs.log"
line=
pending=
while [ "$state" = running ]; do
    sleep 0.2
    # What is asked first is true of a log that is read afterwards.
    if ! kill -0 "$emulator" 2>/dev/null; then
        state="the emulator ended"
    elif grep -q "Kernel panic" "$work/console.log"; then
        state="the kernel gave up"
    elif [ "${EPOCHREALTIME%.*}" -ge $((${start%.*} + timeout)) ]; then
        state="$timeout s are over"
    fi
    while IFS= read -r line <&3; do
        handle "$pending$line"
        pending=
    done
    pending+=$line
done

if [ "$state" != ended ]; then
    [ -z "$pending" ] || echo "$pending"
    echo "run.sh: $state; $ran of ${#names[@]} programs ran. The console and the emulator said last:"
    tail -n 20 "$work/console.log"
    grep '^[0-9]*p' "$work/bochs.log" || true
    exit 1
fi
if [ "$ran" -ne ${#names[@]} ]; then
    echo "run.sh: $ran of ${#names[@]} programs ran"
    exit 1
fi
exit "$status"
