/// @file
/// Our own convolutions: random filters of a quantizer, packed, with bias, requantization by shift and ReLU.
#pragma once

#include "../difference.hpp"
#include "../random_weights.hpp"
#include "../thread_pool.hpp"
#include "problem.hpp"

#include <notch/conv/conv2d.hpp>
#include <notch/conv/depthwise.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/core/int_math.hpp>
#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/shift_requantize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace bench {

/// Filters whose codes are bits wide, as plain numbers.
struct plain_filters {
    std::vector<std::int32_t> values;    ///< [O, C / groups, KH, KW]
    std::vector<std::int32_t> exponents; ///< [O, C / groups]
    int bits = 0;

    template <class Q> explicit plain_filters(const notch::quantized_tensor<Q, 4>& from) : bits(Q::bits_type::width) {
        const notch::extents<4> shape = from.codes.shape();
        const notch::extents<4> block = Q{}.granularity.block(shape);
        values.assign(from.codes.data(), from.codes.data() + from.codes.size());
        for (std::size_t o = 0; o < shape[0]; ++o)
            for (std::size_t c = 0; c < shape[1]; ++c)
                exponents.push_back(
                    from.params.scales[o / block[0] * notch::ceil_div(shape[1], block[1]) + c / block[1]]);
    }
};

/// What all convolutions of ours have: operands, results, an epilogue, threads.
class conv_base {
public:
    conv_base(std::shared_ptr<const conv_problem> operands, plain_filters filters, std::int32_t zero_point, int threads)
        : operands_(std::move(operands)), filters_(std::move(filters)), result_(operands_->shape.result()),
          pool_(threads), options_{static_cast<std::size_t>(threads), {}} {
        const conv_shape& s = operands_->shape;
        images_ = {{operands_->source.data(), s.image()}, zero_point, image_exponent, 0};
        // Results spread over the codes, as those of the peers do. Exponents of blocks are about -6.
        const double deviation = std::ldexp(operands_->deviation, filters_.bits - 8);
        output_exponent_ = static_cast<std::int32_t>(std::lround(std::log2(deviation / 64.0))) + image_exponent - 6;
        for (const std::int32_t bias : operands_->bias)
            bias_.push_back(bias >> (8 - filters_.bits));
    }

    /// Ends the program where some code is not the one that a simple loop gives. `exponents`: of the sums.
    void check(std::span<const std::int32_t> exponents) const {
        const conv_shape& s = operands_->shape;
        const std::size_t channels = s.channels / s.groups;
        difference result;
        for_some_outputs(s, [&](std::size_t i, std::size_t y, std::size_t x, std::size_t o) {
            std::int64_t sum = bias_[o];
            for_each_tap(s, y, x, o, [&](std::size_t from, std::size_t weight, std::size_t c) {
                const std::int64_t product =
                    std::int64_t{operands_->source[from] - images_.zero_point} * filters_.values[weight];
                sum += product * (std::int64_t{1} << (filters_.exponents[o * channels + c] - exponents[o]));
            });
            const int shift = images_.exponent + exponents[o] - output_exponent_;
            const double real = std::nearbyint(std::ldexp(static_cast<double>(sum), shift));
            result.add(static_cast<int>(std::clamp(real, 0.0, 255.0)), result_.data()[i]);
        });
        if (result.different == 0)
            return;
        result.report("notch " + s.name());
        std::exit(1);
    }

protected:
    static constexpr std::int32_t image_exponent = -4;

    /// Calls convolve(images, epilogue, view of the results, options, threads).
    template <class Convolve> void run(const Convolve& convolve) {
        convolve(images_,
                 notch::stages(notch::add_bias{bias_}, notch::shift_requantize{output_exponent_}, notch::relu{}),
                 result_, options_, pool_);
    }
    /// Memory for calls.
    void give_workspace(std::size_t bytes) {
        workspace_.resize(bytes);
        options_.workspace = workspace_;
    }
    [[nodiscard]] const notch::image_codes<std::uint8_t>& images() const { return images_; }
    [[nodiscard]] std::size_t tasks() const { return options_.tasks; }

private:
    std::shared_ptr<const conv_problem> operands_;
    plain_filters filters_;
    std::vector<std::int32_t> bias_;
    std::int32_t output_exponent_ = 0;
    notch::image_codes<std::uint8_t> images_{};
    notch::dense_tensor<std::uint8_t, 4> result_;
    thread_pool pool_;
    notch::gemm_options options_;
    std::vector<std::byte> workspace_;
};

/// conv2d.
class notch_conv : public conv_base {
public:
    template <class Q>
    notch_conv(const std::shared_ptr<const conv_problem>& operands, const notch::quantized_tensor<Q, 4>& filters,
               std::int32_t zero_point, int threads)
        : conv_base(operands, plain_filters(filters), zero_point, threads), geometry_(operands->shape.geometry()),
          packed_(notch::pack_filters(filters, geometry_)) {
        give_workspace(notch::conv_workspace(images(), packed_, geometry_, tasks()));
        (*this)();
        check(packed_.exponents());
    }

    void operator()() {
        run([this](const auto& images, const auto& epilogue, auto& result, const auto& options, auto& threads) {
            notch::conv2d(images, packed_, geometry_, epilogue, result, options, threads);
        });
    }

private:
    notch::conv_geometry geometry_;
    notch::packed_filters packed_;
};

/// depthwise_conv2d.
class notch_depthwise : public conv_base {
public:
    template <class Q>
    notch_depthwise(const std::shared_ptr<const conv_problem>& operands, const notch::quantized_tensor<Q, 4>& filters,
                    std::int32_t zero_point, int threads)
        : conv_base(operands, plain_filters(filters), zero_point, threads), geometry_(operands->shape.geometry()),
          packed_(notch::pack_depthwise(filters)) {
        give_workspace(notch::depthwise_workspace(images(), packed_, geometry_, tasks()));
        (*this)();
        check(packed_.exponents());
    }

    void operator()() {
        run([this](const auto& images, const auto& epilogue, auto& result, const auto& options, auto& threads) {
            notch::depthwise_conv2d(images, packed_, geometry_, epilogue, result, options, threads);
        });
    }

private:
    notch::conv_geometry geometry_;
    notch::packed_depthwise packed_;
};

} // namespace bench
