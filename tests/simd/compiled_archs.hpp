/// @file
/// Goes through the instruction sets that the flags of a test allow, and numbers to try them with.
#pragma once

#include <notch/core/random.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace notch::testing {

/// Calls f(tag) for every tag that the flags allow.
template <class F, class... Tags> void for_each_compiled(simd::arch_list<Tags...>, const F& f) {
    const auto visit = [&]<class Tag>(Tag tag) {
        if constexpr (simd::compiled_for<Tag>)
            f(tag);
    };
    (visit(Tags{}), ...);
}

/// Calls f(tag) for every tag that the flags allow.
template <class F> void for_each_compiled(const F& f) { for_each_compiled(simd::every_arch{}, f); }

/// An int32 modulo 2^32.
inline std::int32_t wrapped(std::int64_t x) noexcept {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(x));
}

/// Both ends of int32, ends of codes and powers of two with their neighbours, and random numbers of every magnitude;
/// 64 times some number of them.
inline const std::vector<std::int32_t>& int32_samples() {
    static const std::vector<std::int32_t> all = [] {
        std::vector<std::int32_t> list;
        for (int e = 0; e <= 31; ++e)
            for (const std::int64_t power : {std::int64_t{1} << e, -(std::int64_t{1} << e)})
                for (std::int64_t near = power - 1; near <= power + 1; ++near)
                    if (near >= std::numeric_limits<std::int32_t>::min() &&
                        near <= std::numeric_limits<std::int32_t>::max())
                        list.push_back(static_cast<std::int32_t>(near));
        for (std::uint64_t i = 0; i < 512 || list.size() % 64 != 0; ++i) {
            const std::uint64_t bits = counter_bits(3, i);
            list.push_back(wrapped(static_cast<std::int64_t>(bits)) >> (bits >> 59));
        }
        return list;
    }();
    return all;
}

} // namespace notch::testing
