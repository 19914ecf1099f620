# Writes the include flags of the third-party libraries and of notch into a file that g++ and clang++ read as @file.
# /usr/include is left out, since naming it on the command line breaks the order of the standard headers.
add_library(notch_include_probe OBJECT EXCLUDE_FROM_ALL catch_main.cpp)
target_link_libraries(notch_include_probe PRIVATE notch_dependencies)

set(notch_include_flags_file "${CMAKE_CURRENT_BINARY_DIR}/include_flags.txt")
set(folders $<FILTER:$<TARGET_PROPERTY:notch_include_probe,INCLUDE_DIRECTORIES>,EXCLUDE,^/usr/include$>)
file(GENERATE OUTPUT "${notch_include_flags_file}" CONTENT
"-std=c++20
-I\"${PROJECT_SOURCE_DIR}/include\"
$<$<BOOL:${folders}>:-isystem\"$<JOIN:${folders},\"
-isystem\">\">
")
