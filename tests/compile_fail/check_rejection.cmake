# Checks that a compiler rejects one program, and how. Arguments: name, compiler, source, flags_file, xtensor_version.
#
# The first line of the program is "// expect-error: <regex>", in the syntax of CMake. The program must not compile,
# the output must match, and it may have at most 25 lines. When the program names NOTCH_EXPECT_OK, it must compile
# with that macro defined: this proves that the rejected line is the only thing wrong with it.
set(longest_output 25)

if(NOT compiler)
    message("skipped: ${name} is not installed")
    return()
endif()
execute_process(COMMAND "${compiler}" -dumpversion OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
if(name STREQUAL "clang++" AND version VERSION_LESS 16 AND xtensor_version VERSION_GREATER_EQUAL 0.26)
    message("skipped: clang ${version} cannot compile xtensor ${xtensor_version}")
    return()
endif()

file(STRINGS "${source}" first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect-error: (.+)$")
    message(FATAL_ERROR "${source} does not start with \"// expect-error: <regex>\".")
endif()
set(expected "${CMAKE_MATCH_1}")

set(command "${compiler}" "@${flags_file}" -Wall -Wextra -fsyntax-only)
execute_process(COMMAND ${command} "${source}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "${source} compiles, but must be rejected with: ${expected}")
endif()
if(NOT output MATCHES "${expected}")
    message("${output}")
    message(FATAL_ERROR "${source} is rejected, but the output does not match \"${expected}\".")
endif()
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH lines length)
if(length GREATER longest_output)
    message("${output}")
    message(FATAL_ERROR "${source} is rejected with ${length} lines of output; the limit is ${longest_output}.")
endif()

file(READ "${source}" text)
if(text MATCHES "NOTCH_EXPECT_OK")
    execute_process(COMMAND ${command} -DNOTCH_EXPECT_OK "${source}"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message("${output}")
        message(FATAL_ERROR "${source} must compile with NOTCH_EXPECT_OK defined.")
    endif()
endif()
