# Installs the build tree into an empty folder. Arguments: build_tree, config, prefix.
file(REMOVE_RECURSE "${prefix}")
execute_process(
    COMMAND ${CMAKE_COMMAND} --install "${build_tree}" --config "${config}" --prefix "${prefix}"
    COMMAND_ERROR_IS_FATAL ANY)
