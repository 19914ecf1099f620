/// @file
/// Codes of weights on every instruction set: the units that are written and what is found out about the levels, against
/// the layout written out code by code.
#include "catch.hpp"
#include "compiled_archs.hpp"

#include <notch/simd/weight_codes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace notch;
using namespace notch::simd;
using notch::testing::for_each_compiled;

enum class filling { random, lowest, highest, beyond };

/// Sixteen rows of codes, each in an allocation of its own, so that a sanitizer sees what is read beside them.
struct matrix {
    std::array<std::vector<std::uint8_t>, 16> codes{};
    code_rows rows;
};

template <int Bits> matrix make_matrix(std::size_t count, std::uint8_t offset, filling fill) {
    matrix m;
    constexpr std::uint64_t levels = 1U << Bits;
    m.rows.offset = offset;
    for (std::size_t c = 0; c < 16; ++c) {
        m.codes[c].resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t number = counter_bits(16 * count + c, i) >> 8;
            const std::uint64_t level = fill == filling::random    ? number % levels
                                        : fill == filling::lowest  ? 0
                                        : fill == filling::highest ? levels - 1
                                                                   : number % 256;
            m.codes[c][i] = static_cast<std::uint8_t>(level - offset);
        }
        m.rows.rows[c] = m.codes[c].data();
        m.rows.zero[c] = static_cast<std::uint8_t>((counter_bits(count, c) >> 8) % levels);
    }
    return m;
}

/// The level of a code, that of the value 0 behind the last one.
std::uint8_t level_of(const matrix& m, std::size_t c, std::size_t i) {
    return i < m.codes[c].size() ? static_cast<std::uint8_t>(m.codes[c][i] + m.rows.offset) : m.rows.zero[c];
}

template <int Bits> std::vector<std::uint8_t> expected_units(const matrix& m, std::size_t count) {
    constexpr std::size_t per_unit = 8 / Bits;
    const std::size_t units = (count + 4 * per_unit - 1) / (4 * per_unit);
    std::vector<std::uint8_t> bytes(units * 64, 0);
    for (std::size_t u = 0; u < units; ++u)
        for (std::size_t c = 0; c < 16; ++c)
            for (std::size_t part = 0; part < per_unit; ++part)
                for (std::size_t k = 0; k < 4; ++k) {
                    const std::uint8_t level = level_of(m, c, 4 * (u * per_unit + part) + k);
                    const int stored = Bits == 8 ? level - m.rows.zero[c] : level;
                    std::uint8_t& byte = bytes[64 * u + 4 * c + k];
                    byte = static_cast<std::uint8_t>(byte | static_cast<std::uint8_t>(stored) << (Bits * part));
                }
    return bytes;
}

/// Outputs of which something is wrong. Sums are right where every level is one of the width.
std::size_t wrong_facts(const matrix& m, std::size_t count, const level_facts& facts, bool with_sums) {
    std::size_t wrong = 0;
    for (std::size_t c = 0; c < 16; ++c) {
        std::int32_t sum = 0;
        std::int32_t below = 0;
        std::int32_t highest = 0;
        std::int32_t lowest = 255;
        for (std::size_t i = 0; i < (count + 15) / 16 * 16; ++i) {
            const std::int32_t level = level_of(m, c, i);
            sum += level;
            below += std::max(m.rows.zero[c] - level, 0);
            highest = std::max(highest, level);
            lowest = std::min(lowest, level);
        }
        wrong += facts.highest[c] != highest || facts.lowest[c] != lowest;
        wrong += with_sums && (facts.sum[c] != sum || facts.below[c] != below);
    }
    return wrong;
}

template <class Arch, int Bits> void check_interleave() {
    std::size_t wrong_units = 0;
    std::size_t wrong = 0;
    std::vector<std::size_t> counts{255, 256, 257, 1000};
    for (std::size_t count = 1; count <= 70; ++count)
        counts.push_back(count);
    for (const std::size_t count : counts)
        for (const std::uint8_t offset : {std::uint8_t{0}, std::uint8_t{1 << (Bits - 1)}})
            for (const filling fill : {filling::random, filling::lowest, filling::highest, filling::beyond}) {
                const matrix m = make_matrix<Bits>(count, offset, fill);
                const std::vector<std::uint8_t> expected = expected_units<Bits>(m, count);
                std::vector<std::uint8_t> units(expected.size());
                const level_facts facts = interleave_codes<Arch, Bits>(m.rows, count, units.data());
                const bool levels = Bits == 8 || fill != filling::beyond;
                wrong_units += levels && units != expected;
                wrong += wrong_facts(m, count, facts, levels);
            }
    INFO(Bits << " bits");
    CHECK(wrong_units == 0);
    CHECK(wrong == 0);
}

