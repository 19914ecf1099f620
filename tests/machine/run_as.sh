#!/bin/sh
# Runs a program as on another processor: run_as.sh <emulator or ...-NOTFOUND> <option>... <program> <argument>...
#
# Ends with 77, which CTest reports as skipped, where there is no emulator.
case $1 in
*-NOTFOUND)
    echo "skipped: there is no ${1%-NOTFOUND} to run this as on another processor; it is in the package qemu-user"
    exit 77
    ;;
esac
exec "$@"
