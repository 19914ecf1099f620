/// @file
/// Second moments of what a layer reads and what it should give: all that its square error depends on.
///
///     G = sum of x x^T,   b_o = sum of y_o x,   e_o = sum of y_o^2           over images and positions
///     E_o(w) = sum of (y_o - w^T x)^2 = e_o - 2 w^T b_o + w^T G w            (1)
///
/// x: the inputs of an output, unfolded, in reals that codes stand for; y_o: the float result without its bias. A weight that
/// changes by d changes E_o by -2 d (b_o - G w)_k + d^2 G_kk: so the output error of many candidates costs no convolution.
/// Centred moments leave the means out: what a bias can take back is no error then.
///
/// G is exact: inputs are codes, products of 256 positions fit floats, and doubles add them. Memory: 8 K^2 bytes for each
/// group of channels, K = I KH KW; 85 MB for K = 3,264.
/// Source: methods of PTQ-SL's family evaluate (1) by convolutions; as a quadratic form: Nagel et al., "Up or down?", ICML
/// 2020, equation 12.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/model/float_conv.hpp>
#include <notch/model/float_gemm.hpp>
#include <notch/ptq/layer_numbers.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace notch {

/// Moments of one layer, see above. Inputs of an output: [I, KH, KW].
struct layer_moments {
    std::size_t outputs = 0;        ///< O
    std::size_t depth = 0;          ///< K: inputs of an output
    std::size_t groups = 1;         ///< of channels
    double positions = 0;           ///< images times pixels of the result
    std::vector<double> squares{};  ///< the G of each group, [groups, K, K]
    std::vector<double> products{}; ///< the b of each output, [O, K]
    std::vector<double> energy{};   ///< the e of each output, [O]
    std::vector<double> inputs{};   ///< [groups, K]: sum of x
    std::vector<double> results{};  ///< [O]: sum of y

    /// G of the group of an output.
    [[nodiscard]] const double* gram(std::size_t o) const noexcept {
        return squares.data() + group_of(o) * depth * depth;
    }
    /// The group of an output.
    [[nodiscard]] std::size_t group_of(std::size_t o) const noexcept { return o / (outputs / groups); }
    /// (1). `w`: K weights of output o.
    [[nodiscard]] double error(std::size_t o, std::span<const double> w) const noexcept {
        const double* g = gram(o);
        double total = energy[o];
        for (std::size_t i = 0; i < depth; ++i) {
            double row = 0;
            for (std::size_t j = 0; j < depth; ++j)
                row += g[i * depth + j] * w[j];
            total += w[i] * (row - 2 * products[o * depth + i]);
        }
        return total;
    }
    /// The same about the means.
    [[nodiscard]] layer_moments centred() const {
        layer_moments to = *this;
        if (positions == 0)
            return to;
        for (std::size_t g = 0; g < groups; ++g)
            for (std::size_t i = 0; i < depth; ++i)
                for (std::size_t j = 0; j < depth; ++j)
                    to.squares[(g * depth + i) * depth + j] -=
                        inputs[g * depth + i] * inputs[g * depth + j] / positions;
        for (std::size_t o = 0; o < outputs; ++o) {
            for (std::size_t i = 0; i < depth; ++i)
                to.products[o * depth + i] -= results[o] * inputs[group_of(o) * depth + i] / positions;
            to.energy[o] -= results[o] * results[o] / positions;
        }
        std::ranges::fill(to.inputs, 0.0);
        std::ranges::fill(to.results, 0.0);
        return to;
    }
};

