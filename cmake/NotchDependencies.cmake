# Finds xtensor and xsimd, both optional, and gathers them in the target notch_dependencies.
include(NotchFetch)
include(NotchHostHeaders)

add_library(notch_dependencies INTERFACE)

# clang before 16 rejects the out-of-line requires clauses of xtensor 0.26 and newer.
set(NOTCH_OLD_CLANG OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
    set(NOTCH_OLD_CLANG ON)
endif()

foreach(package IN ITEMS xtensor xsimd)
    if(NOT TARGET ${package})
        find_package(${package} QUIET)
    endif()
    if(NOT TARGET ${package} AND CMAKE_CROSSCOMPILING)
        notch_host_headers(${package})
        set(${package}_VERSION "of the build machine")
    endif()
    if(NOT TARGET ${package} AND NOTCH_FETCH_DEPENDENCIES)
        cmake_language(CALL notch_fetch_${package})
        set(${package}_VERSION "as fetched")
    endif()
    if(TARGET ${package})
        message(STATUS "notch: using ${package} ${${package}_VERSION}")
        target_link_libraries(notch_dependencies INTERFACE ${package})
    else()
        message(STATUS "notch: ${package} was not found; the headers compile without it")
    endif()
endforeach()

if(NOTCH_OLD_CLANG AND xtensor_FOUND AND xtensor_VERSION VERSION_GREATER_EQUAL 0.26)
    message(FATAL_ERROR
        "clang ${CMAKE_CXX_COMPILER_VERSION} cannot compile xtensor ${xtensor_VERSION}, which was found in ${xtensor_DIR}. "
        "Use g++ 12 or clang 19, or give an xtensor older than 0.26 by -Dxtensor_DIR=<folder>.")
endif()
if(xsimd_FOUND AND xsimd_VERSION VERSION_LESS 8.1)
    message(FATAL_ERROR
        "notch needs xsimd 8.1 or newer, and ${xsimd_DIR} holds ${xsimd_VERSION}. "
        "Give another one by -Dxsimd_DIR=<folder>, or pass -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON to ignore it.")
endif()
