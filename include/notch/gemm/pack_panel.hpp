/// @file
/// The work of pack: the header of a matrix, then panel after panel. Part of gemm/pack.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace notch::detail {

/// One quantized matrix, its policies turned into numbers.
struct weight_term {
    const std::uint8_t* codes = nullptr; ///< [outputs][inputs], int8 where is_signed
    bool is_signed = true;
    int width = 8;
    scale_kind kind = scale_kind::power_of_two;
    std::size_t outputs = 0;
    std::size_t inputs = 0;
    std::size_t block_outputs = 0;
    std::size_t block_inputs = 0;
    std::size_t blocks = 1; ///< along the inputs
    std::vector<std::int32_t> exponents{};
    std::vector<std::int32_t> multipliers{};
    std::vector<float> reals{};
    std::vector<std::int32_t> zero_points{};
    std::vector<std::uint32_t> output_order{};
    std::vector<std::uint32_t> input_order{};

    /// The number of the quantizer's block that holds a code.
    [[nodiscard]] std::size_t block_of(std::size_t row, std::size_t input) const noexcept {
        return row / block_outputs * blocks + input / block_inputs;
    }
    /// Bits in which codes of this width are stored.
    [[nodiscard]] std::uint32_t stored_bits() const noexcept { return width <= 2 ? 2 : width <= 4 ? 4 : 8; }
    /// The code that is stored as 0.
    [[nodiscard]] std::int32_t base(std::uint32_t bits) const noexcept { return is_signed ? -(1 << (bits - 1)) : 0; }
};

/// A header with the sizes and sections of packed terms. Raises errors for terms that do not go together.
[[nodiscard]] inline packed_header planned_header(std::span<const weight_term> terms, const std::string& name) {
    const weight_term& first = terms[0];
    packed_header head;
    head.outputs = first.outputs;
    head.inputs = first.inputs;
    head.terms = static_cast<std::uint32_t>(terms.size());
    head.kind = static_cast<std::uint32_t>(first.kind);
    std::uint64_t block = 0;
    bool biased = false;
    head.bits = 2;
    head.code_bits = 0;
    for (const weight_term& term : terms) {
        if (terms.size() > 1 && term.kind != scale_kind::power_of_two)
            raise<unsupported_error>(quoted(name), ": two-term weights need power-of-two scales");
        if (term.output_order != first.output_order || term.input_order != first.input_order)
            raise<shape_error>(quoted(name), ": the terms have different channel orders");
        block = std::gcd(block, static_cast<std::uint64_t>(term.block_inputs));
        head.bits = std::max(head.bits, term.stored_bits());
        head.code_bits = std::max(head.code_bits, static_cast<std::uint32_t>(term.width));
    }
    for (const weight_term& term : terms)
        if (term.blocks == 1 && terms.size() > 1) // the whole row, of any length
            block = 0;
    for (const weight_term& term : terms)
        if (term.blocks > 1)
            block = std::gcd(block, static_cast<std::uint64_t>(term.block_inputs));
    head.block = block == 0 ? head.inputs : std::min<std::uint64_t>(block, head.inputs);
    head.blocks = ceil_div(head.inputs, head.block);
    if (first.kind == scale_kind::fixed_point && head.blocks > 1)
        raise<unsupported_error>(quoted(name), ": fixed-point scales change ", head.blocks - 1,
                                 " times along the inputs; use power_of_two (a shift per block) or real_scale there");
    for (const weight_term& term : terms) {
        biased = biased || !term.zero_points.empty() ||
                 (terms.size() > 1 && head.bits < 8 && term.base(head.bits) != first.base(head.bits));
        if (head.blocks > std::numeric_limits<std::uint32_t>::max())
            raise<range_error>(quoted(name), ": ", head.blocks, " blocks");
    }
    head.bias = static_cast<std::uint32_t>(-first.base(head.bits));

    place_sections(head, biased, !first.input_order.empty());
    return head;
}

/// What is known of one depth block of one output.
struct block_facts {
    std::int64_t sum = 0;       ///< of values
    std::int64_t magnitude = 0; ///< of |values|
    std::int32_t largest = 0;   ///< |value|
    std::int32_t exponent = 0;  ///< of its scale, power of two only
};

/// Packs one matrix into bytes that have been planned.
class packer {
public:
    packer(std::span<const weight_term> terms, const std::string& name, packed_header& head, std::byte* bytes)
        : terms_(terms), name_(name), head_(head), bytes_(bytes), facts_(head.depth_blocks() * panel_columns),
          sources_(head.outputs) {
        const auto& order = terms[0].output_order;
        for (std::size_t row = 0; row < head.outputs; ++row)
            sources_[order.empty() ? row : order[row]] = row;
    }

