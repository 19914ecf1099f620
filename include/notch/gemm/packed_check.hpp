/// @file
/// What makes bytes packed weights: the checks of gemm/packed_file.hpp. Kernels trust the header and the tables, so that
/// whatever a number of theirs promises is counted here again, from the codes.
///
/// | who relies on it                         | what is checked                                                            |
/// |------------------------------------------|----------------------------------------------------------------------------|
/// | every access to memory                   | sizes fit the bytes; sections lie where pack places them; order a permutation |
/// | int32 sums are exact; shifts are defined | `bound` and shifts <= 31 from the codes, and bound < 2^31                  |
/// | the choice of a kernel that is exact     | `largest_value`, `largest_shift`, `largest_shifted` from the codes         |
/// | zero points of activations               | `sums` from the codes; padding is 0                                        |
/// | epilogues                                | exponents, multipliers and scales in range, and one scale told twice is the same |
///
/// Cost: the codes are read once, after the checksum has read everything once; no allocation but a bit per input where
/// there is an order.
#pragma once

#include <notch/core/checksum.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_sums.hpp>
#include <notch/gemm/packed_weights.hpp>
#include <notch/gemm/value_sums.hpp>
#include <notch/quant/scale.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace notch::detail {

/// Sum of the bytes of packed weights, with the checksum of the header taken for 0.
[[nodiscard]] inline std::uint64_t packed_checksum(packed_header head, std::span<const std::byte> bytes) noexcept {
    head.checksum = 0;
    checksum_stream sum;
    sum.add(std::as_bytes(std::span(&head, 1)));
    sum.add(bytes.subspan(sizeof head));
    return sum.value();
}

/// Checks bytes; everything raises format_error that says which number is wrong.
class packed_checker {
public:
    packed_checker(std::span<const std::byte> bytes, std::string_view name) noexcept : bytes_(bytes), name_(name) {}

    /// Checks the header: a look at 256 bytes. Bytes of any alignment.
    void check_header() {
        if (bytes_.size() < sizeof head_)
            fail("truncated: ", bytes_.size(), " bytes, the header has ", sizeof head_);
        std::memcpy(&head_, bytes_.data(), sizeof head_);
        const packed_header expected;
        if (std::memcmp(head_.magic, expected.magic, sizeof head_.magic) != 0)
            fail("foreign bytes: magic is not \"", std::string_view(expected.magic, sizeof expected.magic), "\"");
        if (head_.byte_order != expected.byte_order)
            fail("byte_order is ", head_.byte_order, ", not ", expected.byte_order,
                 ": packed on a machine of another byte order, or damaged");
        if (head_.version != expected.version)
            fail("version ", head_.version, "; this library reads version ", expected.version);
        if (head_.layout != expected.layout || head_.isa != expected.isa)
            fail("layout ", head_.layout, " for isa ", head_.isa, "; this library reads layout ", expected.layout,
                 " for isa ", expected.isa, ", which is any");
        if (head_.bytes != bytes_.size())
            fail(head_.bytes > bytes_.size() ? "truncated: " : "bytes behind the end: ", "there are ", bytes_.size(),
                 ", bytes is ", head_.bytes);
    }

    /// Checks everything. The bytes lie at a multiple of 64 bytes.
    void check() {
        check_header();
        if (const std::uint64_t found = packed_checksum(head_, bytes_); found != head_.checksum)
            fail("damaged: the checksum of the bytes is ", found, ", the stored one is ", head_.checksum);
        check_sizes();
        check_sections();
        check_gaps();
        check_scales();
        check_order();
        check_codes();
    }

private:
    /// Where a depth block stands, for messages.
    struct block_place {
        std::size_t panel;
        std::size_t depth_block;
        [[nodiscard]] std::string of(std::size_t c) const {
            return text("output ", panel * panel_columns + c, ", depth block ", depth_block);
        }
    };
    /// One section of the header.
    struct section_place {
        const char* name;
        std::uint64_t packed_header::*offset;
    };
    static constexpr section_place sections[] = {{"exponents", &packed_header::exponents},
                                                 {"multipliers", &packed_header::multipliers},
                                                 {"scales", &packed_header::scales},
                                                 {"sums", &packed_header::sums},
                                                 {"block_scales", &packed_header::block_scales},
                                                 {"block_shifts", &packed_header::block_shifts},
                                                 {"biases", &packed_header::biases},
                                                 {"order", &packed_header::order},
                                                 {"codes", &packed_header::codes}};

