/// @file
/// Operands of the matrix kernels: every instruction set against the portable definition, bit for bit. And codes of one
/// byte as lanes.
#include "catch.hpp"
#include "compiled_archs.hpp"

#include <notch/simd/lane_codes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace {

using namespace notch;
using namespace notch::simd;
using notch::testing::for_each_compiled;

/// A unit, and biases and factors for it.
struct operands {
    std::array<std::uint8_t, 64> unit{};
    std::array<std::uint8_t, 16> biases{};
    std::array<std::int16_t, 16> factors{};
};

/// Random numbers, after a few lists of the ends.
operands sample(std::uint64_t list) {
    operands o;
    for (std::size_t i = 0; i < 64; ++i)
        o.unit[i] = static_cast<std::uint8_t>(list == 0   ? 0
                                              : list == 1 ? 255
                                              : list == 2 ? 128
                                              : list == 3 ? 127
                                                          : counter_bits(3 * list, i) >> 8);
    for (std::size_t c = 0; c < 16; ++c) {
        o.biases[c] = static_cast<std::uint8_t>(counter_bits(3 * list + 1, c) >> 8);
        const std::uint64_t exponent = (counter_bits(3 * list + 2, c) >> 8) % 16;
        o.factors[c] = static_cast<std::int16_t>(exponent == 15 ? 1 : 1 << exponent);
    }
    return o;
}

/// No kernel of SSE4.1 takes shifted bytes.
template <class Ops, int Bits>
concept has_scaling = requires(const std::uint8_t* p) {
    typename Ops::template scaling<Bits>;
    Ops::template codes<Bits, 0>(p, typename Ops::template scaling<Bits>(p, p));
};
static_assert(has_scaling<expand_ops<scalar>, 4>);

/// Everything that becomes of one step.
struct results {
    std::array<std::int8_t, 64> stored{};
    std::array<std::int8_t, 64> shifted{};
    std::array<std::int16_t, 64> words{};
    std::array<std::int16_t, 64> scaled_words{};
};

template <class Arch, int Bits, int Part> results results_of(const operands& o) {
    using ops = expand_ops<Arch>;
    const typename ops::biases biases(o.biases.data());
    const typename ops::factors factors(o.factors.data());
    const auto step = ops::template codes<Bits, Part>(o.unit.data(), biases);
    results r;
    ops::store(r.stored.data(), step);
    // Shifts whose results fit int8: codes are at most 2^Bits - 1 from a bias of as many bits; 8 bits have no room.
    constexpr int most = Bits == 2 ? 5 : Bits == 4 ? 3 : 0;
    std::array<std::uint8_t, 16> levels{};
    std::array<std::uint8_t, 16> shifts{};
    for (std::size_t c = 0; c < 16; ++c) {
        levels[c] = static_cast<std::uint8_t>(o.biases[c] % (1 << Bits));
        shifts[c] = static_cast<std::uint8_t>(o.biases[c] / 16 % (most + 1));
    }
    if constexpr (has_scaling<ops, Bits>) {
        const typename ops::template scaling<Bits> how(levels.data(), shifts.data());
        ops::store(r.shifted.data(), ops::template codes<Bits, Part>(o.unit.data(), how));
    }
    ops::widen(step, r.words.data());
    ops::widen(step, factors, r.scaled_words.data());
    return r;
}

template <class Arch, int Bits, int Part> void check_part() {
    std::size_t wrong = 0;
    for (std::uint64_t list = 0; list < 200; ++list) {
        const operands o = sample(list);
        const results r = results_of<Arch, Bits, Part>(o);
        const results expected = results_of<scalar, Bits, Part>(o);
        wrong += r.stored != expected.stored;
        if constexpr (has_scaling<expand_ops<Arch>, Bits>)
            wrong += r.shifted != expected.shifted;
        wrong += r.words != expected.words;
        wrong += r.scaled_words != expected.scaled_words;
    }
    INFO(Bits << " bits, part " << Part);
    CHECK(wrong == 0);
}

template <class Arch, int Bits, std::size_t... Parts> void check_parts(std::index_sequence<Parts...>) {
    (check_part<Arch, Bits, static_cast<int>(Parts)>(), ...);
}

/// Bytes of an allocation of their own, so that a sanitizer sees what is read or written beside them.
std::vector<std::uint8_t> random_bytes(std::size_t count) {
    std::vector<std::uint8_t> bytes(count);
    for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<std::uint8_t>(counter_bits(count, i) >> 8);
    return bytes;
}

template <class Arch> void check_flip_row() {
    std::size_t wrong = 0;
    for (std::size_t count = 0; count <= 200; ++count) {
        const std::vector<std::uint8_t> from = random_bytes(count);
        std::vector<std::uint8_t> to(count + 1, 7); // the last one stays
        std::vector<std::uint8_t> expected = to;
        expand_ops<Arch>::flip_row(from.data(), count, to.data());
        for (std::size_t i = 0; i < count; ++i)
            expected[i] = static_cast<std::uint8_t>(from[i] ^ 0x80);
        wrong += to != expected;
    }
    CHECK(wrong == 0);
}

template <class Arch> void check_widen_row() {
    std::size_t wrong = 0;
    for (std::size_t count = 0; count <= 200; ++count)
        for (const bool is_signed : {false, true})
            for (const std::int32_t zero : {0, 1, 77, 128, 255, -1, -128}) {
                const std::vector<std::uint8_t> from = random_bytes(count);
                std::vector<std::int16_t> to(count + 1, 7); // the last one stays
                std::vector<std::int16_t> expected = to;
                expand_ops<Arch>::widen_row(from.data(), count, is_signed, zero, to.data());
                for (std::size_t i = 0; i < count; ++i)
                    expected[i] =
                        static_cast<std::int16_t>((is_signed ? static_cast<std::int8_t>(from[i]) : from[i]) - zero);
                wrong += to != expected;
            }
    CHECK(wrong == 0);
}

template <class Lane, class Code> void check_load_codes() {
    constexpr std::size_t width = lane_width<Lane>;
    std::array<Code, 256> codes{};
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<Code>(i * 37);
    std::size_t wrong = 0;
    for (std::size_t first = 0; first + width <= codes.size(); ++first) {
        std::array<std::int32_t, width> numbers{};
        store_lane(numbers.data(), load_codes<Lane>(codes.data() + first));
        for (std::size_t i = 0; i < width; ++i)
            wrong += numbers[i] != std::int32_t{codes[first + i]};
    }
    CHECK(wrong == 0);
}

} // namespace

TEST_CASE("every instruction set expands a step alike", "[simd][expand]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_parts<decltype(arch), 8>(std::make_index_sequence<1>());
        check_parts<decltype(arch), 4>(std::make_index_sequence<2>());
        check_parts<decltype(arch), 2>(std::make_index_sequence<4>());
    });
}

TEST_CASE("every instruction set flips and widens rows of any length", "[simd][expand]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_flip_row<decltype(arch)>();
        check_widen_row<decltype(arch)>();
    });
}

TEST_CASE("codes of one byte become lanes", "[simd][expand]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_load_codes<lane_of<decltype(arch)>, std::uint8_t>();
        check_load_codes<lane_of<decltype(arch)>, std::int8_t>();
    });
}
