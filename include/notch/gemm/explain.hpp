/// @file
/// explain: which kernel a product takes, in words, and why none that is faster.
///
///     int4 x u8, avx2 6x16, exponents absorbed, exact
///     weights [64, 256]: power-of-two scales, 8 depth blocks of 32 inputs; 9728 bytes, 4.75 bits per weight
///     products: pairs of bytes in int16, widened after 8 steps (8 * 2 * 255 * 8 = 32640 <= 32767); avx2 has no exact ...
///     sums: at most 360570 in magnitude, 19 of 31 bits
///     operands: rows of uint8 are read in place, others copied; panels are expanded; workspace 4991 bytes (1 row, 1 task)
///
/// Everything is read from choose_kernel, cut_product and the packed header, which are what gemm uses; nothing is decided
/// here. The text is for people and for logs: its wording may change in every version.
#pragma once

#include <notch/core/error.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/gemm/direct_plan.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/panel_operand.hpp>
#include <notch/gemm/plan.hpp>
#include <notch/gemm/row_operand.hpp>
#include <notch/gemm/unpacking_kernel.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace notch {

namespace detail {

/// "1 row", "2 rows".
[[nodiscard]] inline std::string counted(std::uint64_t count, const char* what) {
    return text(count, ' ', what, count == 1 ? "" : "s");
}

/// Operands, instruction set, tile, exponents, exactness: the first line.
template <class Arch>
[[nodiscard]] std::string explain_kernel(const packed_header& head, const kernel_choice& choice,
                                         const gemm_blocking& cut) {
    const bool halves = choice.direct && direct_halves(simd::int_ops<Arch>::has_quad8, head.bits);
    const char* rows = choice.family == dot_family::pair ? "s16"
                       : halves                          ? "two u4"
                       : takes_signed_rows(choice)       ? "s8"
                                                         : "u8";
    std::string line = text(head.terms == 2 ? "two terms of int" : "int", head.code_bits, " x ", rows, ", ", Arch::name,
                            ' ', cut.tile_rows, 'x', cut.tile_panels * panel_columns);
    if (choice.direct)
        line += ", codes unpacked in registers";
    if (choice.absorbs)
        line += ", exponents absorbed";
    else if (choice.finish == dot_finish::shift)
        line += ", a shift per depth block";
    return line + (choice.finish == dot_finish::real ? ", a float sum over depth blocks" : ", exact");
}

/// Extents, scales, grain along the inputs, size.
[[nodiscard]] inline std::string explain_weights(const packed_weights& weights) {
    const packed_header& head = weights.header();
    constexpr const char* kinds[] = {"power-of-two", "fixed-point", "real"};
    std::string line = weights.name().empty() ? std::string("weights") : text("weights '", weights.name(), '\'');
    line += text(" [", head.outputs, ", ", head.inputs, "]: ", kinds[head.kind], " scales, ");
    if (head.blocks == 1)
        line += "one depth block";
    else
        line += text(head.blocks, " depth blocks of ", head.block, " inputs");
    if (head.terms > 1)
        line += " for each term";
    if (head.biases != 0)
        line += ", a bias for each";
    if (head.code_bits != head.bits)
        line += text(", stored in ", head.bits, " bits");
    const double bits = 8.0 * static_cast<double>(head.bytes) / static_cast<double>(head.outputs * head.inputs);
    return line + text("; ", head.bytes, " bytes, ", std::round(bits * 100) / 100, " bits per weight");
}

/// What becomes of exponents or scales of depth blocks in quad and pair, and why nothing cheaper.
[[nodiscard]] inline std::string explain_finish(const packed_header& head, const kernel_choice& choice) {
    const char* operand = choice.family == dot_family::quad ? "int8" : "int16";
    if (choice.finish == dot_finish::real)
        return "; real scales change along the inputs: a float product per depth block";
    if (choice.absorbs)
        return text("; value * 2^shift, at most ", head.largest_shifted, ", fits ", operand);
    if (choice.finish == dot_finish::shift)
        return text("; value * 2^shift reaches ", head.largest_shifted, " (a spread of ", head.largest_shift,
                    ") and does not fit ", operand);
    return {};
}

/// The family, and why no faster one.
template <class Arch>
[[nodiscard]] std::string explain_products(const packed_header& head, const kernel_choice& choice) {
    if (choice.direct && choice.family == dot_family::chain)
        return text("products: pairs of bytes in int16, widened after ", counted(choice.longest_run, "step"),
                    head.block_shifts != 0 ? " by a product with 2^shift" : "", "; ", direct_rows,
                    " rows or fewer multiply stored codes as they are read");
    if (choice.direct)
        return text("products: four bytes to int32; ", direct_rows,
                    " rows or fewer multiply stored codes as they are read");
    if (choice.family == dot_family::quad)
        return "products: four bytes to int32" + explain_finish(head, choice);
    const std::string no_quad = text("; ", Arch::name, " has no exact product of four bytes");
    if (choice.family == dot_family::chain) {
        std::string line = "products: pairs of bytes in int16, widened after " + counted(choice.longest_run, "step");
        line += text(" (", choice.longest_run, " * 2 * 255 * ", head.largest_value, " = ",
                     choice.longest_run * 510 * head.largest_value, " <= 32767)");
        if (choice.absorbs)
            line += text(" by a product with 2^shift, at most 2^", head.largest_shift);
        return line + no_quad;
    }
    std::string line = "products: pairs of int16" + no_quad;
    const std::size_t steps = chain_steps(head.largest_value);
    if (head.block_scales == 0 && steps < shortest_chain)
        line +=
            text(", and sums of bytes times ", head.largest_value, " fit int16 for ", counted(steps, "step"), " only");
    else if (head.block_scales == 0)
        line += text(", and exponents spread by ", head.largest_shift, ", beyond ", chain_shift);
    return line + explain_finish(head, choice);
}

/// The bound of the sums.
[[nodiscard]] inline std::string explain_sums(const packed_header& head) {
    const auto bound = static_cast<std::uint64_t>(head.bound);
    return text("sums: at most ", bound, " in magnitude, ", std::bit_width(bound), " of 31 bits",
                head.block_scales != 0 ? "; rounded to float block by block, in their order" : "");
}

/// Operands and memory.
template <class Arch>
[[nodiscard]] std::string explain_operands(const packed_weights& weights, const kernel_choice& choice, std::size_t rows,
                                           std::size_t tasks) {
    const packed_header& head = weights.header();
    if (choice.direct)
        return text("operands: rows are copied", head.order != 0 ? " in the order of the inputs" : "",
                    head.bits < 8 ? ", with sums for the bias of the codes" : "", "; panels have none; workspace ",
                    gemm_workspace<Arch>(weights, rows, tasks), " bytes (", counted(rows, "row"), ", ",
                    counted(std::max<std::size_t>(tasks, 1), "task"), ')');
    activation_rows side_by_side;
    side_by_side.is_signed = takes_signed_rows(choice);
    std::string line = "operands: ";
    if (rows_in_place(head, choice, side_by_side))
        line += text("rows of ", side_by_side.is_signed ? "int8" : "uint8", " are read in place, others copied");
    else if (head.order != 0)
        line += "rows are gathered, because the inputs have an order";
    else if (choice.family == dot_family::pair)
        line += "rows are widened to int16";
    else
        line += text("rows are copied, because depth blocks of ", head.blocks > 1 ? head.block : head.inputs,
                     " inputs are padded to a multiple of ", step_inputs);
    line += panels_in_place(head, choice) ? "; panels are read in place"
            : unpacks_in_tiles(kernel_traits_of<Arch>, head, choice)
                ? "; panels are unpacked by the kernels, where tiles have rows enough"
                : "; panels are expanded";
    return line + text("; workspace ", gemm_workspace<Arch>(weights, rows, tasks), " bytes (", counted(rows, "row"),
                       ", ", counted(std::max<std::size_t>(tasks, 1), "task"), ')');
}

template <class S> struct stage_count { static constexpr std::size_t value = 1; };
template <class First, class Second> struct stage_count<stage_chain<First, Second>> {
    static constexpr std::size_t value = stage_count<First>::value + stage_count<Second>::value;
};

} // namespace detail

