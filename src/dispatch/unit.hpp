/// @file
/// What the units of notch::dispatch say to each other: numbers and pointers, no object that has code.
///
///     choice.cpp      compiled for every processor: checks, errors, memory, executor; picks a unit
///     <isa>.cpp       compiled for one instruction set: tasks of a product (kernels.hpp), and a table that points to them
///
/// A unit of an instruction set defines no symbol without the tag of that instruction set in its name. The linker could
/// merge any other one with that of a unit of weaker flags, and keep the wrong copy; tests/dispatch/symbols.sh looks.
#pragma once

#include <notch/gemm/dispatch.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <variant>

namespace notch::detail {

/// A standard_epilogue whose stages have been prepared.
struct prepared_epilogue {
    std::size_t requantization = 0;                  ///< index of the alternative
    std::size_t residual = 0;                        ///< index of the alternative
    const std::int32_t* bias = nullptr;              ///< null: none
    add_residual<std::uint8_t> residual_of_uint8{};  ///< where residual is not 0; used where it is 1
    add_residual<std::int8_t> residual_of_int8{};    ///< the same codes; used where residual is 2
    shift_counts counts{};                           ///< of shift_requantize
    fixed_point_requantize<> fixed_point{{}, {}};    ///< of either style
    real_requantize<> real{};                        ///< of real_requantize
    to_real reals{};                                 ///< of to_real
    clamp activation{-0x7fff'ffff - 1, 0x7fff'ffff}; ///< of all codes
    std::int32_t zero_point = 0;                     ///< of the output
};

/// A planned product and what becomes of its sums.
struct dispatched_product {
    const gemm_job* job = nullptr;
    prepared_epilogue epilogue{};
    epilogue_problem problem{}; ///< behind the last stage
    gemm_output dst{};
    bool floats = false; ///< sums are floats
};
static_assert(std::is_trivially_copyable_v<dispatched_product> && std::is_trivially_copyable_v<gemm_job>);

/// The kernels of an instruction set.
struct dispatch_unit {
    simd::isa which;
    kernel_traits traits;
    void (*run_task)(const dispatched_product& product, std::size_t task, std::byte* memory) noexcept;
};

/// Where they are: a constant, so that no code of the unit runs before the unit is chosen.
template <class Arch> struct dispatch_unit_of { static const dispatch_unit table; };

} // namespace notch::detail
