/// @file
/// What an instruction set offers to the elementwise kernels.
///
/// A specialisation `elementwise<Arch>`, one per file elementwise_<isa>.hpp, has
///
///     lane, width                        a register of `width` floats with + - *, and, found by argument-dependent
///                                        lookup, nearest, truncate, one_where_equal, one_where_less: all that a
///                                        rounding rule is written with
///     load(p), store(p, lane)            floats
///     clamp(lane, lowest, highest)       lowest where the lane is NaN
///     factor(f, float(f))                times_single(lane) = float(x * float(f)), times_double(lane) and times_double(p)
///                                        = float(double(x) * f)
///     times_each(p, f)                   float(double(p[i]) * f[i])
///     differences(codes, zero)           float(codes[i] - zero)
///     store(p, zero, a, b, c, d)         4 x width codes: integral lanes + zero, narrowed
///     store(p, zero, a)                  width codes
///     store_each(p, zeros, a)            width codes, element i plus zeros[i]
///     watcher                            see(lane), all_finite(): told from bits
///     extremes                           see(lane), join(extremes), collect(): for min_max_run
///     prefetch(p, bytes)                 a hint that the memory `bytes` behind p will be read
///
/// and, where stores past the caches exist, `alignment`, `stream` beside each `store` of four lanes or of
/// floats, and `fence`. `shorter` may name the instruction set that serves runs below `width`.
///
/// A tag without a specialisation has the lanes of its nearest ancestor that has one: avx512vnni those of
/// avx512bw. The kernels keep the name of the tag, so a unit compiled for VNNI shares no code with one that is not.
///
/// No operation may depend on the rounding mode except float products and conversions to float, which
/// every ISO C++ program runs in round-to-nearest; none may divide, and none may compare NaN.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/as_computed.hpp>

#include <cstddef>
#include <cstdint>

namespace notch::simd {

/// @cond one struct refers to the next
// Without a specialisation, what the next weaker instruction set offers.
template <class Arch> struct elementwise : elementwise<typename Arch::parent> {};
/// @endcond

/// One lane, a float: the scalar definitions are used.
template <> struct elementwise<scalar> {
    static constexpr std::size_t width = 1; ///< floats per lane
};

/// Extremes of the bit patterns of floats, see min_max_run.hpp.
struct pattern_extremes {
    std::int32_t largest_signed;    ///< of the patterns as int32
    std::uint32_t largest_unsigned; ///< of the patterns as uint32
    std::uint32_t least_unsigned;   ///< of the patterns as uint32
};

/// Whether results are written through the caches, for a reader that follows at once, or past them:
/// for results larger than the caches, which would otherwise be read before they are overwritten.
enum class write_path { through_caches, past_caches };

} // namespace notch::simd