    /// Packs everything.
    void run() {
        for (std::size_t panel = 0; panel < head_.panels(); ++panel) {
            std::fill(facts_.begin(), facts_.end(), block_facts{});
            const std::size_t columns = std::min(panel_columns, head_.outputs - panel * panel_columns);
            for (std::size_t c = 0; c < columns; ++c)
                examine(panel, c);
            for (std::size_t c = 0; c < panel_columns; ++c)
                settle(panel, c, c < columns);
            write_codes(panel, columns);
        }
        if (head_.order != 0)
            std::copy(terms_[0].input_order.begin(), terms_[0].input_order.end(), at<std::uint32_t>(head_.order));
    }

private:
    template <class T> [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<T*>(bytes_ + offset);
    }
    [[nodiscard]] std::size_t table_index(std::size_t panel, std::size_t h, std::size_t c) const noexcept {
        return (panel * head_.depth_blocks() + h) * panel_columns + c;
    }
    [[nodiscard]] const std::uint8_t* codes_of(const weight_term& term, std::size_t output, std::size_t block) const {
        return term.codes + sources_[output] * term.inputs + block * head_.block;
    }
    [[nodiscard]] std::int32_t zero_of(const weight_term& term, std::size_t output, std::size_t block) const {
        return term.zero_points.empty() ? 0 : term.zero_points[term.block_of(sources_[output], block * head_.block)];
    }

