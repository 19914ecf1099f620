# Compiles one header in several modes. Arguments: compiler, header, flags_file, warnings, scratch.
file(WRITE "${scratch}" "#include <${header}>\n#include <${header}>\n")

function(check description)
    execute_process(
        COMMAND "${compiler}" "@${flags_file}" ${warnings} -Werror ${ARGN} "${scratch}"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message("${output}")
        message(FATAL_ERROR "${header} does not compile ${description}.")
    endif()
endfunction()

check("alone and twice" -O2 -c -o /dev/null)
check("without exceptions and without optimisation" -O0 -fno-exceptions -fsyntax-only)
check("with relaxed floating point" -O3 -ffast-math -fsyntax-only)
