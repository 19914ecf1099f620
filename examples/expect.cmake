# Part of the checks of programs: `command` is the program, `folder` the one it runs in.
cmake_path(GET command STEM program)

# expect(<exit code> <regex> <argument>...): the regex is matched against both output streams.
function(expect code regex)
    execute_process(COMMAND "${command}" ${ARGN}
        WORKING_DIRECTORY "${folder}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL code)
        message(SEND_ERROR "${program} ${ARGN}: exit code ${result}, expected ${code}\n${output}")
    endif()
    if(NOT output MATCHES "${regex}")
        message(SEND_ERROR "${program} ${ARGN}: the output does not match \"${regex}\"\n${output}")
    endif()
endfunction()
