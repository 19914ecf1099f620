#!/usr/bin/env bash
# Builds one room of benchmarks for this machine and prints its table.
#
#     bench/run.sh quant|gemm|conv|networks [--quick] [--filter REGEX] [--json FILE] [--shapes FILE] [--model FILE]
#
# --quick    fewer repetitions
# --filter   only rows whose name row/[shape/]bits/grain/requant/rounding/threads/manual_time matches
# --json     also writes the rows as a JSON array
# --shapes   gemm: a file of matrix products, one M N K a line; bench/gemm/shapes.txt is the default
#            conv: a file of convolutions, as bench/conv/shapes.txt, which is the default
# --model    networks: an ONNX file instead of those of the folder NOTCH_DATA (default: ../shared/data beside the project)
#            and examples/shapes/shapes.onnx. Their peer is ONNX Runtime, where the environment variable NOTCH_ORT names a
#            folder whose node_modules hold onnxruntime-node.
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
shapes=
model=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1 ;;
    --filter | --json | --shapes | --model)
        if [ $# -lt 2 ]; then
            echo "run.sh: $1 needs a value" >&2
            usage
        fi
        case $1 in
        --filter) filter=$2 ;;
        --json) json=$2 ;;
        --shapes) shapes=$2 ;;
        --model) model=$2 ;;
        esac
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
if [ -n "$shapes" ] && [ "$room" != gemm ] && [ "$room" != conv ]; then
    echo "run.sh: --shapes is for gemm and conv, not for $room" >&2
    exit 2
fi
if [ -n "$model" ] && [ "$room" != networks ]; then
    echo "run.sh: --model is for networks, not for $room" >&2
    exit 2
fi
# The build starts elsewhere.
absolute() {
    case $1 in
    "" | /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
    esac
}
json=$(absolute "$json")
shapes=$(absolute "$shapes")
model=$(absolute "$model")
if [ -n "${NOTCH_ORT:-}" ]; then
    NOTCH_ORT=$(absolute "$NOTCH_ORT")
    export NOTCH_ORT
fi
if [ -n "${NOTCH_DATA:-}" ]; then
    NOTCH_DATA=$(absolute "$NOTCH_DATA")
    export NOTCH_DATA
fi

cd "$here/.."
build=build/bench
arguments=(--preset bench)
if [ -n "${CXX:-}" ]; then
    build=build/bench-$(basename "$CXX")
    arguments+=(-B "$build" "-DCMAKE_CXX_COMPILER=$CXX")
fi
cmake "${arguments[@]}" >/dev/null
cmake --build "$build" --target "bench_$room" -j "$(nproc)" >&2

options=()
[ -z "$quick" ] || options+=(--benchmark_min_time=0.15)
[ -z "$filter" ] || options+=("--benchmark_filter=$filter")
[ -z "$json" ] || options+=(--json "$json")
[ -z "$shapes" ] || options+=(--shapes "$shapes")
[ -z "$model" ] || options+=(--model "$model")
# Idle threads of a peer with OpenMP spin for milliseconds, beside whoever is measured next. This is some 20 microseconds.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}
exec "$build/bench/bench_$room" "${options[@]}"
