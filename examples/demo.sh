#!/usr/bin/env bash
# Quantizes a trained network, runs it in integers, and compares it with the float network, image by image.
#
#   examples/demo.sh [--no-install] [--calibration-seed N] [--test-seed N]
#
# The network is examples/shapes/shapes.onnx, a residual network with a depthwise convolution for drawn images of ten
# shapes. The images are drawn here: 512 to find scales with and 2000 to count errors on, from seeds that the training
# has not seen. Missing packages are installed with apt-get (and sudo, when needed) after they have been named;
# --no-install turns this off. The table goes to the terminal, numbers and report go to build/demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/packages.sh

calibration_seed=1001
test_seed=1002
while [ $# -gt 0 ]; do
    case $1 in
    --no-install) export NOTCH_INSTALL=no && shift ;;
    --calibration-seed) calibration_seed=${2:?--calibration-seed needs a number} && shift 2 ;;
    --test-seed) test_seed=${2:?--test-seed needs a number} && shift 2 ;;
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

echo "Building the commands notch and draw_shapes; this takes one to two minutes on two cores."
out=build/demo
mkdir -p $out
if ! { cmake --preset release && cmake --build --preset release --target notch_tool draw_shapes; } >$out/build.log 2>&1; then
    tail -n 40 $out/build.log >&2
    echo "examples/demo.sh: the build failed; the whole log is in $PWD/$out/build.log" >&2
    exit 1
fi
built=$SECONDS
notch=build/release/notch

echo "Drawing 512 images of seed $calibration_seed to find scales with, and 2000 of seed $test_seed to test."
build/release/draw_shapes --seed "$calibration_seed" --count 512 --images $out/calibration.u8
build/release/draw_shapes --seed "$test_seed" --count 2000 --images $out/test.u8 --labels $out/test_labels.u8
images=(--calibration $out/calibration.u8 --mean 0.5 --std 0.25)

# number <file> <key>: a number of the JSON that notch wrote.
number() { sed -n "s/^ \"$2\": \([^,]*\),\{0,1\}$/\1/p" "$1"; }

# row <name> <file>: a line of the table.
row() {
    printf '%-23s %8.2f %10.2f %8.2f %11d %9.3f %9.3f %8d\n' "$1" "$(number "$2" top1_float)" \
        "$(number "$2" top1_simulated)" "$(number "$2" top1)" "$(number "$2" mismatched_codes)" \
        "$(number "$2" ms_per_image_float)" "$(number "$2" ms_per_image)" "$(number "$2" weight_bytes)"
}

cat <<'END'

Scales are powers of two, activations have 8 bits, and so have the weights of the first and the last layer.
"simulated" is a float computation of what the codes stand for; every code of every tensor is compared with the integer run.

                         top-1 of 2000 images, %        codes      ms per image    bytes of
setting                    float  simulated  integer   different     float   integer  weights
END
settings="W8A8,8,channel W4A8,4,channel W4A8,4,group:16 W2A8,2,channel W2A8,2,group:16"
for setting in $settings; do
    IFS=, read -r name bits grain <<<"$setting"
    file=$out/evaluate_w${bits}_${grain/:/}.json
    report=()
    if [ "$bits" = 4 ] && [ "$grain" = channel ]; then report=(--report $out/report.html); fi
    $notch evaluate examples/shapes/shapes.onnx "${images[@]}" --images $out/test.u8 --labels $out/test_labels.u8 \
        --weights "$bits" --grain "$grain" --json "$file" "${report[@]}" >$out/evaluate.log
    row "$name, ${grain/channel/scale per channel}" "$file"
done
echo "weights of the float network have $(number $out/evaluate_w8_channel.json weight_bytes_float) bytes"

$notch quantize examples/shapes/shapes.onnx "${images[@]}" --weights 4 --save-recipe $out/w4.json \
    --export $out/shapes_w4.onnx >$out/plan.txt
cat <<END

report   $PWD/$out/report.html   (W4A8, scale per channel)
plan     $PWD/$out/plan.txt
model    $PWD/$out/shapes_w4.onnx   (the same for ONNX Runtime)
numbers  $PWD/$out/evaluate_w*.json
time     $((SECONDS - start)) s, of which $((SECONDS - built)) s to draw, quantize and run
END
