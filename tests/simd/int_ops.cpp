/// @file
/// Integer products of every instruction set against plain arithmetic: random numbers, and the ends of every type.
#include "catch.hpp"
#include "compiled_archs.hpp"

#include <notch/simd/int_kernels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

using namespace notch;
using namespace notch::simd;
using notch::testing::for_each_compiled;
using notch::testing::int32_samples;
using notch::testing::wrapped;

template <class T, std::size_t Bytes> using numbers = std::array<T, Bytes / sizeof(T)>;

/// Number i of a filling of T: the ends of the type for most lists, then random numbers between low and high.
template <class T> T sample(std::size_t list, std::size_t i, std::int64_t low, std::int64_t high) {
    switch (list) {
    case 0:
        return static_cast<T>(low);
    case 1:
        return static_cast<T>(high);
    case 2:
        return static_cast<T>(i % 2 == 0 ? low : high);
    case 3:
        return static_cast<T>(i % 4 < 2 ? high : low);
    case 4:
        return T{0};
    case 5:
        return static_cast<T>(low + 1);
    default:
        const auto span = static_cast<std::uint64_t>(high - low + 1);
        return static_cast<T>(low + static_cast<std::int64_t>((counter_bits(list, i) >> 8) % span));
    }
}

constexpr std::size_t lists = 64;

/// Calls f(a, b) with arrays of A and of B that fill a register, for every pair of lists.
template <class Ops, class A, class B, class F>
void for_each_pair(std::array<std::int64_t, 2> a_range, std::array<std::int64_t, 2> b_range, const F& f) {
    numbers<A, Ops::bytes> a;
    numbers<B, Ops::bytes> b;
    for (std::size_t p = 0; p < lists; ++p)
        for (std::size_t q = 0; q < lists; ++q) {
            for (std::size_t i = 0; i < a.size(); ++i)
                a[i] = sample<A>(p, i, a_range[0], a_range[1]);
            for (std::size_t i = 0; i < b.size(); ++i)
                b[i] = sample<B>(q, i, b_range[0], b_range[1]);
            f(a, b);
        }
}

template <class Ops, class T> numbers<T, Ops::bytes> stored(typename Ops::reg r) {
    numbers<T, Ops::bytes> to;
    Ops::store(to.data(), r);
    return to;
}

