/// @file
/// float_tensors: every tensor of a float network for a batch of images, and what becomes of its result when one layer
/// alone is quantized.
///
///     float_tensors floats(plan);
///     floats.run(images, count);                     all tensors
///     floats.with_group(g)                           the result, with weights and result of group g as their codes say
///
/// A layer is computed again only where a tensor that it reads has changed. Memory: all tensors of the batch, twice.
#pragma once

#include <notch/core/error.hpp>
#include <notch/deploy/report_types.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/network.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// See above.
class float_tensors {
public:
    /// The plan must outlive it.
    explicit float_tensors(const plan& from)
        : plan_(from), values_(from.net.tensors.size()), changed_(from.net.tensors.size()), logits_(from.net.output) {
        for (const layer& l : from.net.layers)
            if (l.output == from.net.output && std::holds_alternative<softmax>(l.op))
                logits_ = l.inputs[0];
    }

    /// Computes all tensors for images [count, ...] of the network's input.
    void run(std::span<const float> images, std::size_t count) {
        count_ = count;
        values_[plan_.net.input].assign(images.begin(), images.end());
        for (const layer& l : plan_.net.layers)
            compute(l, l.op, values_[l.output], false);
    }
    /// A tensor of the last run.
    [[nodiscard]] const std::vector<float>& operator[](std::size_t tensor) const noexcept { return values_[tensor]; }
    /// The tensor that is the result, before a softmax.
    [[nodiscard]] std::size_t logits() const noexcept { return logits_; }

    /// The result before a softmax of the last run, with weights, bias and result of a group as their codes say.
    [[nodiscard]] const std::vector<float>& with_group(std::size_t g) {
        const planned_group& group = plan_.groups[g];
        for (std::vector<float>& values : changed_)
            values.clear();
        for (std::size_t i = 0; i < plan_.net.layers.size(); ++i) {
            const layer& l = plan_.net.layers[i];
            const bool is_own = i == group.where.layer;
            if (!is_own && std::ranges::none_of(l.inputs, [&](std::size_t t) { return !changed_[t].empty(); }))
                continue;
            compute(l, is_own && group.weights ? with_codes(group, l.op) : l.op, changed_[l.output], true);
            if (l.output == group.where.output && plan_.tensors[l.output])
                round_to_codes(changed_[l.output], *plan_.tensors[l.output]);
        }
        return changed_[logits_].empty() ? values_[logits_] : changed_[logits_];
    }

private:
    void compute(const layer& l, const operation& op, std::vector<float>& to, bool changed) const {
        float_job job;
        for (const std::size_t t : l.inputs) {
            const std::vector<float>& from = changed && !changed_[t].empty() ? changed_[t] : values_[t];
            const std::vector<std::size_t>& shape = plan_.net.tensors[t].shape;
            job.inputs.push_back({from.data(), &shape, element_count(shape)});
        }
        job.shape = &plan_.net.tensors[l.output].shape;
        job.count = element_count(*job.shape);
        job.images = count_;
        to.resize(count_ * job.count);
        job.output = to.data();
        std::visit([&job](const auto& work) { notch::detail::compute<simd::default_arch>(work, job); }, op);
    }
    /// The operation with the weights and the bias that its codes stand for.
    [[nodiscard]] operation with_codes(const planned_group& group, operation op) const {
        const planned_weights& from = *group.weights;
        const tensor_codes& input = *plan_.tensors[group.where.inputs[0]];
        const auto write = [&](auto& to) {
            for (std::size_t k = 0; k < from.codes.size(); ++k) {
                const std::size_t channel = k / from.taps();
                to.weights.values[k] =
                    static_cast<float>(from.value(channel / from.shape[1], channel % from.shape[1], k % from.taps()));
            }
            for (std::size_t o = 0; o < to.bias.size(); ++o)
                to.bias[o] = static_cast<float>(sum_scale(from, input, o) * from.bias[o]);
        };
        if (auto* conv = std::get_if<convolution>(&op))
            write(*conv);
        else if (auto* product = std::get_if<linear>(&op))
            write(*product);
        return op;
    }
    static void round_to_codes(std::vector<float>& values, const tensor_codes& to) noexcept {
        const double lowest = to.lowest() - to.zero_point;
        const double highest = to.highest() - to.zero_point;
        for (float& x : values)
            x = static_cast<float>(to.scale *
                                   std::clamp(std::nearbyint(static_cast<double>(x) / to.scale), lowest, highest));
    }

    const plan& plan_;
    std::vector<std::vector<float>> values_;
    std::vector<std::vector<float>> changed_; ///< empty: as in values_
    std::size_t logits_;
    std::size_t count_ = 0;
};

/// How far results lie from those in floats, over images.
class result_difference {
public:
    /// Results [..., classes, pixels], in floats and otherwise.
    void add(std::span<const float> floats, std::span<const float> others, std::size_t classes, std::size_t pixels) {
        for (std::size_t at = 0; at < floats.size(); at += classes * pixels)
            for (std::size_t p = 0; p < pixels; ++p)
                add_one(floats.subspan(at + p), others.subspan(at + p), classes, pixels);
    }
    /// Mean of sum p log(p / q), and the share of the same largest class.
    [[nodiscard]] sensitivity_report mean() const noexcept {
        const double count = static_cast<double>(std::max<std::size_t>(count_, 1));
        return {std::max(divergence_ / count, 0.0), static_cast<double>(same_) / count};
    }

private:
    void add_one(std::span<const float> a, std::span<const float> b, std::size_t classes, std::size_t stride) {
        const auto largest = [&](std::span<const float> x) {
            std::size_t best = 0;
            for (std::size_t c = 1; c < classes; ++c)
                best = x[c * stride] > x[best * stride] ? c : best;
            return best;
        };
        const auto log_sum = [&](std::span<const float> x, float top) {
            double sum = 0;
            for (std::size_t c = 0; c < classes; ++c)
                sum += std::exp(static_cast<double>(x[c * stride]) - static_cast<double>(top));
            return std::log(sum) + static_cast<double>(top);
        };
        const std::size_t best_a = largest(a);
        const std::size_t best_b = largest(b);
        const double sum_a = log_sum(a, a[best_a * stride]);
        const double sum_b = log_sum(b, b[best_b * stride]);
        for (std::size_t c = 0; c < classes; ++c) {
            const double log_p = static_cast<double>(a[c * stride]) - sum_a;
            divergence_ += std::exp(log_p) * (log_p - (static_cast<double>(b[c * stride]) - sum_b));
        }
        same_ += best_a == best_b ? 1U : 0U;
        ++count_;
    }

    double divergence_ = 0;
    std::size_t same_ = 0;
    std::size_t count_ = 0;
};

} // namespace notch::detail