    /// Sums of the blocks of one output.
    void examine(std::size_t panel, std::size_t c) {
        const std::size_t output = panel * panel_columns + c;
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const weight_term& term = terms_[h / head_.blocks];
            const std::size_t block = h % head_.blocks;
            block_facts& facts = facts_[h * panel_columns + c];
            const std::int32_t zero = zero_of(term, output, block);
            const simd::code_sums sums =
                simd::sum_codes(codes_of(term, output, block), head_.length(block), term.is_signed, zero);
            facts.sum = sums.sum;
            facts.magnitude = sums.magnitude;
            facts.largest = std::max(sums.highest, -sums.lowest);
            const std::int32_t lowest = term.base(static_cast<std::uint32_t>(term.width));
            const std::int32_t highest = lowest + (1 << term.width) - 1;
            if (sums.lowest + zero < lowest || sums.highest + zero > highest)
                raise<range_error>(quoted(name_), ": output ", output, ", inputs from ", block * head_.block,
                                   ": codes reach from ", sums.lowest + zero, " to ", sums.highest + zero,
                                   ", outside [", lowest, ", ", highest, "] of ", term.width, " bits");
            if (sums.lowest < -128 || sums.highest > 127)
                raise<range_error>(quoted(name_), ": output ", output, ", inputs from ", block * head_.block,
                                   ": values (code - zero point ", zero, ") reach from ", sums.lowest, " to ",
                                   sums.highest, "; kernels take [-128, 127]");
            if (term.kind == scale_kind::power_of_two)
                facts.exponent = term.exponents[term.block_of(sources_[output], block * head_.block)];
        }
    }

    /// The scale, shifts and bound of one output.
    void settle(std::size_t panel, std::size_t c, bool exists) {
        const std::size_t output = panel * panel_columns + c;
        const bool powers = terms_[0].kind == scale_kind::power_of_two;
        std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
        std::int32_t highest = std::numeric_limits<std::int32_t>::min();
        for (std::size_t h = 0; h < head_.depth_blocks() && exists; ++h) {
            const block_facts& facts = facts_[h * panel_columns + c];
            if (facts.magnitude == 0)
                continue;
            lowest = std::min(lowest, facts.exponent);
            highest = std::max(highest, facts.exponent);
        }
        if (lowest > highest) // nothing but zeros: any scale will do
            lowest = highest = exists && powers ? facts_[c].exponent : 0;
        if (powers && highest - lowest > 31)
            raise<range_error>(quoted(name_), ": output ", output, ": exponents of blocks reach from ", lowest, " to ",
                               highest, ", a spread of ", highest - lowest, "; sums of int32 hold at most 31");
        std::int64_t sum = 0;
        std::int64_t magnitude = 0;
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const block_facts& facts = facts_[h * panel_columns + c];
            const std::int32_t shift = powers && facts.magnitude != 0 ? facts.exponent - lowest : 0;
            sum += facts.sum << shift;
            magnitude += facts.magnitude << shift;
            head_.largest_value = std::max(head_.largest_value, static_cast<std::uint32_t>(facts.largest));
            head_.largest_shift = std::max(head_.largest_shift, static_cast<std::uint32_t>(shift));
            const auto shifted =
                std::min<std::int64_t>(std::int64_t{facts.largest} << shift, std::numeric_limits<std::int32_t>::max());
            head_.largest_shifted = std::max(head_.largest_shifted, static_cast<std::uint32_t>(shifted));
            write_block(panel, h, c, exists, shift);
        }
        const std::int64_t bound = 255 * ((magnitude + (sum < 0 ? -sum : sum)) / 2);
        constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
        if (bound > limit)
            raise<range_error>(quoted(name_), ": output ", output, ": sums of products may reach ", bound, ", beyond ",
                               limit, " (", head_.inputs, " inputs, exponents of blocks spread by ", highest - lowest,
                               ")");
        head_.bound = std::max(head_.bound, bound);
        const weight_term& term = terms_[0];
        const std::size_t source = exists ? term.block_of(sources_[output], 0) : 0;
        at<std::int32_t>(head_.sums)[output] = static_cast<std::int32_t>(sum);
        at<std::int32_t>(head_.exponents)[output] = powers                                 ? lowest
                                                    : term.kind == scale_kind::fixed_point ? term.exponents[source]
                                                                                           : 0;
        if (head_.multipliers != 0)
            at<std::int32_t>(head_.multipliers)[output] = term.multipliers[source];
        at<float>(head_.scales)[output] = powers                    ? static_cast<float>(exp2_exact(lowest))
                                          : head_.block_scales != 0 ? 1.0F
                                                                    : term.reals[source];
    }

    /// Shift or scale, and bias, of one depth block of one output.
    void write_block(std::size_t panel, std::size_t h, std::size_t c, bool exists, std::int32_t shift) {
        const weight_term& term = terms_[h / head_.blocks];
        const std::size_t output = panel * panel_columns + c;
        const std::size_t index = table_index(panel, h, c);
        const std::size_t first = (h % head_.blocks) * head_.block;
        if (head_.block_shifts != 0)
            at<std::uint8_t>(head_.block_shifts)[index] = static_cast<std::uint8_t>(shift);
        if (head_.block_scales != 0)
            at<float>(head_.block_scales)[index] = exists ? term.reals[term.block_of(sources_[output], first)] : 0.0F;
        if (head_.biases != 0)
            at<std::uint8_t>(head_.biases)[index] = static_cast<std::uint8_t>(
                (exists ? zero_of(term, output, h % head_.blocks) : 0) - term.base(head_.bits));
    }

    /// The codes of one panel.
    void write_codes(std::size_t panel, std::size_t columns) {
        std::byte* to = bytes_ + head_.codes + panel * head_.panel_bytes();
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const weight_term& term = terms_[h / head_.blocks];
            const std::size_t block = h % head_.blocks;
            simd::code_rows rows;
            rows.length = head_.length(block);
            rows.columns = columns;
            rows.bits = head_.bits;
            for (std::size_t c = 0; c < panel_columns; ++c) {
                const std::size_t output = panel * panel_columns + std::min(c, columns - 1);
                const std::int32_t zero = zero_of(term, output, block);
                rows.rows[c] = codes_of(term, output, block);
                // 8 bits: value = code - zero point. Less: stored code = code - base, and zeros are stored as the bias.
                rows.offset[c] = static_cast<std::uint8_t>(head_.bits == 8 ? -zero : -term.base(head_.bits));
                rows.padding[c] = static_cast<std::uint8_t>(head_.bits == 8 ? 0 : zero - term.base(head_.bits));
            }
            for (std::size_t c = columns; c < panel_columns; ++c)
                rows.padding[c] = static_cast<std::uint8_t>(head_.bits == 8 ? 0 : -term.base(head_.bits));
            simd::interleave_codes(rows, reinterpret_cast<std::uint8_t*>(to));
            to += head_.code_bytes(block);
        }
    }

    std::span<const weight_term> terms_;
    const std::string& name_;
    packed_header& head_;
    std::byte* bytes_;
    std::vector<block_facts> facts_;
    std::vector<std::size_t> sources_; ///< output -> row of the codes
};

/// Packs terms that share their inputs.
[[nodiscard]] inline packed_weights pack_terms(std::span<const weight_term> terms, const std::string& name) {
    packed_header head = planned_header(terms, name);
    aligned_buffer<std::byte> bytes(head.bytes);
    std::memset(bytes.data(), 0, head.codes); // codes are written in full
    packer(terms, name, head, bytes.data()).run();
    std::memcpy(bytes.data(), &head, sizeof head);
    return packed_weights(std::move(bytes), name);
}

} // namespace notch::detail
