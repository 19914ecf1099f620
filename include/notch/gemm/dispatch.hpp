/// @file
/// dispatched_gemm: gemm with the kernels of the machine that runs the program, chosen at run time.
///
///     notch::dispatched_gemm(input, packed,
///                            {.bias = bias, .requantization = shift_requantize{-4}, .activation = relu{}}, output);
///
/// gemm() takes the instruction set of the flags of its translation unit. The library notch::dispatch (CMake target,
/// static) has the kernels of every instruction set of the processor family, each compiled with flags of its own;
/// the units that call it need no flags. Results are those of gemm() with the same stages, bit for bit.
///
/// | what          | where it comes from                                                                   |
/// |---------------|---------------------------------------------------------------------------------------|
/// | choice        | once in a program: the strongest of this machine that the library carries              |
/// | override      | the environment variable NOTCH_ISA, or the last argument of a call                     |
/// | epilogues     | those of standard_epilogue; a stage of your own needs gemm() in a unit of your own      |
///
/// Cost beside gemm(): an indirect call per task and per tile, and a few instructions per lane of the epilogue for what
/// is not known before run time. It is not a plug-in interface: library and program are of one version of notch.
#pragma once

#include <notch/core/executor.hpp>
#include <notch/core/rounding.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/activations.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/simd/machine.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <variant>

namespace notch {

/// The epilogues that notch::dispatch carries, as a value:
///
///     add_bias | residual | requantization | activation | add_zero_point
///
/// What keeps its default is left out. The stages are those of gemm(), with their meaning and their errors; behind to_real,
/// and where float sums are stored as they are, no activation and no zero point may stand.
struct standard_epilogue {
    /// A residual: none, or codes that are added to the sums.
    using residual_stage = std::variant<identity, add_residual<std::uint8_t>, add_residual<std::int8_t>>;
    /// From sums to codes or reals; identity stores sums as they are, clamped to the element type.
    using requantization_stage =
        std::variant<identity, shift_requantize<nearest_even>, shift_requantize<nearest_up>,
                     shift_requantize<nearest_away>, shift_requantize<toward_zero>,
                     fixed_point_requantize<single_rounding>, fixed_point_requantize<double_rounding>,
                     real_requantize<nearest_even>, to_real>;
    /// What happens to codes: nothing, or a clamp.
    using activation_stage = std::variant<identity, relu, clamp>;

    std::span<const std::int32_t> bias{};  ///< one per output, see add_bias; empty: none
    residual_stage residual{};             ///< see add_residual
    requantization_stage requantization{}; ///< see shift_requantize, fixed_point_requantize, real_requantize, to_real
    activation_stage activation{};         ///< see relu and clamp
    std::int32_t zero_point = 0;           ///< see add_zero_point
};

/// The instruction sets of this machine whose kernels are linked into the program.
[[nodiscard]] simd::isa_set dispatched_isas();

/// The instruction set that dispatched products use: that of the environment variable NOTCH_ISA where it is set and not
/// empty, else the strongest one of dispatched_isas(). The environment is read once, at the first call that succeeds.
/// Raises unsupported_error for a name that is not in dispatched_isas().
[[nodiscard]] simd::isa dispatched_isa();

/// Bytes of workspace that dispatched_gemm needs, see gemm_workspace. Raises unsupported_error for an instruction set
/// that is not in dispatched_isas().
[[nodiscard]] std::size_t dispatched_gemm_workspace(const packed_weights& weights, std::size_t rows,
                                                    std::size_t tasks = 1, simd::isa which = dispatched_isa());

namespace detail {

/// Element types of a destination.
enum class output_element : std::uint8_t { uint8, int8, int32, float32 };

/// The destination of a product.
struct gemm_output {
    void* data = nullptr;
    output_element element = output_element::uint8;
    extents<2> shape{};
    std::ptrdiff_t row_stride = 0;
    std::ptrdiff_t column_stride = 1;
};

template <class T> [[nodiscard]] gemm_output output_of(const strided_view<T, 2>& view) noexcept {
    constexpr output_element element = std::same_as<T, std::uint8_t>   ? output_element::uint8
                                       : std::same_as<T, std::int8_t>  ? output_element::int8
                                       : std::same_as<T, std::int32_t> ? output_element::int32
                                                                       : output_element::float32;
    return {view.data(), element, view.shape(), view.stride(0), view.extent(1) == 1 ? 1 : view.stride(1)};
}

/// In the library.
void dispatched_gemm_into(const gemm_operand& a, const packed_weights& weights, const standard_epilogue& epilogue,
                          const gemm_output& dst, const gemm_options& options, executor_ref run, simd::isa which);

} // namespace detail

/// Computes what gemm(a, weights, stages, dst, options, run) does, see above. A workspace is one of
/// dispatched_gemm_workspace for the same instruction set. Raises what gemm and the stages raise, and unsupported_error
/// for an instruction set that is not in dispatched_isas() and for a destination that the epilogue does not fit.
template <detail::gemm_left A, class Dst, executor Executor = serial>
void dispatched_gemm(const A& a, const packed_weights& weights, const standard_epilogue& epilogue, Dst&& dst,
                     const gemm_options& options = {}, Executor&& run = {}, simd::isa which = dispatched_isa()) {
    const auto to = as_view(dst);
    using view = std::remove_cvref_t<decltype(to)>;
    static_assert(view::rank == 2, "dispatched_gemm: the destination is [rows, outputs], of rank 2");
    static_assert(detail::output_type<typename view::element_type>::value,
                  "dispatched_gemm: the destination has elements uint8_t, int8_t, int32_t or float, not const");
    detail::dispatched_gemm_into(detail::operand_of(a), weights, epilogue, detail::output_of(to), options,
                                 detail::executor_ref(run), which);
}

} // namespace notch
