#!/usr/bin/env bash
# Measures what each public header costs: seconds to compile a file that only includes it, without optimisation,
# the least of three runs. Prints a table in Markdown.
#
#   docs/include_cost.sh [HEADER...]      for example notch/notch.hpp; without arguments, every header of the rooms
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds() { # compiler header
    local best=999999 start end run
    for run in 1 2 3; do
        start=$(date +%s%N)
        echo "#include <$2>" | "$1" -std=c++20 -Iinclude -x c++ -fsyntax-only -
        end=$(date +%s%N)
        [ $((end - start)) -lt $((best * 1000)) ] && best=$(((end - start) / 1000))
    done
    printf '%d.%02d' $((best / 1000000)) $((best % 1000000 / 10000))
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
    mapfile -t headers < <(cd include && ls notch/notch.hpp notch/core/*.hpp notch/quant/*.hpp notch/observe/*.hpp notch/simd/arch.hpp notch/simd/elementwise.hpp)
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
