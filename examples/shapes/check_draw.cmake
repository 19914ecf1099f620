# Checks what draw_shapes writes and returns. Arguments: command, folder (to write into).
file(MAKE_DIRECTORY "${folder}")

include("${CMAKE_CURRENT_LIST_DIR}/../expect.cmake")

# expect_hash(<file> <sha256>): the hash is that of the whole file, as sha256sum prints it.
function(expect_hash name expected)
    file(SHA256 "${folder}/${name}" hash)
    if(NOT hash STREQUAL expected)
        message(SEND_ERROR "${name}: SHA-256 is ${hash}, expected ${expected}")
    endif()
endfunction()

expect(0 "0 to 9 are\ndisc, ring, .*, checker\\.\n$" --help)
expect(2 "a file to write is missing")
expect(2 "no option '--seeds'" --seeds 1)
expect(2 "--seed is 'x'; it takes a whole number from 0 to 18446744073709551615" --seed x)
expect(2 "--seed is 18446744073709551616;" --seed 18446744073709551616)
expect(2 "--count is 0; it takes a whole number from 1 to 1000000" --count 0)
expect(2 "--count is 1000001;" --count=1000001)
expect(2 "--count is '-1'" --count -1)
expect(2 "--count needs a value" --count)
expect(2 "--count is given twice" --count 1 --count 2)
expect(2 "--images takes the name of a file, and it is empty" --images=)
expect(2 "--images and --labels name the same file, 'a'" --images a --labels a)
expect(2 "--labels and --sheet name the same file" --labels a --sheet a)
expect(1 "cannot write 'missing/a'" --count 1 --images missing/a)
expect(1 "cannot write '\\.'" --count 1 --labels .)

# The first hundred images of seed 1 have the same bytes with every compiler. These hashes were printed by
#   draw_shapes --seed 1 --count 100 --images images --labels labels --sheet sheet.ppm
#   sha256sum images labels sheet.ppm
# A change of them asks for a new training: shapes.onnx and README.md speak of these images.
expect(0 "^$" --seed 1 --count 100 --images images --labels labels --sheet sheet.ppm)
expect_hash(images 0656ece2686b6f23f27878eeffaaaed99d2b8152ad88d6b29a9e6cfe49ae8272)
expect_hash(labels 511b4981145b0e7778278733afb9e7bf1a0918decf99b74c609036ca048e0573)
expect_hash(sheet.ppm c75c1119434d7196744e3528cd3b294956777acb36da552987e9a433f845f938)
if(EXISTS "${folder}/images.part")
    message(SEND_ERROR "images.part was left behind")
endif()

# An image depends on its seed and its number, not on how many are drawn.
expect(0 "^$" --seed=1 --count=7 --images=few)
expect(0 "^$" --seed 2 --count 7 --images others)
file(READ "${folder}/images" first LIMIT 21504 HEX)
file(READ "${folder}/few" few HEX)
file(READ "${folder}/others" others HEX)
if(NOT few STREQUAL first)
    message(SEND_ERROR "7 images are not the first 7 of 100")
endif()
if(others STREQUAL first)
    message(SEND_ERROR "seeds 1 and 2 have the same images")
endif()
