#!/usr/bin/env bash
# Measures what each public header costs: seconds of processor time to compile a file that only includes it, without optimisation,
# the least of three runs. Prints a table in Markdown.
#
#   docs/include_cost.sh [HEADER...]      for example notch/notch.hpp; without arguments, every header of the rooms
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TIMEFORMAT='%U %S'

seconds() { # compiler header; processor time, so that other work on the machine counts little
    for _ in 1 2 3; do
        { time echo "#include <$2>" | "$1" -std=c++20 -Iinclude -x c++ -fsyntax-only -; } 2>&1
    done | awk '{ t = $1 + $2; if (NR == 1 || t < best) best = t } END { printf "%.2f", best }'
}

compilers=()
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null && compilers+=("$compiler")
done
if [ ${#compilers[@]} -eq 0 ]; then
    echo "docs/include_cost.sh: neither g++ nor clang++ was found" >&2
    exit 1
fi
headers=("$@")
if [ ${#headers[@]} -eq 0 ]; then
    mapfile -t headers < <(cd include && ls notch/notch.hpp notch/networks.hpp notch/core/*.hpp notch/quant/*.hpp notch/observe/*.hpp notch/epilogue/*.hpp notch/gemm/*.hpp notch/conv/*.hpp notch/simd/arch.hpp notch/simd/elementwise.hpp notch/simd/int_kernels.hpp notch/simd/lane_xsimd.hpp)
fi

printf '| header |'
printf ' %s |' "${compilers[@]}"
printf '\n|---|'
for compiler in "${compilers[@]}"; do printf '%s' '---:|'; done
printf '\n'
for header in "${headers[@]}"; do
    printf '| %s |' "$header"
    for compiler in "${compilers[@]}"; do printf ' %s |' "$(seconds "$compiler" "$header")"; done
    printf '\n'
done
