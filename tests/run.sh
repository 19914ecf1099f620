#!/usr/bin/env bash
# Builds notch and runs its tests.
#
#   tests/run.sh [--preset NAME] [--jobs N] [--all] [--no-install] [--emulate]
#
# Missing packages are installed with apt-get (and sudo, when needed) after they have been named. The presets are
# those of CMakePresets.json; the default is release. The script fails when anything fails. With --all, tests are also
# built with relaxed floating point and without optimisation, and each header is compiled alone, which takes some minutes
# more. With --emulate the packages and the kernel are fetched with which the tests of AVX-512 run on an emulated
# processor.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/packages.sh

preset=release
jobs=$(nproc)
emulate=no
options=()
while [ $# -gt 0 ]; do
    case $1 in
    --preset) preset=${2:?--preset needs a name} && shift 2 ;;
    --jobs) jobs=${2:?--jobs needs a number} && shift 2 ;;
    --no-install) export NOTCH_INSTALL=no && shift ;;
    --emulate) emulate=yes && shift ;;
    --all) options+=(-DNOTCH_TEST_VARIANTS=ON) && shift ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) echo "tests/run.sh: unknown option $1; try --help" >&2 && exit 2 ;;
    esac
done

groups=(build)
case $preset in
clang | asan) groups+=(clang) ;;
aarch64) groups+=(arm) ;;
coverage) groups+=(coverage) ;;
esac
if [ "$emulate" = yes ]; then
    groups+=(emulate)
fi
notch_install "${groups[@]}"
if [ "$emulate" = yes ]; then
    tests/emulate/fetch_kernel.sh
fi

cmake --preset "$preset" "${options[@]}"
cmake --build --preset "$preset" --parallel "$jobs"

# Counts of an earlier build do not belong to these programs, which would complain about them.
if [ "$preset" = coverage ]; then
    find build/coverage -name '*.gcda' -delete
fi

status=0
ctest --preset "$preset" --parallel "$jobs" --output-log "build/$preset/ctest.log" || status=$?

# CTest counts programs; what Catch2 counted inside them is in the log.
log=build/$preset/Testing/Temporary/LastTest.log
awk -v preset="$preset" '
    /^[0-9]+\/[0-9]+ Testing: / { ++tests }
    /^skipped: / { ++skipped[$0] }
    /^All tests passed \(/ {
        assertions += substr($4, 2)
        cases += $7
    }
    END {
        for (reason in skipped) printf "%d x %s\n", skipped[reason], reason
        printf "preset %s: %d tests, with %d test cases and %d assertions in the unit tests\n", preset, tests, cases, assertions
    }' "$log"

if [ "$preset" = coverage ]; then
    lcov --quiet --capture --directory build/coverage --output-file build/coverage/all.info
    lcov --quiet --extract build/coverage/all.info "$PWD/include/notch/*" --output-file build/coverage/notch.info
    lcov --list build/coverage/notch.info
fi
exit "$status"
