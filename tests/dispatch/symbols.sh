#!/bin/sh
# Looks for symbols that the linker might merge: symbols.sh <nm> <library>
#
# A member <isa>.cpp.o of the library is compiled for that instruction set. Whatever other units can see of it must carry the
# tag of the instruction set in its name, and none of its code may run before somebody has asked the processor. One line per
# violation; fails when there is one, or when there is nothing to look at.
set -eu

nm=${1:?usage: symbols.sh <nm> <library>}
library=${2:?usage: symbols.sh <nm> <library>}

"$nm" "$library" | awk '
/^[^ ]+\.o(bj)?:$/ {
    member = substr($0, 1, length($0) - 1)
    isa = member
    sub(/\..*$/, "", isa)
    tag = "[^0-9]" length(isa) isa "E"
    next
}
member == "" || isa == "choice" || NF != 3 { next }
$3 ~ /^(_GLOBAL__sub_I|__cxx_global_var_init)/ {
    print member ": runs code before main: " $3
    failed = 1
}
# Upper case and u: defined, and visible to other units. Lower case: local, or not defined here.
$2 ~ /^[A-TV-Zu]$/ {
    if ($3 ~ tag) {
        ++tagged[isa]
    } else {
        print member ": " $3 " has no tag of " isa
        failed = 1
    }
}
END {
    for (isa in tagged) {
        printf "%s: %d symbols, all with the tag\n", isa, tagged[isa]
        ++units
    }
    if (units == 0) {
        print "symbols.sh: no unit of an instruction set"
        failed = 1
    }
    exit failed
}'
