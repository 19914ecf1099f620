#!/bin/sh
# Runs a program as on another processor and looks for a line: check_isa.sh <program> <expected line> <emulator> <option>...
set -u

program=${1:?usage: check_isa.sh <program> <expected line> <emulator> <option>...}
expected=$2
shift 2
output=$("$(dirname "$0")/run_as.sh" "$@" "$program" 2>&1)
status=$?
echo "$output"
[ "$status" -eq 77 ] && exit 77
if ! echo "$output" | grep -qxF "$expected"; then
    echo "there is no line: $expected"
    exit 1
fi
