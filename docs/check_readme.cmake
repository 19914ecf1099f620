# Checks that the example in README.md is the one in examples/first_steps.cpp, line by line, between its marker
# comments, and that it has at most 16 lines.   cmake -P docs/check_readme.cmake
cmake_minimum_required(VERSION 3.24)
set(longest_example 16)

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH top)
file(READ "${top}/README.md" readme)
file(READ "${top}/examples/first_steps.cpp" program)

if(NOT program MATCHES "// \\[readme\\]\n(.*)// \\[readme\\]\n")
    message(FATAL_ERROR "examples/first_steps.cpp has no part between two lines \"// [readme]\".")
endif()
set(example "${CMAKE_MATCH_1}")

# The first block of C++ in the README.
string(FIND "${readme}" "```cpp\n" begin)
if(begin EQUAL -1)
    message(FATAL_ERROR "README.md has no block of C++.")
endif()
math(EXPR begin "${begin} + 7")
string(SUBSTRING "${readme}" ${begin} -1 rest)
string(FIND "${rest}" "```" end)
if(end EQUAL -1)
    message(FATAL_ERROR "The first block of C++ in README.md does not end.")
endif()
string(SUBSTRING "${rest}" 0 ${end} shown)

if(NOT shown STREQUAL example)
    message(FATAL_ERROR
        "README.md and examples/first_steps.cpp differ. The README shows\n${shown}\nand the example is\n${example}")
endif()
string(REGEX MATCHALL "\n" lines "${example}")
list(LENGTH lines length)
if(length GREATER longest_example)
    message(FATAL_ERROR "The example has ${length} lines; the limit is ${longest_example}.")
endif()