template <class T> constexpr std::array<std::int64_t, 2> all_of() {
    return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

template <class Ops> void check_moves() {
    std::array<std::uint8_t, Ops::bytes + 8> memory;
    for (std::size_t i = 0; i < memory.size(); ++i)
        memory[i] = static_cast<std::uint8_t>(counter_bits(1, i));
    std::size_t wrong = 0;
    for (std::size_t offset = 0; offset < 8; ++offset) {
        wrong += std::memcmp(stored<Ops, std::uint8_t>(Ops::load(memory.data() + offset)).data(),
                             memory.data() + offset, Ops::bytes) != 0;
        const auto repeated = stored<Ops, std::uint8_t>(Ops::repeat4(memory.data() + offset));
        for (std::size_t i = 0; i < Ops::bytes; ++i)
            wrong += repeated[i] != memory[offset + i % 4];
        if constexpr (requires { &Ops::shuffle16; }) {
            std::array<std::uint8_t, Ops::bytes> which;
            for (std::size_t i = 0; i < which.size(); ++i)
                which[i] = static_cast<std::uint8_t>((5 * i + i / 16 + offset) % 16);
            const auto got = stored<Ops, std::uint8_t>(
                Ops::shuffle16(Ops::repeat16(memory.data() + offset), Ops::load(which.data())));
            for (std::size_t i = 0; i < got.size(); ++i)
                wrong += got[i] != memory[offset + which[i]];
        }
        std::array<std::uint8_t, Ops::bytes + 16> to{};
        Ops::store(to.data() + offset, Ops::load(memory.data()));
        for (std::size_t i = 0; i < to.size(); ++i)
            wrong += to[i] != (i >= offset && i < offset + Ops::bytes ? memory[i - offset] : 0);
    }
    for (const std::int32_t zero : stored<Ops, std::int32_t>(Ops::zero()))
        wrong += zero != 0;
    CHECK(wrong == 0);
}

template <class Ops> void check_sums() {
    std::size_t wrong = 0;
    for_each_pair<Ops, std::int32_t, std::int32_t>(
        all_of<std::int32_t>(), all_of<std::int32_t>(), [&](const auto& a, const auto& b) {
            const auto sums = stored<Ops, std::int32_t>(Ops::add32(Ops::load(a.data()), Ops::load(b.data())));
            for (std::size_t i = 0; i < a.size(); ++i)
                wrong += sums[i] != wrapped(std::int64_t{a[i]} + b[i]);
        });
    for_each_pair<Ops, std::int32_t, std::int32_t>(
        all_of<std::int32_t>(), {0, 31}, [&](const auto& a, const auto& counts) {
            const auto got =
                stored<Ops, std::int32_t>(Ops::shift_left32(Ops::load(a.data()), Ops::load(counts.data())));
            for (std::size_t i = 0; i < a.size(); ++i)
                wrong += got[i] != wrapped(std::int64_t{a[i]} << counts[i]);
        });
    CHECK(wrong == 0);
}

template <class Ops> void check_pairs() {
    std::size_t wrong = 0;
    for_each_pair<Ops, std::int16_t, std::int16_t>(
        all_of<std::int16_t>(), {-32767, 32767}, [&](const auto& a, const auto& b) {
            const auto got = stored<Ops, std::int32_t>(Ops::pairs16(Ops::load(a.data()), Ops::load(b.data())));
            for (std::size_t i = 0; i < got.size(); ++i)
                wrong += got[i] != std::int64_t{a[2 * i]} * b[2 * i] + std::int64_t{a[2 * i + 1]} * b[2 * i + 1];
            const auto sums = stored<Ops, std::int16_t>(Ops::add16(Ops::load(a.data()), Ops::load(b.data())));
            for (std::size_t i = 0; i < sums.size(); ++i)
                wrong += sums[i] != static_cast<std::int16_t>(static_cast<std::uint16_t>(a[i] + b[i]));
        });
    // Weights of a chain stay in [-64, 64]: 2 * 255 * 64 is below 2^15.
    for_each_pair<Ops, std::uint8_t, std::int8_t>({0, 255}, {-64, 64}, [&](const auto& a, const auto& b) {
        const auto got = stored<Ops, std::int16_t>(Ops::pairs8(Ops::load(a.data()), Ops::load(b.data())));
        for (std::size_t i = 0; i < got.size(); ++i)
            wrong += got[i] != a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
    });
    CHECK(wrong == 0);
}

template <class Ops> void check_quads() {
    using row = std::conditional_t<Ops::signed_rows, std::int8_t, std::uint8_t>;
    std::size_t wrong = 0;
    std::size_t turn = 0;
    for_each_pair<Ops, row, std::int8_t>(all_of<row>(), all_of<std::int8_t>(), [&](const auto& a, const auto& b) {
        numbers<std::int32_t, Ops::bytes> before;
        for (std::int32_t& x : before)
            x = int32_samples()[++turn % int32_samples().size()];
        const auto got =
            stored<Ops, std::int32_t>(Ops::quad8(Ops::load(before.data()), Ops::load(a.data()), Ops::load(b.data())));
        for (std::size_t i = 0; i < got.size(); ++i) {
            std::int64_t sum = before[i];
            for (std::size_t k = 4 * i; k < 4 * i + 4; ++k)
                sum += a[k] * b[k];
            wrong += got[i] != wrapped(sum);
        }
    });
    CHECK(wrong == 0);
}

template <class Ops> void check_scaled() {
    std::size_t wrong = 0;
    for_each_pair<Ops, std::int32_t, std::int32_t>(
        all_of<std::int32_t>(), {-1000000, 1000000}, [&](const auto& a, const auto& b) {
            numbers<float, Ops::bytes> scales;
            numbers<float, Ops::bytes> sums;
            numbers<float, Ops::bytes> expected;
            for (std::size_t i = 0; i < a.size(); ++i) {
                scales[i] = static_cast<float>(b[i]) * 0x1p-24F + 0x1p-30F;
                sums[i] = static_cast<float>(b[(i + 1) % a.size()]) * 64.0F;
                const float product = as_rounded(static_cast<float>(a[i]) * scales[i]);
                expected[i] = as_rounded(sums[i] + product);
            }
            Ops::add_scaled(sums.data(), Ops::load(a.data()), scales.data());
            wrong += std::memcmp(sums.data(), expected.data(), Ops::bytes) != 0;
        });
    CHECK(wrong == 0);
}

} // namespace

TEST_CASE("every instruction set moves registers and adds", "[simd][int_ops]") {
    for_each_compiled([](auto arch) {
        using ops = int_ops<decltype(arch)>;
        INFO(arch.name);
        static_assert(ops::bytes * ops::count == 64);
        static_assert(sizeof(typename ops::reg) == ops::bytes);
        static_assert(ops::has_quad8 || ops::has_pairs);
        check_moves<ops>();
        check_sums<ops>();
    });
}

TEST_CASE("products of pairs are exact", "[simd][int_ops]") {
    for_each_compiled([](auto arch) {
        using ops = int_ops<decltype(arch)>;
        INFO(arch.name);
        if constexpr (ops::has_pairs)
            check_pairs<ops>();
    });
}

TEST_CASE("products of four are exact", "[simd][int_ops]") {
    for_each_compiled([](auto arch) {
        using ops = int_ops<decltype(arch)>;
        INFO(arch.name);
        if constexpr (ops::has_quad8)
            check_quads<ops>();
    });
}

TEST_CASE("scaled sums are rounded twice", "[simd][int_ops]") {
    for_each_compiled([](auto arch) {
        INFO(arch.name);
        check_scaled<int_ops<decltype(arch)>>();
    });
}
