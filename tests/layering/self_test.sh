#!/bin/sh
# Proves that layering.sh finds what it must find: self_test.sh <scratch folder>
set -eu

here=$(cd "$(dirname "$0")" && pwd)
scratch=${1:?usage: self_test.sh <scratch folder>}

rm -rf "$scratch"
mkdir -p "$scratch"
cp -R "$here/bad/notch" "$scratch/notch"
awk 'BEGIN { for (i = 0; i <= 400; ++i) print "// This header is too long." }' >"$scratch/notch/core/long.hpp"

if "$here/layering.sh" "$scratch" >"$scratch/found.txt"; then
    echo "layering.sh accepts a tree full of violations"
    exit 1
fi
diff "$here/bad/expected.txt" "$scratch/found.txt"

mkdir -p "$scratch/empty/notch"
if "$here/layering.sh" "$scratch/empty" >/dev/null; then
    echo "layering.sh accepts a tree without headers"
    exit 1
fi
