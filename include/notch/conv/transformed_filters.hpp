/// @file
/// Filters of 3 x 3 in the form of minimal filtering, F(2 x 2, 3 x 3): 16 products give four results instead of 36.
///
///     U = (2 G) w (2 G)^T                             of the filter of an output and a channel, once, when packing
///     V = B^T d B                                     of 4 x 4 codes of an image, less their zero point
///     4 Y = A^T (sum over the channels of U o V) A    2 x 2 results; o: element by element
///
///     2 G = 2  0  0      B^T = 1  0 -1  0      A^T = 1  1  1  0
///           1  1  1            0  1  1  0            0  1 -1 -1
///           1 -1  1            0 -1  1  0
///           0  0  2            0  1  0 -1
///
/// after S. Winograd, Arithmetic Complexity of Computations, 1980, and A. Lavin, S. Gray, Fast Algorithms for Convolutional
/// Neural Networks, 2016, section 4.1, with G doubled, so that everything stays whole:
///
///     |U| <= 9 |w| fits int16 where |w| <= 3640, which is checked number by number; w holds absorbed shifts
///     |V| <= 4 * 255 fits int16
///     sums are taken modulo 2^32, and |4 Y| < 2^31 by the bound of the packed weights
///
/// So Y is the sum that the definition has, bit for bit. Two products of int16 are added in int32 at a time, which is as fast
/// as 8-bit codes are multiplied exactly where there is no product of four bytes (gemm/plan.hpp: `pair`). Where there is one,
/// or values are small enough for chains, filters are not transformed.
///
/// Numbers are held for each panel of 16 outputs: [16 elements of U][pairs of channels][16 outputs][2], int16, which is what
/// the microkernels of gemm read. They take 32 / 9 of the bytes of 8-bit filters.
#pragma once

#include <notch/conv/packed_filters.hpp>
#include <notch/core/config.hpp>
#include <notch/core/dense_tensor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/panel_operand.hpp>
#include <notch/gemm/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace notch::detail {

/// Channels from which on 16 products with transforms are faster than 36.
inline constexpr std::size_t transformed_channels = 12;

/// Filters of packed weights, one panel after the other: w[channel][kh][kw][16 outputs], exponents absorbed, terms added.
template <class Arch> class panel_filters {
public:
    /// `choice`: of the family pair, finished once.
    panel_filters(const packed_filters& from, const kernel_choice& choice)
        : from_(from), head_(from.weights().header()), choice_(choice) {
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h)
            steps_ += head_.steps(h);
        stream_.resize(steps_ * step_inputs * panel_columns);
        values_.resize(from.shape()[1] * 9 * panel_columns);
    }
    /// Reads a panel.
    const std::vector<std::int32_t>& operator()(std::size_t panel) {
        panel_position position;
        const row_segment all{0, static_cast<std::uint32_t>(steps_)};
        expand_panel<Arch>({from_.weights().bytes().data()}, choice_, 0, panel, position, &all, 1,
                           reinterpret_cast<std::byte*>(stream_.data()));
        values_.assign(values_.size(), 0);
        std::size_t first = 0; // input of the operand
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            add_block(h, first);
            first += head_.steps(h) * step_inputs;
        }
        return values_;
    }

private:
    /// Adds the taps of a depth block that begins with some input.
    void add_block(std::size_t h, std::size_t first) noexcept {
        const bool is_coarse = h < head_.blocks && head_.terms > 1;
        const filter_taps taps = is_coarse ? from_.coarse() : filter_taps{0, 0, 3, 3};
        const std::size_t channel = h % head_.blocks * from_.block();
        const std::size_t piece = head_.length(h) / taps.height;
        for (std::size_t kh = 0; kh < taps.height; ++kh)
            for (std::size_t kw = 0; kw < taps.width; ++kw)
                for (std::size_t c = 0; c < from_.block() && channel + c < from_.shape()[1]; ++c) {
                    const std::size_t input = first + kh * piece + kw * from_.block() + c;
                    const std::size_t tap = (taps.top + kh) * 3 + taps.left + kw;
                    for (std::size_t o = 0; o < panel_columns; ++o)
                        values_[((channel + c) * 9 + tap) * panel_columns + o] +=
                            stream_[(input / 2 * panel_columns + o) * 2 + input % 2];
                }
    }

    const packed_filters& from_;
    const packed_header& head_;
    const kernel_choice& choice_;
    std::size_t steps_ = 0;
    std::vector<std::int16_t> stream_;
    std::vector<std::int32_t> values_;
};

/// The row of 2 G of three numbers.
[[nodiscard]] constexpr std::int32_t doubled_row(std::size_t row, std::int32_t a, std::int32_t b,
                                                 std::int32_t c) noexcept {
    return row == 0 ? 2 * a : row == 1 ? a + b + c : row == 2 ? a - b + c : 2 * c;
}

/// U of a filter whose taps lie panel_columns numbers apart; false where a number does not fit.
[[nodiscard]] inline bool transform_filter(const std::int32_t* w, std::int16_t (&u)[16]) noexcept {
    bool fits = true;
    for (std::size_t i = 0; i < 4; ++i) {
        std::int32_t t[3];
        for (std::size_t x = 0; x < 3; ++x)
            t[x] = doubled_row(i, w[x * panel_columns], w[(3 + x) * panel_columns], w[(6 + x) * panel_columns]);
        for (std::size_t j = 0; j < 4; ++j) {
            const std::int32_t value = doubled_row(j, t[0], t[1], t[2]);
            fits = fits && std::abs(value) <= 32767;
            u[4 * i + j] = static_cast<std::int16_t>(value);
        }
    }
    return fits;
}

/// True where filters can be transformed, and gain by it, but for numbers that might not fit.
[[nodiscard]] inline bool may_be_transformed(const packed_filters& filters, const kernel_choice& choice) {
    const packed_header& head = filters.weights().header();
    return choice.family == dot_family::pair && choice.finish == dot_finish::once && filters.groups() == 1 &&
           filters.joined() && filters.shape()[2] == 3 && filters.shape()[3] == 3 &&
           filters.shape()[1] >= transformed_channels && head.bound < std::int64_t{1} << 29;
}

/// Transforms filters for an instruction set and those like it. Nothing where they cannot be transformed, or gain nothing.
template <class Arch> [[nodiscard]] transformed_filters transform_filters(const packed_filters& filters) {
    transformed_filters to;
    const packed_header& head = filters.weights().header();
    const kernel_choice choice = choose_kernel(kernel_traits_of<Arch>, head);
    if (!may_be_transformed(filters, choice))
        return to;
    const std::size_t channels = filters.shape()[1];
    to.steps = ceil_div(channels, step_inputs);
    const std::size_t element = to.steps * step_inputs * panel_columns; // numbers of one element of U
    to.values = aligned_buffer<std::int16_t>(head.panels() * 16 * element);
    std::fill_n(to.values.data(), to.values.size(), std::int16_t{0});
    panel_filters<Arch> panels(filters, choice);
    for (std::size_t p = 0; p < head.panels(); ++p) {
        const std::vector<std::int32_t>& values = panels(p);
        for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t o = 0; o < panel_columns; ++o) {
                std::int16_t u[16];
                if (!transform_filter(values.data() + c * 9 * panel_columns + o, u))
                    return {};
                for (std::size_t k = 0; k < 16; ++k)
                    to.values.data()[(p * 16 + k) * element + (c / 2 * panel_columns + o) * 2 + c % 2] = u[k];
            }
    }
    return to;
}

} // namespace notch::detail
