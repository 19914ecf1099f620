#!/bin/sh
# Checks the architecture of the headers: layering.sh <folder that holds notch/>
#
# Prints one line per violation and fails when there is one, or when there is no header at all. The rules are the tables below.
set -eu

root=${1:?usage: layering.sh <include folder>}
cd "$root"

if [ -z "$(find notch -name '*.hpp')" ]; then
    echo "layering.sh: no header in $root/notch"
    exit 1
fi

find notch -name '*.hpp' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 awk '
BEGIN {
    # The rooms each room may include directly; what lies below an allowed room is allowed too.
    edge["core"] = ""
    edge["simd"] = "core"
    edge["quant"] = "simd core"
    edge["observe"] = "quant"
    edge["epilogue"] = "simd"
    edge["gemm"] = "quant epilogue simd"
    edge["conv"] = "gemm"
    edge["model"] = "simd core"
    edge["io"] = "model quant"
    edge["ptq"] = "model observe quant"
    edge["deploy"] = "io ptq conv"

    # Headers that list one thing per instruction set may be longer than the limit.
    longest = 400
    long_names = "^notch/(simd|gemm)/.*_(sse|avx|neon|sve|scalar)[a-z0-9_]*\\.hpp$"

    for (room in edge) close_over(room, room)
}

function close_over(room, from,    below, i, n) {
    n = split(edge[from], below, " ")
    for (i = 1; i <= n; ++i) {
        allowed[room, below[i]] = 1
        close_over(room, below[i])
    }
}

function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

# The line without comments. Block comments may span lines.
function code_of(line,    from, to) {
    for (;;) {
        if (in_block) {
            to = index(line, "*/")
            if (to == 0) return ""
            line = substr(line, to + 2)
            in_block = 0
        }
        from = index(line, "/*")
        to = index(line, "//")
        if (to > 0 && (from == 0 || to < from)) return substr(line, 1, to - 1)
        if (from == 0) return line
        to = index(substr(line, from + 2), "*/")
        if (to == 0) {
            in_block = 1
            return substr(line, 1, from - 1)
        }
        line = substr(line, 1, from - 1) " " substr(line, from + to + 3)
    }
}

function room_of(path,    part, n) {
    n = split(path, part, "/")
    return n > 2 ? part[2] : ""
}

FNR == 1 {
    room = room_of(FILENAME)
    in_block = 0
    if (room != "" && !(room in edge)) complain("the room \"" room "\" is not in the table of layering.sh")
}

FNR == longest + 1 && FILENAME !~ long_names { complain("the header has more than " longest " lines") }

{ code = code_of($0) }

code ~ /(__AVX|__SSE|__SSSE|__FMA__|__ARM_NEON|__ARM_FEATURE|__aarch64__|__x86_64__|__F16C__|__GFNI__|__BMI2__)/ {
    if (room != "simd" && FILENAME != "notch/core/config.hpp")
        complain("only simd/ and core/config.hpp may name macros of instruction sets")
}

code ~ /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    target = code
    sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", target)
    sub(/[>"].*$/, "", target)

    if (target ~ /^xtensor/ && FILENAME != "notch/core/xtensor.hpp")
        complain("only core/xtensor.hpp may include <" target ">")
    if (target ~ /^(xsimd\/|([a-z0-9]*intrin|arm_[a-z0-9_]*|cpuid)\.h$)/ && room != "simd")
        complain("only simd/ may include <" target ">")
    if (target == "notch/core/xtensor.hpp" && room ~ /^(simd|epilogue|gemm|conv)$/)
        complain(room " may not include core/xtensor.hpp; it sees strided_view")

    if (target !~ /^notch\//) {
        if (code ~ /"/) complain("notch headers are included as <notch/...>, not by \"" target "\"")
        next
    }
    other = room_of(target)
    if (room == "" || other == room) next
    if (other == "" && target != "notch/version.hpp")
        complain(room " may not include <" target ">, which includes every room")
    else if (other == "simd" && room ~ /^(observe|ptq)$/)
        complain(room " may not name the simd room, but includes <" target ">")
    else if (other != "" && !((room, other) in allowed))
        complain(room " may not include " other ", but includes <" target ">")
}

END { exit failed }
'
