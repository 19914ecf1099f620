#!/bin/sh
# Runs print_isa as on another processor: check_isa.sh <program> <expected line> <emulator or ...-NOTFOUND> <option>...
#
# Ends with 77, which CTest reports as skipped, where there is no emulator.
set -u

program=${1:?usage: check_isa.sh <program> <expected line> <emulator> <option>...}
expected=$2
emulator=$3
shift 3
case $emulator in
*-NOTFOUND)
    echo "skipped: there is no ${emulator%-NOTFOUND} to run this as on another processor; it is in the package qemu-user"
    exit 77
    ;;
esac

output=$("$emulator" "$@" "$program" 2>&1)
echo "$output"
if ! echo "$output" | grep -qxF "$expected"; then
    echo "there is no line: $expected"
    exit 1
fi
