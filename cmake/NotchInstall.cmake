# Installs the headers, the library notch::dispatch where it is built, and a package for find_package(notch).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(notch_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/notch")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/notch"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(TARGETS notch EXPORT notchTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
# A library is of one architecture, headers alone are of none.
set(notch_architecture ARCH_INDEPENDENT)
if(TARGET notch_dispatch)
    install(TARGETS notch_dispatch EXPORT notchTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    set(notch_architecture "")
endif()
install(EXPORT notchTargets NAMESPACE notch:: DESTINATION "${notch_package_dir}")

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/notchConfig.cmake.in" "${PROJECT_BINARY_DIR}/notchConfig.cmake"
    INSTALL_DESTINATION "${notch_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/notchConfigVersion.cmake" COMPATIBILITY SameMinorVersion
    ${notch_architecture})
install(FILES "${PROJECT_BINARY_DIR}/notchConfig.cmake" "${PROJECT_BINARY_DIR}/notchConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/NotchOnnx.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindNotchCblas.cmake"
    DESTINATION "${notch_package_dir}")