/// Says in five lines, without a newline at the end, which kernel gemm<Arch> takes for products with these weights, why
/// none that is faster, and what it needs. `rows` and `tasks` are those of the product. Few rows have kernels of their own,
/// see gemm/direct_plan.hpp; without a product of four bytes, float sums take them only where the zero point is 0 as int8.
template <class Arch = simd::default_arch>
[[nodiscard]] std::string explain(const packed_weights& weights, std::size_t rows = 1, std::size_t tasks = 1) {
    const detail::packed_header& head = weights.header();
    const detail::kernel_choice choice = detail::choose_for_rows(detail::kernel_traits_of<Arch>, head, rows);
    const detail::gemm_blocking cut = choice.direct ? detail::cut_direct(head, choice, rows, tasks)
                                                    : detail::cut_product<Arch>(head, choice, rows, false, tasks);
    return detail::text(detail::explain_kernel<Arch>(head, choice, cut), '\n', detail::explain_weights(weights), '\n',
                        detail::explain_products<Arch>(head, choice), '\n', detail::explain_sums(head), '\n',
                        detail::explain_operands<Arch>(weights, choice, rows, tasks));
}

/// The same with a sixth line about an epilogue: what enters it, how it runs, or why gemm would refuse it.
template <class Arch = simd::default_arch, epilogue_stage Epilogue>
[[nodiscard]] std::string explain(const packed_weights& weights, const Epilogue& /*epilogue*/, std::size_t rows = 1,
                                  std::size_t tasks = 1) {
    constexpr std::size_t width = simd::lane_width<simd::lane_of<Arch>>;
    const bool floats = weights.header().block_scales != 0;
    std::string line = "\nepilogue: " + detail::counted(detail::stage_count<Epilogue>::value, "stage");
    if (floats && !detail::takes_floats<Epilogue>())
        line += ", refused: sums are floats, and the first stage takes integers; begin with real_requantize or to_real";
    else
        line += detail::text(" on ", floats ? "float" : "int32", " sums, ", width,
                             width == 1 ? " at a time" : " at a time in registers", ", while a tile is in the cache");
    return explain<Arch>(weights, rows, tasks) + line;
}

} // namespace notch