namespace detail {

/// Adds up the moments of one layer, image by image.
class moment_collector {
public:
    /// A layer over images of some extents [C, H, W], with results [O, H, W].
    moment_collector(const layer_numbers& layer, const std::vector<std::size_t>& image,
                     const std::vector<std::size_t>& result)
        : image_(image), result_(result), bias_(layer.bias.begin(), layer.bias.end()) {
        op_.weights.shape = layer.shape;
        op_.window = layer.window;
        op_.groups = layer.groups;
        to_.outputs = layer.shape[0];
        to_.depth = layer.depth();
        to_.groups = layer.groups;
        bias_.resize(to_.outputs, 0.0F);
        const std::size_t k = to_.depth;
        to_.squares.assign(checked_product(checked_product(k, k, "moments"), to_.groups, "moments"), 0);
        to_.products.assign(to_.outputs * k, 0);
        to_.energy.assign(to_.outputs, 0);
        to_.inputs.assign(to_.groups * k, 0);
        to_.results.assign(to_.outputs, 0);
    }

    /// One image. `x`: codes less the zero point; `y`: results in floats, with their bias.
    template <class Arch> void add(const float* x, const float* y) {
        const conv_lines conv(op_, image_, result_);
        const std::size_t pixels = conv.height * conv.width;
        const std::size_t rows = std::clamp<std::size_t>(most_columns / conv.width, 1, conv.height);
        unfolded_.resize(to_.depth * rows * conv.width);
        for (std::size_t g = 0; g < to_.groups; ++g)
            for (std::size_t row = 0; row < conv.height; row += rows) {
                const std::size_t some = std::min(rows, conv.height - row);
                unfold(conv, row, some, x + g * conv.inputs * conv.pixels(), unfolded_.data());
                for (std::size_t first = 0; first < some * conv.width; first += most_columns)
                    add_columns<Arch>(g, some * conv.width, first, std::min(most_columns, some * conv.width - first),
                                      y + g * conv.outputs * pixels + row * conv.width, pixels);
            }
        to_.positions += static_cast<double>(pixels);
    }

    /// The moments of inputs in reals: `scale` is that of the codes.
    [[nodiscard]] layer_moments moments(double scale) const {
        layer_moments to = to_;
        for (double& x : to.squares)
            x *= scale * scale;
        for (double& x : to.products)
            x *= scale;
        for (double& x : to.inputs)
            x *= scale;
        return to;
    }

private:
    /// Some columns of the unfolded image of a group. `y`: of the first output of the group, in the first column of the band.
    template <class Arch>
    void add_columns(std::size_t g, std::size_t stride, std::size_t first, std::size_t count, const float* y,
                     std::size_t pixels) {
        const std::size_t k = to_.depth;
        const float* x = unfolded_.data() + first;
        square_.resize(k * k);
        float_gemm<Arch>(k, k, count, {x, stride}, {x, stride, true}, float_gemm_start::zero, nullptr, square_.data(),
                         k);
        double* squares = to_.squares.data() + g * k * k;
        for (std::size_t i = 0; i < k * k; ++i)
            squares[i] += static_cast<double>(square_[i]);
        column_.resize(k);
        const std::size_t outputs = to_.outputs / to_.groups;
        for (std::size_t p = 0; p < count; ++p) {
            for (std::size_t i = 0; i < k; ++i)
                column_[i] = static_cast<double>(x[i * stride + p]);
            for (std::size_t i = 0; i < k; ++i)
                to_.inputs[g * k + i] += column_[i];
            for (std::size_t o = g * outputs; o < (g + 1) * outputs; ++o) {
                const double result = static_cast<double>(y[(o - g * outputs) * pixels + first + p] - bias_[o]);
                to_.results[o] += result;
                to_.energy[o] += result * result;
                double* products = to_.products.data() + o * k;
                for (std::size_t i = 0; i < k; ++i)
                    products[i] += result * column_[i];
            }
        }
    }

    /// Products of codes of 8 bits, less a zero point, of so many positions are exact in floats.
    static constexpr std::size_t most_columns = 256;
    convolution op_{};
    std::vector<std::size_t> image_;
    std::vector<std::size_t> result_;
    std::vector<float> bias_;
    layer_moments to_{};
    std::vector<float> unfolded_{};
    std::vector<float> square_{};
    std::vector<double> column_{};
};

} // namespace detail
} // namespace notch