    template <class T> [[nodiscard]] const T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<const T*>(bytes_.data() + offset);
    }

    /// Sizes that the bytes can hold, so that no product of them leaves 64 bits.
    void check_sizes() const {
        const std::size_t size = bytes_.size();
        if (head_.bits != 8 && head_.bits != 4 && head_.bits != 2)
            fail("bits is ", head_.bits, "; codes are stored in 8, 4 or 2");
        if (head_.kind > static_cast<std::uint32_t>(scale_kind::real))
            fail("kind is ", head_.kind, ", no kind of scales");
        const auto kind = static_cast<scale_kind>(head_.kind);
        if (head_.terms != 1 && !(head_.terms == 2 && kind == scale_kind::power_of_two))
            fail("terms is ", head_.terms, "; there is 1, or 2 with power-of-two scales");
        if (head_.outputs == 0 || head_.outputs > size) // 12 bytes each
            fail("outputs is ", head_.outputs, " in ", size, " bytes");
        if (head_.inputs == 0 || head_.inputs > size) // 16 codes each
            fail("inputs is ", head_.inputs, " in ", size, " bytes");
        if (head_.block == 0 || head_.block > head_.inputs)
            fail("block is ", head_.block, " of ", head_.inputs, " inputs");
        if (head_.blocks != ceil_div(head_.inputs, head_.block))
            fail("blocks is ", head_.blocks, " for ", head_.inputs, " inputs in blocks of ", head_.block);
        if (head_.first_inputs != 0 || head_.first_block != 0)
            fail("first_inputs is ", head_.first_inputs, " and first_block ", head_.first_block,
                 "; both are 0 in files");
        if (kind == scale_kind::fixed_point && head_.blocks != 1)
            fail("blocks is ", head_.blocks, "; fixed-point scales do not change along the inputs");
        if (head_.panels() > size / head_.panel_bytes())
            fail("outputs is ", head_.outputs, " and inputs ", head_.inputs, ", too many for ", size, " bytes");
        const std::uint32_t stored = head_.code_bits <= 2 ? 2 : head_.code_bits <= 4 ? 4 : 8;
        if (head_.code_bits < 2 || head_.code_bits > 8 || stored != head_.bits)
            fail("code_bits is ", head_.code_bits, " where codes are stored in ", head_.bits);
        if (head_.bias != 0 && head_.bias != 1U << (head_.bits - 1))
            fail("bias is ", head_.bias, " for ", head_.bits, " bits");
        for (const std::uint64_t number : head_.reserved)
            if (number != 0)
                fail("reserved holds ", number, ", not 0");
    }

    /// Offsets as pack chooses them: that leaves no room for overlaps.
    void check_sections() const {
        packed_header planned = head_;
        place_sections(planned, head_.biases != 0, head_.order != 0);
        for (const section_place& section : sections)
            if (head_.*section.offset != planned.*section.offset)
                fail(section.name, " lie at ", head_.*section.offset, ", not at ", planned.*section.offset);
        if (head_.bytes != planned.bytes)
            fail("bytes is ", head_.bytes, ", the sections have ", planned.bytes);
    }

    /// Zeros between the sections: equal weights have equal bytes.
    void check_gaps() const {
        const std::size_t table = head_.panels() * panel_columns * head_.depth_blocks();
        const auto check = [this](const char* section, std::uint64_t offset, std::size_t size) {
            if (offset == 0)
                return;
            for (std::size_t i = offset + size; i % 64 != 0; ++i)
                if (bytes_[i] != std::byte{0})
                    fail("byte ", i, " behind the ", section, " is ", std::to_integer<int>(bytes_[i]), ", not 0");
        };
        check("block_shifts", head_.block_shifts, table);
        check("biases", head_.biases, table);
        check("order", head_.order, 4 * head_.inputs);
    }

    /// Numbers of each output that become part of an epilogue.
    void check_scales() const {
        const auto kind = static_cast<scale_kind>(head_.kind);
        for (std::size_t c = 0; c < head_.panels() * panel_columns; ++c) {
            const std::int32_t exponent = at<std::int32_t>(head_.exponents)[c];
            const float scale = at<float>(head_.scales)[c];
            check_scale("scales", c, scale);
            if (kind == scale_kind::real && head_.block_scales != 0 &&
                std::bit_cast<std::uint32_t>(scale) != 0x3f80'0000U)
                fail("scales: that of output ", c, " is ", scale, ", not 1 beside block_scales");
            if (kind != scale_kind::real)
                check_integer_scale(c, exponent, scale);
            else if (exponent != 0)
                fail("exponents: that of output ", c, " is ", exponent, " beside a real scale");
        }
    }
    /// A scale that is told twice, as integers and as a float.
    void check_integer_scale(std::size_t c, std::int32_t exponent, float scale) const {
        const bool fixed = head_.multipliers != 0;
        const std::int32_t multiplier = fixed ? at<std::int32_t>(head_.multipliers)[c] : 1 << 30;
        if (multiplier < (1 << 30))
            fail("multipliers: that of output ", c, " is ", multiplier, ", below 2^30");
        if (exponent < -200 || exponent > 200 ||
            static_cast<float>(static_cast<double>(multiplier) * exp2_exact(exponent - (fixed ? 31 : 30))) != scale)
            fail("exponents: that of output ", c, " is ", exponent, ", its scale ", scale);
    }
    void check_scale(const char* section, std::size_t c, float scale) const {
        if (is_non_finite(scale) || !(scale >= static_cast<float>(exp2_exact(min_scale_exponent)) &&
                                      scale <= static_cast<float>(exp2_exact(max_scale_exponent))))
            fail(section, ": ", scale, " of output ", c, " lies outside [2^", min_scale_exponent, ", 2^",
                 max_scale_exponent, "]");
    }

    /// The order of the inputs, a permutation.
    void check_order() const {
        if (head_.order == 0)
            return;
        const auto* order = at<std::uint32_t>(head_.order);
        std::vector<bool> seen(head_.inputs, false);
        for (std::size_t i = 0; i < head_.inputs; ++i) {
            if (order[i] >= head_.inputs || seen[order[i]])
                fail("order: entry ", i, " is ", order[i],
                     order[i] >= head_.inputs ? ", which is no input" : ", which occurs twice");
            seen[order[i]] = true;
        }
    }

    /// Codes, and what tables and header say of them.
    void check_codes() const {
        packed_header counted;
        for (std::size_t panel = 0; panel < head_.panels(); ++panel) {
            const auto* codes = at<std::uint8_t>(head_.codes) + panel * head_.panel_bytes();
            value_sums sums[panel_columns];
            for (std::size_t h = 0; h < head_.depth_blocks(); ++h) {
                check_block({panel, h}, codes, sums, counted);
                codes += head_.code_bytes(h);
            }
            for (std::size_t c = 0; c < panel_columns; ++c) {
                const std::size_t output = panel * panel_columns + c;
                counted.bound = std::max(counted.bound, sums[c].bound());
                if (const std::int32_t stored = at<std::int32_t>(head_.sums)[output]; stored != sums[c].sum)
                    fail("sums: that of output ", output, " is ", stored, ", that of its codes ", sums[c].sum);
            }
        }
        compare("largest_value", head_.largest_value, counted.largest_value);
        compare("largest_shift", head_.largest_shift, counted.largest_shift);
        compare("largest_shifted", head_.largest_shifted, counted.largest_shifted);
        compare("bound", head_.bound, counted.bound);
    }
    void compare(const char* what, std::int64_t stored, std::int64_t found) const {
        if (stored != found)
            fail(what, " is ", stored, ", that of the codes ", found);
    }

    /// One depth block of a panel: its biases, codes, scales and shifts.
    void check_block(const block_place& place, const std::uint8_t* codes, value_sums* sums,
                     packed_header& counted) const {
        const std::size_t index = (place.panel * head_.depth_blocks() + place.depth_block) * panel_columns;
        const std::size_t columns = head_.outputs - place.panel * panel_columns; // those from here on are padding
        std::uint8_t bias[panel_columns] = {};
        for (std::size_t c = 0; c < panel_columns && head_.bits < 8; ++c) {
            bias[c] =
                static_cast<std::uint8_t>(head_.biases != 0 ? at<std::uint8_t>(head_.biases)[index + c] : head_.bias);
            if (bias[c] >= 1 << head_.bits)
                fail("biases: ", int{bias[c]}, " of ", place.of(c), " has more than ", head_.bits, " bits");
        }
        unit_counts found;
        const std::size_t bad = count_units(codes, head_.length(place.depth_block), head_.bits, bias, found);
        for (std::size_t c = 0; c < panel_columns; ++c) {
            if (c == bad || (c >= columns && found.magnitude[c] != 0))
                fail("codes: padding of ", place.of(c), " does not stand for 0");
            if (head_.block_scales != 0)
                check_block_scale(at<float>(head_.block_scales)[index + c], place, c, c >= columns);
            add_column(found, head_.block_shifts != 0 ? at<std::uint8_t>(head_.block_shifts)[index + c] : 0U, place, c,
                       sums[c], counted);
        }
    }
    void check_block_scale(float scale, const block_place& place, std::size_t c, bool padding) const {
        if (!padding)
            check_scale("block_scales", place.panel * panel_columns + c, scale);
        else if (std::bit_cast<std::uint32_t>(scale) != 0)
            fail("block_scales: padding of ", place.of(c), " is ", scale, ", not 0");
    }
    void add_column(const unit_counts& found, std::uint32_t shift, const block_place& place, std::size_t c,
                    value_sums& sums, packed_header& counted) const {
        if (shift > 31 || (shift != 0 && found.magnitude[c] == 0))
            fail("block_shifts: ", shift, " of ", place.of(c), shift > 31 ? " exceeds 31" : " shifts zeros");
        // Magnitudes beyond the largest stand for a bound beyond int32, whatever the signs; sums are smaller than they.
        sums.add(found.sum[c], found.magnitude[c], shift);
        if (sums.magnitude > most_magnitude)
            fail("bound: products of ", place.of(c), " with 8-bit codes leave int32");
        const auto shifted =
            std::min<std::uint64_t>(std::uint64_t{found.largest[c]} << shift, std::numeric_limits<std::int32_t>::max());
        counted.largest_value = std::max(counted.largest_value, found.largest[c]);
        counted.largest_shift = std::max(counted.largest_shift, shift);
        counted.largest_shifted = std::max(counted.largest_shifted, static_cast<std::uint32_t>(shifted));
    }

    /// Raises format_error: whose bytes, what is wrong.
    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(quoted(name_), ": cannot read the packed weights: ", parts...);
    }

    /// 255 times half of it is the largest bound.
    static constexpr std::int64_t most_magnitude =
        2 * (std::int64_t{std::numeric_limits<std::int32_t>::max()} / 255) + 1;

    std::span<const std::byte> bytes_;
    std::string_view name_;
    packed_header head_{};
};

} // namespace notch::detail
