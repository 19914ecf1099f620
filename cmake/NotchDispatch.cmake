# The static library notch::dispatch: the matrix kernels of every instruction set of the processor family. Each source
# src/dispatch/<isa>.cpp is compiled with the flags of its instruction set, everything else without.
include(CheckCXXSourceCompiles)
include(NotchInstructionSets)

add_library(notch_dispatch STATIC)
add_library(notch::dispatch ALIAS notch_dispatch)
set_target_properties(notch_dispatch PROPERTIES
    EXPORT_NAME dispatch
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON)
target_link_libraries(notch_dispatch PUBLIC notch::notch)
target_compile_options(notch_dispatch PRIVATE ${notch_warning_flags} $<$<BOOL:${NOTCH_WERROR}>:-Werror>)

# Kernels are optimised in every configuration: what is not inlined might be merged with the copy of another unit.
set(notch_dispatch_options -fvisibility=hidden -fno-exceptions
    $<$<OR:$<CONFIG:Debug>,$<STREQUAL:$<CONFIG>,>>:-O2>)

set(notch_dispatch_carried "")
foreach(isa IN LISTS notch_isas)
    # One question for both: does the compiler take the flags, and has notch products for this instruction set?
    set(CMAKE_REQUIRED_FLAGS "-std=c++20 ${notch_isa_${isa}_flags}")
    string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${CMAKE_REQUIRED_FLAGS}")
    set(CMAKE_REQUIRED_INCLUDES "${PROJECT_SOURCE_DIR}/include")
    check_cxx_source_compiles("#include <notch/simd/int_kernels.hpp>
        int main() { return notch::simd::int_ops<notch::simd::${isa}>::tile_rows == 0; }" NOTCH_CAN_DISPATCH_${isa})
    if(NOTCH_CAN_DISPATCH_${isa})
        list(APPEND notch_dispatch_carried ${isa})
        target_sources(notch_dispatch PRIVATE src/dispatch/${isa}.cpp)
        target_compile_definitions(notch_dispatch PRIVATE NOTCH_DISPATCH_${isa})
        set_source_files_properties(src/dispatch/${isa}.cpp TARGET_DIRECTORY notch_dispatch PROPERTIES
            COMPILE_OPTIONS "${notch_isa_${isa}_flags};${notch_dispatch_options}")
    else()
        unset(NOTCH_CAN_DISPATCH_${isa} CACHE) # ask again next time
    endif()
endforeach()
target_sources(notch_dispatch PRIVATE src/dispatch/choice.cpp)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_INCLUDES)
list(JOIN notch_dispatch_carried ", " notch_dispatch_text)
message(STATUS "notch: notch::dispatch carries ${notch_dispatch_text}")
