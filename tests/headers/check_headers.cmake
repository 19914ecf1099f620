# Compiles a file that includes some headers. Arguments: compiler, description, headers, flags, flags_file, warnings, scratch.
list(TRANSFORM headers REPLACE "^(.+)$" "#include <\\1>\n" OUTPUT_VARIABLE lines)
list(JOIN lines "" text)
file(WRITE "${scratch}" "${text}")
execute_process(
    COMMAND "${compiler}" "@${flags_file}" ${warnings} -Werror ${flags} "${scratch}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
    message("${output}")
    list(REMOVE_DUPLICATES headers)
    list(JOIN headers ", " headers)
    message(FATAL_ERROR "${headers} does not compile ${description}.")
endif()
