/// @file
/// What the walks need to know of a quantizer at run time: scale and zero point of a block, range of codes.
///
/// A quantizer is a type, and there are many; the walks over memory depend only on its rounding rule
/// and code type. They see scales through this description, so that the compiler builds them once per
/// rule and code type and not once per quantizer.
#pragma once

#include <notch/core/bits.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/row_plan.hpp>
#include <notch/simd/elementwise.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace notch::detail {

/// real = scale * (code - zero_point).
struct block_map {
    double scale = 1;
    std::int32_t zero_point = 0;
};

/// The maps of all blocks, behind one function, and what is the same for all of them.
struct block_maps {
    const void* params = nullptr;
    void (*read)(const void* params, std::size_t first, std::span<block_map> dst) = nullptr;
    code_range codes{};
    std::uint64_t seed = 0;
    channel_order order{};
};

/// The maps of parameters, which must outlive the result.
template <quantizer_type Q> [[nodiscard]] block_maps maps_of(const quant_params<Q>& params) noexcept {
    const auto read = [](const void* erased, std::size_t first, std::span<block_map> dst) {
        const auto& typed = *static_cast<const quant_params<Q>*>(erased);
        for (std::size_t i = 0; i < dst.size(); ++i)
            dst[i] = {typed.scale(first + i), typed.zero_point(first + i)};
    };
    return {&params, read, Q::codes, params.seed, {params.output_order, params.input_order}};
}

/// The maps of the segments that a piece of a row touches; they are read again only where they change.
template <std::size_t Rank> class piece_maps {
public:
    piece_maps(const block_maps& maps, const row_plan<Rank>& plan) : maps_(maps), plan_(plan) {}

    /// Reads the maps for elements [begin, end) of a row. True where they differ from those of the call before.
    bool read(std::size_t row, std::size_t begin, std::size_t end) {
        const std::size_t first = plan_.outer_block(row) * plan_.segments + begin / plan_.segment;
        const std::size_t count = ceil_div(end, plan_.segment) - begin / plan_.segment;
        if (first == first_block_ && count == current_.size())
            return false;
        first_block_ = first;
        first_segment_ = begin / plan_.segment;
        current_.resize(count);
        maps_.read(maps_.params, first, current_);
        return true;
    }

    /// The first segment that was read.
    [[nodiscard]] std::size_t first_segment() const noexcept { return first_segment_; }
    /// The maps that were read, in the order of the segments.
    [[nodiscard]] std::span<const block_map> current() const noexcept { return current_; }

private:
    block_maps maps_;
    const row_plan<Rank>& plan_;
    std::size_t first_block_ = 0;
    std::size_t first_segment_ = 0;
    std::vector<block_map> current_;
};

/// Codes of a run with one step. `first` is the position of the run, for rules that take random bits.
template <class Arch, rounding Rule, class Code>
[[nodiscard]] bool quantize_one_step(const float* x, std::size_t count, const simd::quantize_step& step,
                                     std::uint64_t seed, std::size_t first, Code* dst, simd::write_path path) noexcept {
    if constexpr (random_rounding<Rule>)
        return simd::quantize_run_random<Arch, Rule>(x, count, step, seed, first, dst);
    else
        return simd::quantize_run<Arch, Rule>(x, count, step, dst, path);
}

/// Segments shorter than this are quantized with a step for every element.
inline constexpr std::size_t short_segment = 8;

/// The steps of consecutive elements, number by number.
class element_steps {
public:
    /// Repeats the steps of maps `repeat` times each.
    void assign(std::span<const block_map> maps, std::size_t repeat, code_range codes) {
        clear();
        for (const block_map& map : maps) {
            const simd::quantize_step step = simd::quantize_step::of(map.scale, map.zero_point, codes);
            inverse_.insert(inverse_.end(), repeat, step.inverse);
            lowest_.insert(lowest_.end(), repeat, step.lowest);
            highest_.insert(highest_.end(), repeat, step.highest);
            zero_point_.insert(zero_point_.end(), repeat, step.zero_point);
        }
    }

    /// The steps from one element on.
    [[nodiscard]] simd::step_arrays from(std::size_t element) const noexcept {
        return {inverse_.data() + element, lowest_.data() + element, highest_.data() + element,
                zero_point_.data() + element};
    }

private:
    void clear() {
        inverse_.clear();
        lowest_.clear();
        highest_.clear();
        zero_point_.clear();
    }

    std::vector<double> inverse_;
    std::vector<float> lowest_;
    std::vector<float> highest_;
    std::vector<std::int32_t> zero_point_;
};

/// Quantizes pieces of rows of one tensor; one object per task, since it remembers steps.
template <class Arch, rounding Rule, class Code, std::size_t Rank> class row_quantizer {
public:
    row_quantizer(const block_maps& maps, const row_plan<Rank>& plan, simd::write_path path)
        : codes_(maps.codes), seed_(maps.seed), plan_(plan), path_(path),
          varies_(!random_rounding<Rule> && plan.segment < short_segment && plan.segments > 1), maps_(maps, plan) {}

    /// Codes of elements [begin, end) of a row, which lie side by side at `x`. False where one is not finite.
    [[nodiscard]] bool operator()(const float* x, std::size_t row, std::size_t begin, std::size_t end, Code* dst) {
        if (maps_.read(row, begin, end))
            prepare();
        const std::size_t first = maps_.first_segment();
        if constexpr (!random_rounding<Rule>)
            if (varies_)
                return simd::quantize_run_varying<Arch, Rule>(x, end - begin, each_.from(begin - first * plan_.segment),
                                                              dst);
        bool finite = true;
        for (std::size_t from = begin; from < end;) {
            const std::size_t segment = from / plan_.segment;
            const std::size_t to = std::min(end, (segment + 1) * plan_.segment);
            finite = quantize_one_step<Arch, Rule>(x + (from - begin), to - from, steps_[segment - first], seed_,
                                                   row * plan_.length + from, dst + (from - begin), path_) &&
                     finite;
            from = to;
        }
        return finite;
    }

private:
    void prepare() {
        if (varies_) {
            each_.assign(maps_.current(), plan_.segment, codes_);
            return;
        }
        steps_.clear();
        for (const block_map& map : maps_.current())
            steps_.push_back(simd::quantize_step::of(map.scale, map.zero_point, codes_));
    }

    code_range codes_;
    std::uint64_t seed_;
    const row_plan<Rank>& plan_;
    simd::write_path path_;
    bool varies_;
    piece_maps<Rank> maps_;
    std::vector<simd::quantize_step> steps_;
    element_steps each_;
};

} // namespace notch::detail
