#!/bin/sh
# Fuzzes the readers of files with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer:
#
#   tests/fuzz/run.sh SECONDS [TARGET...]
#
# Each target (onnx_read, npy, plan_file; all without names) runs for so many seconds, one after the other. What is found lies in
# build/fuzz/<target>, with the corpus, which grows from run to run. The compiler is CXX, or clang++; it needs libFuzzer
# (libclang-rt-dev), and onnx_read needs libonnx-dev and libprotobuf-dev. The script fails when something is found.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- onnx_read npy plan_file

for target in "$@"; do
    folder=build/fuzz/$target
    mkdir -p "$folder/corpus"
    libraries=
    [ "$target" != onnx_read ] || libraries="-lonnx_proto -lprotobuf"
    # shellcheck disable=SC2086
    ${CXX:-clang++} -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
        "tests/fuzz/$target.cpp" -o "$folder/fuzz" $libraries
    "$folder/fuzz" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$folder/" "$folder/corpus" "tests/fuzz/seeds/$target"
done
