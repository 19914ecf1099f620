# The tests of some rooms once more: with relaxed floating point, with fused multiply-add, without optimisation.
set(sources quant/fitting.cpp quant/golden.cpp quant/onnx.cpp)
notch_test(quant.fast_math SOURCES ${sources} FLAGS -O2 -ffast-math LINK_FLAGS -ffast-math)
notch_test(quant.contracted SOURCES ${sources} FLAGS -O2 -ffp-contract=fast LEVEL ${notch_fma_level})

file(GLOB sources CONFIGURE_DEPENDS simd/*.cpp)
list(FILTER sources EXCLUDE REGEX "/machine\\.cpp$")
notch_test(simd.fast_math SOURCES ${sources} FLAGS -O3 -ffast-math -ffp-contract=fast LINK_FLAGS -ffast-math
           LEVEL ${notch_fma_level})

notch_test(gemm.contracted SOURCES gemm/reference.cpp FLAGS -O2 -ffp-contract=fast LEVEL ${notch_fma_level})
set(helpers gemm/products.cpp gemm/cases.cpp)
set(fast_math FLAGS -O2 -ffast-math -ffp-contract=fast LINK_FLAGS -ffast-math LEVEL ${notch_fma_level})
notch_test(gemm.fast_math SOURCES gemm/matrix.cpp HELPERS ${helpers} ${fast_math})
set(sources epilogue/reals.cpp epilogue/shifts.cpp)
notch_test(epilogue.fast_math SOURCES ${sources} ${fast_math})
file(GLOB sources CONFIGURE_DEPENDS observe/*.cpp)
notch_test(observe.fast_math SOURCES ${sources} FLAGS -O2 -ffast-math LINK_FLAGS -ffast-math)

# Without optimisation a compiler does as it is told: one is enough, and sanitizers take such code from the other.
if(NOT NOTCH_TEST_EVERY_LEVEL)
    return()
endif()
file(GLOB sources CONFIGURE_DEPENDS quant/*.cpp)
list(FILTER sources EXCLUDE REGEX "/canonical\\.cpp$") # bytes
notch_test(quant.unoptimised SOURCES ${sources} FLAGS -O0)
file(GLOB sources CONFIGURE_DEPENDS simd/*.cpp)
list(FILTER sources EXCLUDE REGEX "/machine\\.cpp$")
notch_test(simd.unoptimised SOURCES ${sources} FLAGS -O0 LEVEL ${notch_fma_level})
notch_test(gemm.unoptimised SOURCES gemm/matrix.cpp HELPERS ${helpers} FLAGS -O0 LEVEL ${notch_fma_level})
notch_test(epilogue.unoptimised SOURCES epilogue/reals.cpp epilogue/shifts.cpp FLAGS -O0 LEVEL ${notch_fma_level})
