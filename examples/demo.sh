#!/usr/bin/env bash
# Builds the command notch and lets it compare the granularities of scales on one weight tensor.
#
#   examples/demo.sh [--no-install]
#
# Missing packages are installed with apt-get (and sudo, when needed) after they have been named; --no-install turns
# this off. The table goes to the terminal, the plot and the numbers to build/demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/packages.sh

while [ $# -gt 0 ]; do
    case $1 in
    --no-install) export NOTCH_INSTALL=no && shift ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) echo "examples/demo.sh: unknown option $1; try --help" >&2 && exit 2 ;;
    esac
done

start=$SECONDS
if ! notch_install build; then
    echo "examples/demo.sh: install these packages, or run without --no-install" >&2
    exit 1
fi
for program in cmake ninja g++; do
    if ! command -v "$program" >/dev/null; then
        echo "examples/demo.sh: $program was not found; it is needed to build the demonstration" >&2
        exit 1
    fi
done

echo "Building the command notch; this takes 20 to 60 seconds on two cores."
log=build/demo/build.log
mkdir -p build/demo
if ! { cmake --preset release && cmake --build --preset release --target notch_tool; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "examples/demo.sh: the build failed; the whole log is in $PWD/$log" >&2
    exit 1
fi

echo
build/release/notch grains --svg build/demo/grains.svg --json build/demo/grains.json
echo
echo "plot     $PWD/build/demo/grains.svg"
echo "numbers  $PWD/build/demo/grains.json"
echo "time     $((SECONDS - start)) s"
