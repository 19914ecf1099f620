/// @file
/// What an instruction set offers to the matrix kernels: registers of small integers, products that add up.
///
/// A specialisation `int_ops<Arch>`, one per file int_ops_<isa>.hpp, has
///
///     reg, bytes, count        a register, its size, and how many of them hold 64 bytes (one step of a panel)
///     zero(), load(p), store(p, reg)                      any alignment
///     as_computed(reg)         the register, at a point gcc (and clang, where it gains) cannot look through
///     repeat4(p)               the four bytes at p, again and again
///     add32(a, b), shift_left32(a, counts)                sixteen, eight or four int32
///     bytes32(p)               int32 lanes: a uint8 at p for each
///     stored_codes<Bits, Part>(unit)                      the codes number Part of each byte, unsigned
///     codes_in_place<Bits, Part>(unit)                    the same, times 2^(Bits * Part); optional, with quads whose row
///                              operand may be int8 and the other one uint8
///     pairs16(a, b)            int32 lane: a[2i] * b[2i] + a[2i+1] * b[2i+1] of int16 lanes; exact but for four times -32768
///     pairs8(a, b)             int16 lane: the same of uint8 a and int8 b, SATURATED: the caller keeps it below 32768
///     add16(a, b), subtract16(a, b), multiply16(a, b)     modulo 2^16; with pairs
///     subtract32(a, b)                                    modulo 2^32
///     shift_right32<Count>(a)                             int32 lane: floor(a / 2^Count); with pairs and codes_in_place
///     multiply32(a, b)                                    modulo 2^32; with quads
///     quad8(acc, a, b)         int32 lane: acc + four products; the row operand a is uint8, or int8 where
///                              `signed_rows`, b is int8; exact
///     repeat16(p), shuffle16(a, which)                    sixteen bytes again and again; of each sixteen those that `which`
///                              says; optional, with quads of one register per step
///     add_scaled(p, a, s)      p[i] += float(a[i]) * s[i], two roundings, never contracted
///
/// `has_quad8` and `has_pairs` say which products there are; an instruction set has at least one kind. `tile_rows` and
/// `tile_panels` are the largest tile whose sums fit its registers; `narrow_rows`, where there is one, are the rows of a tile of
/// one or two panels, `shift_panels` and `shift_rows` a tile with two sets of sums. Kernels are written once over these names
/// (gemm/microkernel.hpp).
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>
#include <notch/simd/int_lane.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace notch::simd {

/// The products of an instruction set, see above.
template <class Arch> struct int_ops;

/// @cond the contract above documents the members
/// Portable C++: a register is sixteen groups of four bytes.
template <> struct int_ops<scalar> {
    /// Sixteen int32, each of them also four bytes.
    struct reg {
        std::int32_t value[16]; ///< numbers
    };
    static constexpr std::size_t bytes = 64;      ///< of a register
    static constexpr std::size_t count = 1;       ///< registers per step
    static constexpr bool has_quad8 = true;       ///< quad8 exists
    static constexpr bool has_pairs = false;      ///< pairs8 and pairs16 do not
    static constexpr bool signed_rows = false;    ///< the row operand is uint8
    static constexpr std::size_t tile_rows = 4;   ///< rows of a tile
    static constexpr std::size_t tile_panels = 1; ///< panels of a tile

    static NOTCH_INLINE reg zero() noexcept { return {}; }
    static NOTCH_INLINE reg load(const void* from) noexcept {
        reg r;
        std::memcpy(&r, from, sizeof r);
        return r;
    }
    static NOTCH_INLINE void store(void* to, const reg& r) noexcept { std::memcpy(to, &r, sizeof r); }
    static NOTCH_INLINE reg as_computed(const reg& r) noexcept { return r; }
    static NOTCH_INLINE reg repeat4(const void* from) noexcept {
        std::int32_t four = 0;
        std::memcpy(&four, from, 4);
        reg r;
        for (std::int32_t& v : r.value)
            v = four;
        return r;
    }
    static NOTCH_INLINE reg add32(const reg& a, const reg& b) noexcept {
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = wrapped(std::int64_t{a.value[i]} + b.value[i]);
        return r;
    }
    static NOTCH_INLINE reg subtract32(const reg& a, const reg& b) noexcept {
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = wrapped(std::int64_t{a.value[i]} - b.value[i]);
        return r;
    }
    static NOTCH_INLINE reg shift_left32(const reg& a, const reg& counts) noexcept {
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.value[i]) << counts.value[i]);
        return r;
    }
    static NOTCH_INLINE reg multiply32(const reg& a, const reg& b) noexcept {
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.value[i]) *
                                                   static_cast<std::uint32_t>(b.value[i]));
        return r;
    }
    static NOTCH_INLINE reg bytes32(const std::uint8_t* from) noexcept {
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = from[i];
        return r;
    }
    template <int Bits, int Part> static NOTCH_INLINE reg stored_codes(const reg& unit) noexcept {
        constexpr std::uint32_t mask = 0x0101'0101U * ((1U << Bits) - 1);
        reg r;
        for (int i = 0; i < 16; ++i)
            r.value[i] = static_cast<std::int32_t>((static_cast<std::uint32_t>(unit.value[i]) >> (Bits * Part)) & mask);
        return r;
    }
    static NOTCH_INLINE reg quad8(const reg& acc, const reg& a, const reg& b) noexcept {
        reg r;
        std::uint8_t rows[64];
        std::int8_t columns[64];
        std::memcpy(rows, &a, 64);
        std::memcpy(columns, &b, 64);
        for (int i = 0; i < 16; ++i) {
            std::int32_t sum = 0;
            for (int k = 4 * i; k < 4 * i + 4; ++k)
                sum += rows[k] * columns[k];
            r.value[i] = wrapped(std::int64_t{acc.value[i]} + sum);
        }
        return r;
    }
    static NOTCH_INLINE void add_scaled(float* sums, const reg& a, const float* scales) noexcept {
        for (int i = 0; i < 16; ++i)
            sums[i] += as_rounded(static_cast<float>(a.value[i]) * scales[i]);
    }

private:
    static NOTCH_INLINE std::int32_t wrapped(std::int64_t v) noexcept {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(v));
    }
};
/// @endcond

} // namespace notch::simd
