# How our own tests, benchmarks and examples are compiled. Nothing here reaches a user of notch::notch.

set(notch_warning_flags -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Inlined xtensor code is reported as an out-of-bounds access although it comes from a system header.
    list(APPEND notch_warning_flags -Wno-array-bounds)
endif()

add_library(notch_warnings INTERFACE)
target_compile_options(notch_warnings INTERFACE ${notch_warning_flags} $<$<BOOL:${NOTCH_WERROR}>:-Werror>)

# Every executable of ours is declared through this function.
function(notch_own_target target)
    target_link_libraries(${target} PRIVATE notch::notch notch_warnings)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE $<$<BOOL:${NOTCH_NATIVE}>:-march=native>)
endfunction()

if(NOTCH_CCACHE)
    find_program(NOTCH_CCACHE_PROGRAM ccache)
    if(NOTCH_CCACHE_PROGRAM)
        set(CMAKE_CXX_COMPILER_LAUNCHER "${NOTCH_CCACHE_PROGRAM}")
    endif()
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
endif()

# Flags of tests and examples whose time is that of the compiler: what they hold of the library makes nothing of the
# instruction set, or is compiled with full optimisation for the tests of kernels and of build variants. g++ takes two
# thirds of the time of -O1 for -Og, with which it warns of the values of empty optionals. Sanitizers take a third of
# the time without optimisation; notch_busy_flags are for tests that would make up for it at run time. Kernels of each level
# take two thirds of the time of -O3 for -O2; with NOTCH_TEST_VARIANTS they have the flags of the build, and those of others.
set(notch_quick_flags -O1)
set(notch_busy_flags -O1)
set(notch_kernel_flags -O2)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(notch_quick_flags -Og -Wno-maybe-uninitialized)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(notch_quick_flags -O0)
    set(notch_busy_flags "") # those of the build
endif()
if(NOTCH_TEST_VARIANTS OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(notch_kernel_flags "")
endif()
