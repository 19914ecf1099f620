#!/bin/sh
# Exports a network at several settings and lets ONNX Runtime run each at every level of optimisation:
#
#   compare.sh ONNX_CODES FOLDER MODEL IMAGES PREPROCESSING
#
# For power-of-two scales every result must be equal, bit for bit; for others the number of results that differ is printed.
# Ends with 77 where node, onnxruntime-node or the files are missing.
set -eu
here=$(dirname "$0")
program=$1 folder=$2 model=$3 images=$4 preprocessing=$5

command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
[ -e "$model" ] || { echo "skipped: $(basename "$model") is not there"; exit 77; }
mkdir -p "$folder"
status=0
for setting in "8 8 channel pot" "4 8 channel pot" "4 4 channel pot" "4 8 group:8 pot" "4 8 block:8x8 pot" "4 8 split:4 pot" "8 8 split:8 pot" "2 8 channel pot" "8 8 channel fixed"; do
    set -- $setting
    "$program" "$model" "$images" "$preprocessing" "$folder" "$@"
    for level in disabled basic all; do
        if ! node "$here/run_onnx.mjs" "$folder/model.onnx" "$folder/images.npy" "$folder/results.npy" $level exact; then
            [ $? -ne 1 ] && exit 77
            exit 1
        fi
        differing=$(node "$here/count_differing.mjs" "$folder/ours.npy" "$folder/results.npy")
        echo "W$1A$2 $3 $4, $level: $differing"
        case $4,$differing in
        pot,0\ *) ;;
        pot,*) status=1 ;;
        esac
    done
done
rm -r "$folder"
exit $status