/// Blocks of some length side by side, each with zeros of its own or all with the same.
template <class Arch, int Bits> void check_blocks(std::size_t length, std::size_t blocks, std::size_t zero_step) {
    matrix all = make_matrix<Bits>(length * blocks, 1 << (Bits - 1), filling::random);
    std::vector<std::uint8_t> zeros(16 * blocks);
    for (std::size_t i = 0; i < zeros.size(); ++i)
        zeros[i] = static_cast<std::uint8_t>((counter_bits(length, i) >> 8) % (1U << Bits));
    std::vector<std::uint8_t> units(std::size_t{2} * Bits * length * blocks);
    std::vector<level_facts> facts(blocks);
    for (level_facts& of_block : facts)
        std::fill_n(of_block.sum, 16, 12345); // is overwritten
    interleave_blocks<Arch, Bits>(all.rows, zeros.data(), zero_step, blocks, length, units.data(), facts.data());
    for (std::size_t b = 0; b < blocks; ++b) {
        matrix one;
        one.rows.offset = all.rows.offset;
        for (std::size_t c = 0; c < 16; ++c) {
            const auto first = all.codes[c].begin() + static_cast<std::ptrdiff_t>(b * length);
            one.codes[c].assign(first, first + static_cast<std::ptrdiff_t>(length));
            one.rows.zero[c] = zeros[b * zero_step + c];
        }
        const std::vector<std::uint8_t> expected = expected_units<Bits>(one, length);
        INFO(length << " codes, block " << b << " of " << blocks << ", " << zero_step << " between zeros");
        REQUIRE(std::equal(expected.begin(), expected.end(),
                           units.begin() + static_cast<std::ptrdiff_t>(b * expected.size())));
        REQUIRE(wrong_facts(one, length, facts[b], true) == 0);
    }
}

template <class Arch> void check_transpose(std::size_t count, std::size_t step) {
    std::vector<std::int32_t> rows[16];
    const std::int32_t* from[16];
    for (std::size_t c = 0; c < 16; ++c) {
        for (std::size_t i = 0; i < count; ++i)
            rows[c].push_back(static_cast<std::int32_t>(1000 * c + i));
        from[c] = rows[c].data();
    }
    std::vector<std::int32_t> to(count * step, -1);
    transpose_numbers<Arch>(from, count, to.data(), step);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < to.size(); ++i)
        wrong += to[i] != (i % step < 16 ? static_cast<std::int32_t>(1000 * (i % step) + i / step) : -1);
    CHECK(wrong == 0);
}

} // namespace

TEST_CASE("every instruction set interleaves and counts codes of weights alike", "[simd][weight_codes]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_interleave<decltype(arch), 8>();
        check_interleave<decltype(arch), 4>();
        check_interleave<decltype(arch), 2>();
    });
}

TEST_CASE("depth blocks side by side are interleaved and counted one by one", "[simd][weight_codes]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        for (const std::size_t length : {16U, 32U, 48U, 64U, 80U, 128U, 320U})
            for (std::size_t blocks = 1; blocks <= 9; ++blocks)
                for (const std::size_t zero_step : {0U, 16U}) {
                    check_blocks<decltype(arch), 8>(length, blocks, zero_step);
                    check_blocks<decltype(arch), 4>(length, blocks, zero_step);
                    check_blocks<decltype(arch), 2>(length, blocks, zero_step);
                }
    });
}

TEST_CASE("rows of numbers are transposed on every instruction set", "[simd][weight_codes]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        for (const std::size_t count : {1U, 15U, 16U, 17U, 32U, 50U})
            for (const std::size_t step : {16U, 64U})
                check_transpose<decltype(arch)>(count, step);
    });
}

TEST_CASE("codes are summed one after the other", "[simd][weight_codes]") {
    const std::array<std::uint8_t, 5> codes{0, 1, 127, 128, 255};
    const code_sums plain = sum_codes(codes.data(), codes.size(), false, 2);
    CHECK(plain.sum == 501);
    CHECK(plain.magnitude == 507);
    CHECK(plain.lowest == -2);
    CHECK(plain.highest == 253);
    const code_sums with_sign = sum_codes(codes.data(), codes.size(), true, 0);
    CHECK(with_sign.sum == -1);
    CHECK(with_sign.magnitude == 257);
    CHECK(with_sign.lowest == -128);
    CHECK(with_sign.highest == 127);
}
