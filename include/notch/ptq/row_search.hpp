/// @file
/// The search for the scales of one row of blocks. Part of sub_layer_scales.hpp, which says what is tried.
#pragma once

#include <notch/core/int_math.hpp>
#include <notch/ptq/block_rows.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/refine_options.hpp>
#include <notch/ptq/weight_codes.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace notch::detail {

/// Searches the scales of one row of blocks.
class row_search {
public:
    row_search(block_row& row, const planned_weights& weights, std::size_t first_output, scale_form form, double floor,
               const scale_search_options& options)
        : row_(row), has_base_(weights.coarse.has_value()), has_multipliers_(!weights.multipliers.empty()), form_(form),
          floor_(std::max(floor, exp2_exact(-100))), options_(options), top_code_(range_of(weights.bits).highest),
          depth_(weights.shape[1] * weights.taps()) {
        const std::size_t taps = weights.taps();
        for (std::size_t h = 0; h < weights.blocks(); ++h) {
            begins_.push_back(h * weights.block_inputs * taps);
            scales_.push_back(weights.scale(first_output, h * weights.block_inputs));
        }
        begins_.push_back(depth_);
    }

    /// The best scales; `coarser`: other scales to start at, or empty.
    [[nodiscard]] std::vector<double> search(const std::vector<double>& coarser) {
        start(scales_);
        if (!coarser.empty())
            consider_start(coarser);
        if (form_ == scale_form::power_of_two || has_base_) {
            for (std::size_t pass = 0; pass < options_.passes && step_powers(pass == 0 ? 3 : 1); ++pass) {
            }
        } else if (scales_.size() == 1) {
            search_grid();
        } else if (has_multipliers_) {
            for (std::size_t pass = 0; pass < options_.passes && step_freely(); ++pass) {
            }
        } else {
            search_bases();
        }
        return scales_;
    }

private:
    [[nodiscard]] double score() const { return row_.score(options_.metric); }
    /// Rounds all blocks.
    void start(const std::vector<double>& scales) {
        row_.clear();
        scales_ = scales;
        for (std::size_t h = 0; h < scales.size(); ++h)
            row_.apply(begins_[h], begins_[h + 1], scales[h]);
    }
    /// Keeps other scales where they are better.
    void consider_start(const std::vector<double>& other) {
        const std::vector<double> own = scales_;
        const double before = score();
        start(other);
        if (!(score() < before))
            start(own);
    }
    void keep(std::size_t h, double scale) {
        row_.apply(begins_[h], begins_[h + 1], scale);
        scales_[h] = scale;
    }
    /// The best among candidates for a block; true where it is another one than before.
    bool choose(std::size_t h, std::span<const double> candidates) {
        double best = scales_[h];
        double least = score();
        for (const double scale : candidates) {
            if (scale < floor_ || scale == scales_[h])
                continue;
            const double found = row_.score(options_.metric, row_.change(begins_[h], begins_[h + 1], scale));
            if (found < least) {
                least = found;
                best = scale;
            }
        }
        if (best == scales_[h])
            return false;
        keep(h, best);
        return true;
    }
    bool step_powers(int below) {
        bool changed = false;
        for (std::size_t h = 0; h < scales_.size(); ++h) {
            std::vector<double> candidates{2 * scales_[h]};
            for (int k = 1; k <= below; ++k)
                candidates.push_back(scales_[h] * exp2_exact(-k));
            changed = choose(h, candidates) || changed;
        }
        return changed;
    }
    /// Steps of 2^(1/8); multipliers round what is found to as much.
    bool step_freely() {
        bool changed = false;
        for (std::size_t h = 0; h < scales_.size(); ++h) {
            std::vector<double> candidates;
            for (int i = -8; i <= 4; ++i)
                candidates.push_back(as_float(scales_[h] * std::exp2(i / 8.0)));
            changed = choose(h, candidates) || changed;
        }
        return changed;
    }
    void search_grid() {
        const double whole = row_.largest(0, depth_) / (top_code_ + 0.5);
        if (whole == 0)
            return;
        std::vector<double> candidates;
        for (std::size_t i = 0; i <= options_.candidates; ++i)
            candidates.push_back(
                as_float(whole * (options_.lowest + (options_.highest - options_.lowest) * static_cast<double>(i) /
                                                        static_cast<double>(options_.candidates))));
        choose(0, candidates);
    }
    /// Bases for a row whose scales are a base times powers of two.
    void search_bases() {
        std::vector<double> best = scales_;
        double least = score();
        const std::vector<double> from = scales_;
        const double top = *std::ranges::max_element(from);
        for (int i = -12; i <= 8; ++i) {
            const double base = as_float(top * std::exp2(static_cast<double>(i) / 16));
            std::vector<double> snapped;
            for (const double scale : from)
                snapped.push_back(base * exp2_exact(-std::clamp(nearest_power(base / scale), 0, block_spread)));
            if (*std::ranges::min_element(snapped) < floor_)
                continue;
            start(snapped);
            for (std::size_t pass = 0; pass < options_.passes && step_below(base); ++pass) {
            }
            if (score() < least) {
                least = score();
                best = scales_;
            }
        }
        start(best);
    }
    bool step_below(double base) {
        bool changed = false;
        for (std::size_t h = 0; h < scales_.size(); ++h) {
            std::vector<double> candidates;
            if (2 * scales_[h] <= base)
                candidates.push_back(2 * scales_[h]);
            if (scales_[h] * exp2_exact(block_spread) > base)
                candidates.push_back(scales_[h] / 2);
            changed = choose(h, candidates) || changed;
        }
        return changed;
    }
    /// k of the 2^k that is nearest, in logarithms.
    [[nodiscard]] static int nearest_power(double x) { return static_cast<int>(std::nearbyint(std::log2(x))); }

    block_row& row_;
    bool has_base_; // that of the coarse part
    bool has_multipliers_;
    scale_form form_;
    double floor_;
    const scale_search_options& options_;
    double top_code_;
    std::size_t depth_;
    std::vector<std::size_t> begins_{};
    std::vector<double> scales_{};
};

} // namespace notch::detail
