# Finds cblas.h and a library that has it, such as OpenBLAS, as the target Notch::Cblas. What links it multiplies floats on
# CBLAS: the target defines NOTCH_WITH_CBLAS for include/notch/model/float_gemm.hpp.
find_path(NotchCblas_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread)
find_library(NotchCblas_LIBRARY NAMES openblas cblas)
mark_as_advanced(NotchCblas_INCLUDE_DIR NotchCblas_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(NotchCblas REQUIRED_VARS NotchCblas_LIBRARY NotchCblas_INCLUDE_DIR)

if(NotchCblas_FOUND AND NOT TARGET Notch::Cblas)
    add_library(Notch::Cblas UNKNOWN IMPORTED)
    set_target_properties(Notch::Cblas PROPERTIES
        IMPORTED_LOCATION "${NotchCblas_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${NotchCblas_INCLUDE_DIR}"
        INTERFACE_COMPILE_DEFINITIONS NOTCH_WITH_CBLAS)
endif()
