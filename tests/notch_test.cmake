# Declares unit tests. Works with Catch2 2 and 3.
#
# notch_test(<name> [SOURCES <file>...] [HELPERS <file>...] [OBJECTS <name>...] [FLAGS <flag>...] [LINK_FLAGS <flag>...]
#            [LIBRARIES <target>...] [LEVEL <level> [EMULATED <argument>...]])
#
# builds the executable test_<name> (dots become underscores) and registers one CTest entry <name>.<file> per source.
# Helpers are compiled too, but hold no tests: what is dear to compile stands there once for all sources.
# With a LEVEL the sources are compiled for that instruction set, and the tests are skipped, with a sentence, on a
# processor that lacks it. Where an emulator has the level (emulate/emulate.cmake), the executable also runs on that, as a
# whole, unless it needs LIBRARIES; EMULATED gives arguments for this run, such as ~[slow]. Nothing happens when there are
# no sources.
#
# notch_test_objects(<name> SOURCES <file>... [HELPERS <file>...] [FLAGS <flag>...])
#
# compiles tests once for several executables, which name them as OBJECTS and have an entry for each source. Kernels do not
# belong there: they are compiled for each level.
include(levels.cmake)
include(emulate/emulate.cmake)

if(NOT TARGET Catch2::Catch2)
    find_package(Catch2 QUIET)
endif()
if(NOT TARGET Catch2::Catch2 AND CMAKE_CROSSCOMPILING AND EXISTS "${NOTCH_HOST_INCLUDE_DIR}/catch2/catch.hpp")
    notch_host_headers(catch2)
    add_library(Catch2::Catch2 ALIAS catch2)
    set(Catch2_VERSION 2)
endif()
if(NOT TARGET Catch2::Catch2 AND NOTCH_FETCH_DEPENDENCIES)
    notch_fetch_catch2()
    set(Catch2_VERSION 3)
endif()
if(NOT TARGET Catch2::Catch2)
    message(FATAL_ERROR "The tests need Catch2. Install it, or pass -DNOTCH_FETCH_DEPENDENCIES=ON or -DNOTCH_BUILD_TESTS=OFF.")
endif()

# An expression that matches no test must fail; this is the default only since Catch2 3.
set(notch_catch_arguments "")
if(Catch2_VERSION VERSION_LESS 3)
    set(notch_catch_arguments -w NoTests)
endif()

add_library(notch_catch_main OBJECT catch_main.cpp)
target_link_libraries(notch_catch_main PRIVATE Catch2::Catch2)
target_compile_features(notch_catch_main PRIVATE cxx_std_20)

target_compile_options(notch_catch_main PRIVATE ${notch_quick_flags})

# The header of Catch2 is parsed once for a target of several files: as dear as three of them. It switches off a warning, which
# g++ does not read back from what is precompiled.
function(notch_precompile target)
    list(LENGTH ARGN count)
    if(count GREATER 4)
        target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/catch.hpp")
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-parentheses>)
    endif()
endfunction()

function(notch_test_objects name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HELPERS;FLAGS")
    set(target test_objects_${name})
    add_library(${target} OBJECT ${arg_SOURCES} ${arg_HELPERS})
    notch_own_target(${target})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_compile_options(${target} PRIVATE ${arg_FLAGS})
    target_link_libraries(${target} PRIVATE Catch2::Catch2)
    set_target_properties(${target} PROPERTIES notch_tests "${arg_SOURCES}")
    notch_precompile(${target} ${arg_SOURCES})
endfunction()

function(notch_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LEVEL" "SOURCES;HELPERS;OBJECTS;FLAGS;LINK_FLAGS;LIBRARIES;EMULATED")
    set(tests ${arg_SOURCES})
    set(objects "")
    foreach(list IN LISTS arg_OBJECTS)
        get_target_property(sources test_objects_${list} notch_tests)
        list(APPEND tests ${sources})
        list(APPEND objects $<TARGET_OBJECTS:test_objects_${list}>)
    endforeach()
    if(NOT tests)
        return()
    endif()
    string(REPLACE "." "_" target "test_${name}")
    add_executable(${target} ${arg_HELPERS} ${arg_SOURCES} ${objects})
    notch_own_target(${target})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_compile_options(${target} PRIVATE ${arg_FLAGS})
    target_link_options(${target} PRIVATE ${arg_LINK_FLAGS})
    notch_precompile(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE notch_catch_main Catch2::Catch2 ${arg_LIBRARIES})
    if(arg_LEVEL)
        target_compile_options(${target} PRIVATE ${notch_level_${arg_LEVEL}_flags})
        target_link_libraries(${target} PRIVATE notch_require_${arg_LEVEL})
        if(NOT arg_LIBRARIES)
            notch_emulate(${target} ${arg_LEVEL} ${notch_catch_arguments} ${arg_EMULATED})
        endif()
    endif()
    foreach(source IN LISTS tests)
        cmake_path(GET source STEM stem)
        # Option -# makes the file name a tag, so that one executable serves one CTest entry per file.
        add_test(NAME ${name}.${stem} COMMAND ${target} "-#" ${notch_catch_arguments} "[#${stem}]")
        set_tests_properties(${name}.${stem} PROPERTIES SKIP_RETURN_CODE 77 LABELS unit)
    endforeach()
endfunction()
