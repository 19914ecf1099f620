# Checks the network subcommands of notch on the network of drawn shapes.
# Arguments: command, draw (the program draw_shapes), model, folder (to write into).
file(MAKE_DIRECTORY "${folder}")
file(COPY_FILE "${model}" "${folder}/shapes.onnx")

include("${CMAKE_CURRENT_LIST_DIR}/../expect.cmake")

# read_number(<variable> <file> <key>...): a number of a JSON file.
function(read_number to name)
    file(READ "${folder}/${name}" json)
    string(JSON value ERROR_VARIABLE problem GET "${json}" ${ARGN})
    if(problem)
        message(SEND_ERROR "${name}: ${ARGN}: ${problem}")
    endif()
    set(${to} "${value}" PARENT_SCOPE)
endfunction()

# require(<condition>...)
macro(require)
    if(NOT (${ARGN}))
        message(SEND_ERROR "not true: ${ARGN}")
    endif()
endmacro()

foreach(set IN ITEMS "1001 64 calibration" "1002 48 test" "1002 40 few")
    separate_arguments(set)
    list(GET set 0 seed)
    list(GET set 1 count)
    list(GET set 2 name)
    execute_process(COMMAND "${draw}" --seed ${seed} --count ${count} --images ${name}.u8 --labels ${name}_labels.u8
        WORKING_DIRECTORY "${folder}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(scaling --mean 0.5 --std 0.25)
set(calibrated shapes.onnx --calibration calibration.u8 ${scaling})
set(tested ${calibrated} --images test.u8)
set(plain shapes.onnx --calibration calibration.u8 --images test.u8)
set(labelled ${tested} --labels test_labels.u8)

# Help stands alone.
foreach(name IN ITEMS inspect quantize evaluate sweep compare export bench)
    expect(0 "Usage: notch ${name} .*MODEL.*Example.*notch ${name} " ${name} --help)
endforeach()

# inspect
expect(0 "/classes/Gemm .*can be quantized" inspect shapes.onnx --json inspect.json)
read_number(macs inspect.json macs)
read_number(parameters inspect.json parameters)
read_number(name inspect.json layers 0 name)
require(macs GREATER 11000000 AND parameters GREATER 60000 AND name STREQUAL "/stem/conv/Conv")

# evaluate: every width and form of scales, one and two threads; the simulation decides.
foreach(setting IN ITEMS "8 pot channel 1" "4 pot group:16 2" "4 fixed channel 2" "8 real tensor 2" "2 pot block:8x8 2")
    separate_arguments(setting)
    list(GET setting 0 bits)
    list(GET setting 1 scale)
    list(GET setting 2 grain)
    list(GET setting 3 threads)
    expect(0 "48 of 48 images: 0 of 3 201 024 codes and 0 of 480 results differ" evaluate ${labelled}
        --weights ${bits} --scale ${scale} --grain ${grain} --threads ${threads} --json evaluate.json)
    read_number(mismatched evaluate.json mismatched_codes)
    read_number(simulated evaluate.json top1_simulated)
    read_number(top1 evaluate.json top1)
    require(mismatched EQUAL 0 AND simulated STREQUAL top1)
endforeach()
expect(0 "top-1 %" evaluate ${labelled} --threads 2 --json evaluate.json)
foreach(key IN ITEMS top1_float top1_simulated top1 images simulated_images ms_per_image ms_per_image_float sqnr_db agreement
                     compared_codes mismatched_codes mismatched_results weight_bytes weight_bytes_float arena_bytes)
    read_number(value evaluate.json ${key})
    require(value MATCHES "^[0-9.e+-]+$")
endforeach()
read_number(seed evaluate.json settings seed)
read_number(images evaluate.json settings calibration_images)
require(seed EQUAL 0 AND images EQUAL 64)

# methods, each alone and all of them; --steps shows what each gains
foreach(methods IN ITEMS "--fit results --observer results" "--rounding results --in-order no --method-images 16"
                         "--split all:3 --split-gain -100 --scale fixed" "--rescale=mutual-pot --absorb"
                         "--grain block:8x8 --reorder=greedy --scale real")
    separate_arguments(methods)
    expect(0 "48 of 48 images: 0 of 3 201 024 codes and 0 of 480 results differ" evaluate ${labelled} --weights 3 ${methods})
endforeach()
expect(0 "0 of 480 results differ.*after.*none .*rescale .*absorb biases .*reorder .*ranges by results .*split .*scales by results .*rounding by results .*bias correction "
    evaluate ${labelled} --weights 3 --grain block:16x16 --rescale --absorb --reorder --observer results --split centre:4
    --fit results --rounding results --bias-correction 16 --steps --json steps.json)
read_number(none steps.json steps 0 sqnr_db)
read_number(all steps.json steps 7 sqnr_db)
read_number(method steps.json settings rescale)
require(all GREATER none AND method STREQUAL "least-noise")
expect(0 "block:16x16 +own .*block:16x16 +evolution .*channel +own " sweep ${labelled} --weights 4 --reorder
    --grain tensor,block:16x16,channel --json sweep.json --svg sweep.svg)
read_number(scales sweep.json points 1 scales)
require(scales GREATER 20)
file(READ "${folder}/sweep.svg" svg)
if(NOT svg MATCHES "^<svg .*block:16x16: ${scales} scales.*</svg>")
    message(SEND_ERROR "sweep.svg is not the expected picture")
endif()
expect(0 "rescale least-noise" quantize ${calibrated} --rescale --save-recipe methods.json)
expect(0 "rescale least-noise" quantize shapes.onnx --calibration calibration.u8 --recipe methods.json)
expect(0 "rescale results" quantize ${calibrated} --rescale=results --grain tensor --method-images 8)

# Without labels there is no top-1; some images are simulated.
expect(0 "first 7 simulated.*top-1 % +- +- +-.*7 of 48 images: 0 of" evaluate ${tested} --simulate 7 --json evaluate.json)
read_number(top1 evaluate.json top1)
read_number(agreement evaluate.json agreement)
if(NOT top1 STREQUAL "") # how CMake says null
    message(SEND_ERROR "evaluate.json: top1 is '${top1}' without labels")
endif()
require(agreement GREATER 80)

# quantize, recipes and models
expect(0 "/depthwise/conv/Conv +Conv.Clip +4 +group:16" quantize ${calibrated} --weights 4 --grain group:16
    --save-recipe recipe.json --export shapes.q.onnx --json quantize.json)
read_number(bits quantize.json layers 1 weights bits)
read_number(grain recipe.json grain)
require(bits EQUAL 4 AND grain STREQUAL "group:16" AND EXISTS "${folder}/shapes.q.onnx")
expect(0 "W4A8, grain group:16" quantize shapes.onnx --calibration calibration.u8 --recipe recipe.json --save-recipe again.json)
file(READ "${folder}/recipe.json" first)
file(READ "${folder}/again.json" again)
require(first STREQUAL again)
expect(0 "W2A8, grain group:16" quantize ${calibrated} --weights 2 --recipe recipe.json)
file(WRITE "${folder}/layers.json" [[{"weights": 4, "layers": {"/depthwise/conv/Conv": {"weights": 8, "grain": "tensor"}}}]])
expect(0 "/depthwise/conv/Conv +Conv.Clip +8 +tensor" quantize ${calibrated} --recipe layers.json)
expect(0 "written to exported.onnx" export shapes.onnx exported.onnx --calibration calibration.u8 ${scaling})
require(EXISTS "${folder}/exported.onnx")

# plans
expect(0 "W3A8, .*split centre:4 with one scale per layer, .*biases corrected on 64 images" quantize ${calibrated} --weights 3
    --rounding results --split centre:4 --split-scale tensor --bias-correction 1000 --save-plan net.plan --export planned.onnx
    --save-recipe many.json)
read_number(images many.json bias_correction)
require(images EQUAL 64)
expect(0 "plan 'net.plan'.*scales of the plan.*48 of 48 images: 0 of .* and 0 of 480 results differ" evaluate shapes.onnx
    --plan net.plan --images test.u8 --labels test_labels.u8 ${scaling} --json planned.json)
read_number(name planned.json settings plan)
require(name STREQUAL "net.plan")
expect(0 "written to again.onnx" export shapes.onnx again.onnx --plan net.plan)
file(SHA256 "${folder}/planned.onnx" first)
file(SHA256 "${folder}/again.onnx" again)
require(first STREQUAL again)
expect(1 "planned.onnx.*: the model is quantized; models of floats are read" inspect planned.onnx)
expect(1 "'shapes.onnx'" export shapes.onnx again.onnx --plan shapes.onnx)
expect(0 "48 of 48 images: 0 of .* and 0 of 480 results differ" evaluate shapes.onnx --plan net.plan --images test.u8
    --recipe many.json)
expect(2 "--weights has been decided in the plan" evaluate shapes.onnx --plan net.plan --images test.u8 --weights 4)
expect(2 "--reorder has been decided in the plan" export shapes.onnx again.onnx --plan net.plan --reorder)
expect(2 "--report needs --calibration" evaluate shapes.onnx --plan net.plan --images test.u8 --report a.html)
expect(2 "a plan does not say how pixels enter; give --scale-input, --mean or --std" evaluate shapes.onnx --plan net.plan
    --images test.u8)
expect(2 "a plan does not say how pixels enter" evaluate shapes.onnx --plan net.plan --images test.u8 --shape 32,32,3)
file(WRITE "${folder}/plain.json" [[{"weights": 4}]])
expect(2 "a plan does not say how pixels enter" evaluate shapes.onnx --plan net.plan --images test.u8 --recipe plain.json)
expect(2 "--mean changes nothing: no pixels enter a plan" export shapes.onnx again.onnx --plan net.plan --mean .5)
expect(2 "--other-recipe name the same file" compare ${tested} --other-recipe plain.json --json plain.json)
expect(2 "--save-plan and --json name the same file|--json and --save-plan name the same file" quantize ${calibrated}
    --save-plan new.plan --json ./new.plan)
expect(2 "--save-plan: (a file without a name|1 required FILE missing)" quantize ${calibrated} --save-plan=)
expect(2 "--calibration or --plan is required" evaluate shapes.onnx --images test.u8)
expect(2 "--save-plan and MODEL name the same file" quantize ${calibrated} --save-plan shapes.onnx)

# reports
expect(0 "top-1" evaluate ${labelled} --weights 4 --report report.html)
expect(0 "W4A8, .*, biases corrected on 32 images" quantize ${calibrated} --weights 4 --bias-correction 32 --report plan.html)
file(READ "${folder}/report.html" html)
if(NOT html MATCHES "^<!doctype html>.*/depthwise/conv/Conv")
    message(SEND_ERROR "report.html is not the expected page")
endif()
require(EXISTS "${folder}/plan.html")

# compare, with itself, with other settings and with arrays
expect(0 "integer / float: SQNR dB.*/classes/Gemm" compare ${tested} --json compare.json)
read_number(cosine compare.json layers 1 "integer / float" cosine)
require(cosine GREATER 0.99)
expect(0 "own / other.*/classes/Gemm .* inf +1.000000 +0.0000\n$" compare ${tested} --recipe recipe.json --other-recipe recipe.json)
expect(1 "'missing.npz' cannot be opened" compare ${tested} --golden missing.npz)
expect(2 "--other-recipe excludes --golden" compare ${tested} --golden a.npz --other-recipe recipe.json)

# bench
expect(0 "calibrated with random pixels" bench shapes.onnx --threads 1 --seconds 1 --rescale --fit results)
expect(2 "not expected: 4 --weights; try notch bench --help" bench shapes.onnx --weights 4)
expect(0 "W2A8 .*steps are [0-9.]+ % of the time of a run" bench shapes.onnx --threads 2 --seconds 1 --json bench.json)
read_number(ms bench.json times 0 ms_per_image)
require(ms GREATER 0)

# Errors name the thing, the number and the limit.
expect(1 "'missing.onnx' cannot be opened" inspect missing.onnx)
expect(1 "'test.u8'.* no ONNX model" inspect test.u8)
expect(1 "'missing.u8' cannot be opened" evaluate shapes.onnx --calibration calibration.u8 --images missing.u8)
expect(1 "'few_labels.u8' has 40 labels for 48 images" evaluate ${tested} --labels few_labels.u8)
string(REPEAT "A" 48 text)
file(WRITE "${folder}/big.u8" "${text}")
expect(1 "label 0 is [0-9]+; the network has 10 results, 0 to 9" evaluate ${tested} --labels big.u8)
expect(1 "'shapes.onnx' has [0-9]+ bytes, no whole number of images of 32,32,3 = 3072 bytes"
    evaluate shapes.onnx --calibration calibration.u8 --images shapes.onnx)
expect(1 "--shape is 16,16,3, and the network 'shapes.onnx' takes images of 32,32,3" evaluate ${tested} --shape 16,16,3)
expect(1 "--scale-input, --mean, --std: .*2 numbers of the mean for 3 channels" evaluate ${plain} --mean 0.5,0.5)
expect(1 "the deviation is 0; it has to be finite and not 0" evaluate ${plain} --std 0)
expect(1 "--scale-input, --mean, --std: pixels: those of channel 0 become 0 to 1e.300; these have to be two different floats"
    evaluate ${plain} --std 1e-300)
file(WRITE "${folder}/unknown.json" [[{"layers": {"conv7": {"weights": 8}}}]])
expect(1 "names the layer 'conv7', which .* does not have" quantize ${calibrated} --recipe unknown.json)
file(WRITE "${folder}/pool.json" [[{"layers": {"/pool/GlobalAveragePool": {"weights": 4}}}]])
expect(1 "'/pool/GlobalAveragePool', which has no weights" quantize ${calibrated} --recipe pool.json)
file(WRITE "${folder}/real.json" [[{"layers": {"/classes/Gemm": {"activations": 2}}}]])
expect(1 "the layer '/classes/Gemm' 2 bits; it stays real" quantize ${calibrated} --recipe real.json)
file(WRITE "${folder}/bits.json" [[{"weights": 9}]])
expect(1 "recipe 'bits.json': 'weights' is 9; it takes a whole number from 2 to 8" quantize ${calibrated} --recipe bits.json)
file(WRITE "${folder}/key.json" [[{"weight": 4}]])
expect(1 "recipe 'key.json': 'weight' is no setting; there are weights, " quantize ${calibrated} --recipe key.json)
file(WRITE "${folder}/twice.json" [[{"weights": 4, "weights": 8}]])
expect(1 "recipe 'twice.json': 'weights' stands there twice" quantize ${calibrated} --recipe twice.json)
string(REPEAT "[" 100000 open)
string(REPEAT "]" 100000 close)
file(WRITE "${folder}/deep.json" "{\"weights\": ${open}${close}}")
expect(1 "recipe 'deep.json' has values inside of values" quantize ${calibrated} --recipe deep.json)
file(WRITE "${folder}/list.json" [[{"mean": [0.5, "x"]}]])
expect(1 "recipe 'list.json': 'mean' is .0.5,.x..; it takes a number" quantize ${calibrated} --recipe list.json)
file(WRITE "${folder}/broken.json" [[{"weights": ]])
expect(1 "recipe 'broken.json' is no JSON" quantize ${calibrated} --recipe broken.json)
execute_process(COMMAND sh -c "head -c 30720 /dev/zero >zeros.u8; \
    printf '\\223NUMPY\\001\\000\\166\\000%-117s\\n' \"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 32, 32)}\"; \
    head -c 12288 /dev/zero; head -c 12288 /dev/zero | tr '\\000' '\\377'" OUTPUT_FILE "${folder}/nan.npy"
    WORKING_DIRECTORY "${folder}" COMMAND_ERROR_IS_FATAL ANY)
expect(1 "--images 'nan.npy': image 1, number 0 is -?nan; images hold finite numbers"
    evaluate shapes.onnx --calibration calibration.u8 --images nan.npy)
expect(1 "--calibration 'zeros.u8': all numbers of the 10 images that are taken are the same"
    quantize shapes.onnx --calibration zeros.u8)

# Command lines that cannot be obeyed.
expect(2 "notch inspect: MODEL is required" inspect)
expect(2 "--calibration is required" quantize shapes.onnx)
expect(2 "--weights is 9; it takes a whole number from 2 to 8" quantize ${calibrated} --weights 9)
expect(2 "--grain is 'row'; it takes tensor, channel, kernel, group:N" quantize ${calibrated} --grain row)
expect(2 "inputs of a group, is 0; it takes a whole number from 1" quantize ${calibrated} --grain group:0)
expect(2 "--scale is 'log'; it takes pot, fixed or real" quantize ${calibrated} --scale log)
expect(2 "--observer is 'max'; it takes minmax, percentile, mse, kl, .*or results" quantize ${calibrated} --observer max)
expect(2 "--split is 'centre'; it takes none, centre:B" quantize ${calibrated} --split centre)
expect(2 "bits of the coarse part, is 9; it takes a whole number from 2 to 8" quantize ${calibrated} --split centre:9)
expect(2 "--first-last is '1'; it takes 0 or a whole number from 2 to 8" quantize ${calibrated} --first-last 1)
expect(2 "--shape is 'nan'; it takes a whole number" quantize ${calibrated} --shape nan)
expect(2 "--rescale is 'all'; it takes none, least-noise, mutual, equalize, results, least-noise-pot, .*results-pot" quantize ${calibrated} --rescale=all)
expect(2 "--grain is 'row'; it takes tensor" sweep ${tested} --grain channel,row)
expect(1 "channels are rewritten .rescale least-noise, .*no common tensor" compare ${tested} --rescale --golden missing.npz)
expect(2 "--mean is 'x'; it takes a number" quantize shapes.onnx --calibration calibration.u8 --mean=x)
expect(2 "--std is given twice" quantize ${calibrated} --std 1)
expect(2 "--json is given twice" quantize ${calibrated} --json a.json --json=a.json)
expect(2 "--json 'missing/a.json': there is no folder 'missing'" inspect shapes.onnx --json missing/a.json)
expect(2 "the ONNX model 'missing/a.onnx': there is no folder 'missing'"
    export shapes.onnx missing/a.onnx --calibration calibration.u8)
expect(2 "--save-recipe '.' is a folder" quantize ${calibrated} --save-recipe .)
expect(2 "--threads is 0; it takes a whole number from 1 to 256" quantize ${calibrated} --threads 0)
expect(2 "--images.* try notch quantize --help" quantize ${calibrated} --images test.u8)
expect(2 "--json and MODEL name the same file" inspect shapes.onnx --json shapes.onnx)
expect(2 "--json and --save-recipe name the same file|--save-recipe and --json name the same file"
    quantize ${calibrated} --json a.json --save-recipe a.json)

file(GLOB left RELATIVE "${folder}" "${folder}/*.part*" "${folder}/*.json.*" "${folder}/a.json")
if(left)
    message(SEND_ERROR "these files were left behind: ${left}")
endif()
