#!/usr/bin/env bash
# Builds one room of benchmarks for this machine and prints its table.
#
#     bench/run.sh quant|gemm|conv|networks [--quick] [--filter REGEX] [--json FILE]
#
# --quick    fewer repetitions
# --filter   only rows whose name row/bits/grain/requant/rounding/threads matches
# --json     also writes the rows as a JSON array
# The compiler is that of the preset "bench"; the environment variable CXX selects another one.
set -euo pipefail

usage() {
    sed -n 's/^#     \(bench\/run.sh\)/usage: \1/p' "$0" >&2
    exit 2
}

room=
quick=
filter=
json=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1 ;;
    --filter | --json)
        if [ $# -lt 2 ]; then
            echo "run.sh: $1 needs a value" >&2
            usage
        fi
        if [ "$1" = --filter ]; then filter=$2; else json=$2; fi
        shift
        ;;
    -*)
        echo "run.sh: unknown option $1" >&2
        usage
        ;;
    *)
        if [ -n "$room" ]; then
            echo "run.sh: one room at a time, not $room and $1" >&2
            usage
        fi
        room=$1
        ;;
    esac
    shift
done

case $room in
quant | gemm | conv | networks) ;;
"")
    echo "run.sh: which room?" >&2
    usage
    ;;
*)
    echo "run.sh: unknown room $room" >&2
    usage
    ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
if ! compgen -G "$here/$room/*.cpp" >/dev/null; then
    echo "run.sh: the room $room has no benchmark yet" >&2
    exit 1
fi
if [ -n "$json" ]; then
    case $json in
    /*) ;;
    *) json=$PWD/$json ;;
    esac
fi

cd "$here/.."
build=build/bench
arguments=(--preset bench)
if [ -n "${CXX:-}" ]; then
    build=build/bench-$(basename "$CXX")
    arguments+=(-B "$build" "-DCMAKE_CXX_COMPILER=$CXX")
fi
cmake "${arguments[@]}" >/dev/null
cmake --build "$build" --target "bench_$room" -j 2 >&2

options=()
[ -z "$quick" ] || options+=(--benchmark_min_time=0.15)
[ -z "$filter" ] || options+=("--benchmark_filter=$filter")
[ -z "$json" ] || options+=(--json "$json")
exec "$build/bench/bench_$room" "${options[@]}"
