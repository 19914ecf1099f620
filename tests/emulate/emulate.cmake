# Tests of instruction sets this processor lacks run on an emulated one (run.sh), all executables of a level in one boot.
#
# notch_emulate(<target> <level> [<argument>...]) adds a test executable; notch_test() calls it.
# notch_emulated_tests() registers one CTest entry emulated.<level> for each level that has executables. It is skipped,
# with a sentence, where the processor has the level, where programs cannot be linked statically, and where the emulator
# is missing.
set(notch_emulated_levels "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT CMAKE_CROSSCOMPILING)
    set(notch_emulated_levels avx512 avx512vnni)
    set(notch_emulated_cpu_avx512 corei7_skylake_x)
    set(notch_emulated_cpu_avx512vnni corei7_icelake_u)
endif()

# Why a level is not emulated: notch_not_emulated_<level>, empty where it is.
foreach(level IN LISTS notch_emulated_levels)
    set(notch_not_emulated_${level} "")
    if("${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize|--coverage")
        set(notch_not_emulated_${level} "sanitizers and coverage need the system they were built on")
    elseif(NOTCH_NATIVE)
        set(notch_not_emulated_${level} "NOTCH_NATIVE compiles for the processor of this machine only")
    else()
        try_run(notch_run_${level} notch_static_${level} "${CMAKE_CURRENT_BINARY_DIR}/emulate/${level}"
                "${CMAKE_CURRENT_LIST_DIR}/lacks_level.cpp"
                COMPILE_DEFINITIONS -DNOTCH_LEVEL_${level} LINK_OPTIONS -static)
        if(NOT notch_static_${level})
            set(notch_not_emulated_${level} "programs cannot be linked statically here")
        elseif(notch_run_${level} EQUAL 0)
            set(notch_not_emulated_${level} "this processor has the instruction sets, and the tests ran on it")
        endif()
    endif()
endforeach()

# Where it is, whether run.sh finds a kernel to boot: notch_can_emulate_<level>.
foreach(level IN LISTS notch_emulated_levels)
    set(notch_can_emulate_${level} NO)
    if(notch_not_emulated_${level} STREQUAL "" AND EXISTS "${PROJECT_SOURCE_DIR}/build/emulate/vmlinuz")
        set(notch_can_emulate_${level} YES)
    endif()
endforeach()

function(notch_emulate target level)
    if(NOT level IN_LIST notch_emulated_levels)
        return()
    endif()
    if(notch_not_emulated_${level} STREQUAL "")
        target_link_options(${target} PRIVATE -static)
    endif()
    set_property(GLOBAL APPEND PROPERTY notch_emulated_${level} --then $<TARGET_FILE:${target}> ${ARGN})
endfunction()

function(notch_emulated_tests)
    foreach(level IN LISTS notch_emulated_levels)
        get_property(programs GLOBAL PROPERTY notch_emulated_${level})
        if(NOT programs)
            continue()
        endif()
        list(POP_FRONT programs)
        if(notch_not_emulated_${level})
            add_test(NAME emulated.${level}
                     COMMAND sh -c "echo 'skipped: not emulated, because ${notch_not_emulated_${level}}'; exit 77")
        else()
            add_test(NAME emulated.${level}
                     COMMAND "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
                             "${PROJECT_SOURCE_DIR}/tests/emulate/run.sh" --cpu ${notch_emulated_cpu_${level}}
                             --timeout 880 --work "${CMAKE_CURRENT_BINARY_DIR}/emulate/${level}" -- ${programs})
        endif()
        set_tests_properties(emulated.${level} PROPERTIES SKIP_RETURN_CODE 77 LABELS emulated TIMEOUT 900)
    endforeach()
endfunction()
