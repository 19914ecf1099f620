/// @file
/// The work of pack, panel after panel. Part of gemm/pack.hpp.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/pack_facts.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/value_sums.hpp>
#include <notch/gemm/weight_term.hpp>
#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace notch::detail {

/// Inputs that are read of a row before the next one's turn comes: what is read and written meanwhile stays in the
/// first-level cache.
inline constexpr std::size_t pack_piece = 512;

/// Packs one matrix into bytes that have been planned.
template <class Arch> class packer {
    using lane = simd::lane_of<Arch>;

public:
    packer(std::span<const weight_term> terms, const std::string& name, packed_header& head, std::byte* bytes)
        : terms_(terms), name_(name), head_(head), bytes_(bytes), facts_(head.depth_blocks()), sources_(head.outputs) {
        const auto& order = terms[0].output_order;
        for (std::size_t row = 0; row < head.outputs; ++row)
            sources_[order.empty() ? row : order[row]] = row;
    }

    /// Packs everything.
    void run() {
        for (std::size_t panel = 0; panel < head_.panels(); ++panel) {
            const bool passes = head_.bits == 8   ? write_codes<8>(panel)
                                : head_.bits == 4 ? write_codes<4>(panel)
                                                  : write_codes<2>(panel);
            if (!passes)
                for (std::size_t c = 0; c < columns_of(panel); ++c)
                    check_codes(panel * panel_columns + c);
            settle(panel);
        }
        if (head_.order != 0)
            std::copy(terms_[0].input_order.begin(), terms_[0].input_order.end(), at<std::uint32_t>(head_.order));
    }

private:
    template <class T> [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<T*>(bytes_ + offset);
    }
    /// Outputs of a panel that exist.
    [[nodiscard]] std::size_t columns_of(std::size_t panel) const noexcept {
        return std::min(panel_columns, head_.outputs - panel * panel_columns);
    }
    [[nodiscard]] std::size_t table_index(std::size_t panel, std::size_t h) const noexcept {
        return (panel * head_.depth_blocks() + h) * panel_columns;
    }

    /// The outputs of a panel in one term. What does not exist is a row of zeros, with the scale of another output.
    struct panel_rows {
        const std::uint8_t* codes[panel_columns];
        std::size_t block[panel_columns]; ///< the quantizer's first block of the output
        simd::code_rows rows;             ///< the present piece
    };
    [[nodiscard]] panel_rows rows_of(const weight_term& term, std::size_t panel) const noexcept {
        static constexpr std::uint8_t nothing[pack_piece] = {};
        const std::size_t columns = columns_of(panel);
        const std::int32_t base = term.base(head_.bits);
        panel_rows result;
        for (std::size_t c = 0; c < panel_columns; ++c) {
            const std::size_t row = sources_[panel * panel_columns + std::min(c, columns - 1)];
            result.codes[c] = term.codes + row * term.inputs;
            result.block[c] = term.block_of(row, 0);
            result.rows.rows[c] = nothing;
            result.rows.zero[c] = static_cast<std::uint8_t>(-base);
        }
        result.rows.offset = static_cast<std::uint8_t>(-base);
        return result;
    }

    /// The codes of one panel, its biases and scales, and what is known of them. False where a code is refused.
    template <int Bits> [[nodiscard]] bool write_codes(std::size_t panel) noexcept {
        auto* to = at<std::uint8_t>(head_.codes) + panel * head_.panel_bytes();
        bool passes = true;
        for (std::size_t t = 0; t < terms_.size(); ++t) {
            panel_rows rows = rows_of(terms_[t], panel);
            const std::size_t length = head_.block_of(t);
            for (std::size_t block = 0, count = 0; block < head_.blocks; block += count) {
                const std::size_t whole = head_.inputs_of(t) / length - block; // blocks that are not cut short
                count = whole < 2 || length % simd::detail::code_granule != 0
                            ? 1
                            : std::clamp<std::size_t>(pack_piece / length, 1, whole);
                passes = (count == 1 ? write_block<Bits>(panel, t, block, rows, to)
                                     : write_blocks<Bits>(panel, t, block, count, rows, to)) &&
                         passes;
                to += count * head_.code_bytes(t * head_.blocks + block);
            }
        }
        return passes;
    }

    /// True where the levels of zeros change from depth block to depth block, or are written down.
    [[nodiscard]] bool has_levels(std::size_t t) const noexcept {
        return !terms_[t].zero_points.empty() || head_.biases != 0;
    }

    /// Levels of zeros and biases of one depth block.
    template <int Bits>
    NOTCH_INLINE void enter_block(std::size_t panel, std::size_t t, std::size_t block, panel_rows& from) noexcept {
        const weight_term& term = terms_[t];
        const std::size_t source = term.blocks == 1 ? 0 : block * head_.block_of(t) / term.block_inputs;
        if (!term.zero_points.empty())
            for (std::size_t c = 0; c < columns_of(panel); ++c)
                from.rows.zero[c] =
                    static_cast<std::uint8_t>(term.zero_points[from.block[c] + source] - term.base(Bits));
        if (head_.biases != 0)
            std::memcpy(at<std::uint8_t>(head_.biases) + table_index(panel, t * head_.blocks + block), from.rows.zero,
                        panel_columns);
    }

    /// Depth blocks that share one scale of the quantizer.
    [[nodiscard]] std::size_t blocks_of_scale(std::size_t t) const noexcept {
        return terms_[t].blocks == 1 ? head_.blocks : terms_[t].block_inputs / head_.block_of(t);
    }

    /// What the quantizer has for the scales of some depth blocks, one after the other: that of output c of depth block b goes to
    /// to[b * step + c]. `columns`: outputs that are written.
    template <class Number>
    NOTCH_INLINE void read_blocks(const Number* numbers, std::size_t t, std::size_t block, std::size_t count,
                                  const panel_rows& from, std::size_t columns, Number* to, std::size_t step) noexcept {
        const std::size_t together = blocks_of_scale(t);
        const Number* rows[panel_columns];
        for (std::size_t c = 0; c < panel_columns; ++c)
            rows[c] = numbers + (from.block[c] + block / together);
        if (together == 1 && columns == panel_columns)
            return simd::transpose_numbers<Arch>(rows, count, to, step);
        for (std::size_t b = 0; b < count; ++b)
            for (std::size_t c = 0; c < columns; ++c)
                to[b * step + c] = rows[c][(block + b) / together - block / together];
    }

    /// The exponents of some depth blocks, and their real scales where kernels need them.
    NOTCH_INLINE void read_scales(std::size_t panel, std::size_t t, std::size_t block, std::size_t count,
                                  const panel_rows& from) noexcept {
        const weight_term& term = terms_[t];
        const std::size_t h = t * head_.blocks + block;
        constexpr std::size_t step = sizeof(block_facts) / sizeof(std::int32_t);
        if (!term.exponents.empty())
            read_blocks(term.exponents.data(), t, block, count, from, panel_columns, facts_[h].exponent, step);
        else
            for (std::size_t b = 0; b < count; ++b)
                std::fill_n(facts_[h + b].exponent, panel_columns, 0);
        if (head_.block_scales != 0) // those of padding stay 0
            read_blocks(term.reals.data(), t, block, count, from, columns_of(panel),
                        at<float>(head_.block_scales) + table_index(panel, h), panel_columns);
    }

    /// The codes of one depth block, piece by piece. False where one is refused.
    template <int Bits>
    [[nodiscard]] bool write_block(std::size_t panel, std::size_t t, std::size_t block, panel_rows& from,
                                   std::uint8_t* to) noexcept {
        const std::size_t length = head_.length(t * head_.blocks + block);
        if (has_levels(t))
            enter_block<Bits>(panel, t, block, from);
        read_scales(panel, t, block, 1, from);
        const level_limits limits(terms_[t], Bits);
        lane excess(0);
        for (std::size_t first = 0; first < length; first += pack_piece) {
            const std::size_t count = std::min(pack_piece, length - first);
            for (std::size_t c = 0; c < columns_of(panel); ++c)
                from.rows.rows[c] = from.codes[c] + (block * head_.block_of(t) + first);
            const simd::level_facts seen =
                simd::interleave_codes<Arch, Bits>(from.rows, count, to + std::size_t{2} * Bits * first);
            block_facts& facts = facts_[t * head_.blocks + block];
            if (first == 0)
                add_piece<true>(from.rows.zero, count, seen, limits, facts, excess);
            else
                add_piece<false>(from.rows.zero, count, seen, limits, facts, excess);
        }
        return !any_negative(excess);
    }

    /// The codes of several short depth blocks, which make one piece.
    template <int Bits>
    [[nodiscard]] bool write_blocks(std::size_t panel, std::size_t t, std::size_t block, std::size_t count,
                                    panel_rows& from, std::uint8_t* to) noexcept {
        constexpr std::size_t most = pack_piece / simd::detail::code_granule;
        std::uint8_t zeros[most * panel_columns];
        simd::level_facts seen[most];
        std::memcpy(zeros, from.rows.zero, panel_columns);
        const std::size_t step = has_levels(t) ? panel_columns : 0; // from the zeros of a block to those of the next
        for (std::size_t b = 0; step != 0 && b < count; ++b) {
            enter_block<Bits>(panel, t, block + b, from);
            std::memcpy(zeros + b * step, from.rows.zero, panel_columns);
        }
        read_scales(panel, t, block, count, from);
        for (std::size_t c = 0; c < columns_of(panel); ++c)
            from.rows.rows[c] = from.codes[c] + block * head_.block_of(t);
        simd::interleave_blocks<Arch, Bits>(from.rows, zeros, step, count, head_.block_of(t), to, seen);
        const level_limits limits(terms_[t], Bits);
        lane excess(0);
        for (std::size_t b = 0; b < count; ++b)
            add_piece<true>(zeros + b * step, head_.block_of(t), seen[b], limits, facts_[t * head_.blocks + block + b],
                            excess);
        return !any_negative(excess);
    }

    [[nodiscard]] std::int32_t zero_of(const weight_term& term, std::size_t output, std::size_t input) const {
        return term.zero_points.empty() ? 0 : term.zero_points[term.block_of(sources_[output], input)];
    }
    /// The codes of a depth block of one output once more, for an error.
    [[nodiscard]] simd::code_sums sums_of(std::size_t output, std::size_t h) const {
        const weight_term& term = terms_[h / head_.blocks];
        const std::size_t first = h % head_.blocks * head_.block_of(h / head_.blocks);
        return simd::sum_codes(term.codes + sources_[output] * term.inputs + first, head_.length(h), term.is_signed,
                               zero_of(term, output, first));
    }

    /// Raises the error of the first depth block of an output whose codes are refused.
    NOTCH_COLD void check_codes(std::size_t output) const {
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
            const weight_term& term = terms_[h / head_.blocks];
            const std::size_t first = h % head_.blocks * head_.block_of(h / head_.blocks);
            const std::int32_t zero = zero_of(term, output, first);
            const simd::code_sums sums = sums_of(output, h);
            const std::int32_t lowest = term.base(static_cast<std::uint32_t>(term.width));
            const std::int32_t highest = lowest + (1 << term.width) - 1;
            if (sums.lowest + zero < lowest || sums.highest + zero > highest)
                raise<range_error>(quoted(name_), ": output ", output, ", inputs from ", first, ": codes reach from ",
                                   sums.lowest + zero, " to ", sums.highest + zero, ", outside [", lowest, ", ",
                                   highest, "] of ", term.width, " bits");
            if (sums.lowest < -128 || sums.highest > 127)
                raise<range_error>(quoted(name_), ": output ", output, ", inputs from ", first,
                                   ": values (code - zero point ", zero, ") reach from ", sums.lowest, " to ",
                                   sums.highest, "; kernels take [-128, 127]");
        }
    }

    /// The smallest and the largest exponent of each output, blocks of zeros left out.
    struct exponent_range {
        std::int32_t lowest[panel_columns];
        std::int32_t highest[panel_columns];
    };
    [[nodiscard]] exponent_range exponents_of_panel() const noexcept {
        constexpr std::int32_t none = std::numeric_limits<std::int32_t>::max();
        exponent_range range;
#pragma GCC unroll 4
        for (std::size_t c = 0; c < panel_columns; c += simd::lane_width<lane>) {
            lane lowest(none);
            lane highest = ~lane(none);
            for (const block_facts& facts : facts_) {
                const lane exponent = simd::load_lane<lane>(facts.exponent + c);
                const lane counts = (lane(0) - simd::load_lane<lane>(facts.magnitude + c)) >> 31; // all bits, or none
                lowest = simd::lane_min(lowest, (exponent & counts) | (~counts & lane(none)));
                highest = simd::lane_max(highest, (exponent & counts) | (~counts & ~lane(none)));
            }
            simd::store_lane(range.lowest + c, lowest);
            simd::store_lane(range.highest + c, highest);
        }
        for (std::size_t c = 0; c < panel_columns; ++c)
            if (range.lowest[c] > range.highest[c]) // nothing but zeros: any scale will do
                range.lowest[c] = range.highest[c] = facts_[0].exponent[c];
        return range;
    }

    /// The scales, shifts and bounds of one panel.
    void settle(std::size_t panel) {
        const exponent_range range = exponents_of_panel();
        std::int32_t spread = 0;
        for (std::size_t c = 0; c < panel_columns; ++c)
            spread = std::max(spread, range.highest[c] - range.lowest[c]);
        if (spread > 31)
            check_bounds(panel, range);
        const panel_facts all = stay_short(spread) ? add_blocks<short_panel_facts<lane>>(panel, range).all()
                                                   : add_blocks<panel_facts>(panel, range);
        for (std::size_t c = 0; c < panel_columns; ++c) {
            constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
            head_.largest_value = std::max(head_.largest_value, static_cast<std::uint32_t>(all.largest[c]));
            head_.largest_shift = std::max(head_.largest_shift, static_cast<std::uint32_t>(all.shift[c]));
            head_.largest_shifted =
                std::max(head_.largest_shifted, static_cast<std::uint32_t>(std::min(all.shifted[c], most)));
            head_.bound = std::max(head_.bound, value_sums{all.sum[c], all.magnitude[c]}.bound());
        }
        if (head_.bound > std::numeric_limits<std::int32_t>::max())
            check_bounds(panel, range);
        for (std::size_t c = 0; c < panel_columns; ++c)
            write_output(panel * panel_columns + c, c < columns_of(panel), range.lowest[c], all.sum[c]);
    }

    /// True where no sum of |value| * 2^shift of a panel can leave int32, whatever the values.
    [[nodiscard]] bool stay_short(std::int32_t spread) const noexcept {
        std::uint64_t inputs = 0;
        for (std::size_t t = 0; t < terms_.size(); ++t)
            inputs += head_.inputs_of(t);
        return spread <= 20 && inputs <= (std::uint64_t{1} << 30 >> head_.bits >> spread);
    }

    /// Adds the depth blocks of a panel, and writes their shifts.
    template <class Facts>
    [[nodiscard]] NOTCH_INLINE Facts add_blocks(std::size_t panel, const exponent_range& range) noexcept {
        Facts all;
        std::uint8_t nowhere[panel_columns];
        const bool has_shifts = head_.block_shifts != 0;
        std::uint8_t* const shifts =
            has_shifts ? at<std::uint8_t>(head_.block_shifts) + table_index(panel, 0) : nowhere;
        for (std::size_t h = 0; h < head_.depth_blocks(); ++h)
            all.add(facts_[h], range.lowest, shifts + (has_shifts ? h * panel_columns : 0));
        return all;
    }

    /// Raises the error of the first output of a panel whose sums could leave int32.
    NOTCH_COLD void check_bounds(std::size_t panel, const exponent_range& range) const {
        for (std::size_t c = 0; c < columns_of(panel); ++c) {
            const std::size_t output = panel * panel_columns + c;
            const std::int32_t spread = range.highest[c] - range.lowest[c];
            if (spread > 31)
                raise<range_error>(quoted(name_), ": output ", output, ": exponents of blocks reach from ",
                                   range.lowest[c], " to ", range.highest[c], ", a spread of ", spread,
                                   "; sums of int32 hold at most 31");
            value_sums total;
            for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
                const simd::code_sums sums = sums_of(output, h);
                const std::int32_t shift = sums.magnitude != 0 ? facts_[h].exponent[c] - range.lowest[c] : 0;
                total.add(sums.sum, sums.magnitude, static_cast<std::uint32_t>(shift));
            }
            constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
            if (const std::int64_t bound = total.bound(); bound > limit)
                raise<range_error>(quoted(name_), ": output ", output, ": sums of products may reach ",
                                   total.magnitude == value_sums::most ? "more than " : "", bound, ", beyond ", limit,
                                   " (", head_.inputs, " inputs, exponents of blocks spread by ", spread, ")");
        }
    }

    /// The sum and the scale of one output. `exponent`: of the scale that sums have, for powers of two.
    void write_output(std::size_t output, bool exists, std::int32_t exponent, std::int64_t sum) const noexcept {
        const weight_term& term = terms_[0];
        const std::size_t source = exists ? term.block_of(sources_[output], 0) : 0;
        if (!exists)
            exponent = 0;
        at<std::int32_t>(head_.sums)[output] = static_cast<std::int32_t>(sum);
        at<std::int32_t>(head_.exponents)[output] =
            term.kind == scale_kind::fixed_point ? term.factors[source].exponent : exponent;
        if (head_.multipliers != 0)
            at<std::int32_t>(head_.multipliers)[output] = term.factors[source].multiplier;
        at<float>(head_.scales)[output] = term.kind == scale_kind::power_of_two
                                              ? static_cast<float>(exp2_exact(exponent))
                                          : head_.block_scales != 0 ? 1.0F
                                                                    : term.reals[source];
    }

    std::span<const weight_term> terms_;
    const std::string& name_;
    packed_header& head_;
    std::byte* bytes_;
    std::vector<block_facts> facts_;   ///< of one panel
    std::vector<std::size_t> sources_; ///< output -> row of the codes
};

/// Packs terms that share their inputs.
template <class Arch>
[[nodiscard]] packed_weights pack_terms(std::span<const weight_term> terms, const std::string& name) {
    packed_header head = planned_header(terms, name);
    aligned_buffer<std::byte> bytes(head.bytes);
    std::memset(bytes.data(), 0, head.codes); // codes are written in full
    packer<Arch>(terms, name, head, bytes.data()).run();
    std::memcpy(bytes.data(), &head, sizeof head);
    return packed_weights(std::move(bytes), name);
}

} // namespace notch::detail
