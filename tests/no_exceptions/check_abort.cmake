# Checks that a program aborts and prints what its source announces. Arguments: program, source.
file(STRINGS "${source}" first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect-abort: (.+)$")
    message(FATAL_ERROR "${source} does not start with \"// expect-abort: <regex>\".")
endif()
set(expected "${CMAKE_MATCH_1}")

execute_process(COMMAND "${program}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT result MATCHES "[Aa]bort|SIGABRT")
    message(FATAL_ERROR "${source} must abort, but ended with \"${result}\":\n${output}${errors}")
endif()
if(NOT errors MATCHES "${expected}")
    message(FATAL_ERROR "${source} aborts, but standard error does not match \"${expected}\":\n${errors}")
endif()
