/// @file
/// The inner loop of float matrix products: a tile of rows x columns of sums over the depth, held in registers.
///
///     sums[r][c] = sum over k of a[k][r] * b[k][c]              k ascending, one accumulator for each sum
///
/// `a` and `b` are packed: float_tile::rows numbers for each k, and float_tile::columns, zeros where the matrix ends. A sum
/// therefore depends on nothing but its row, its column and the depth, wherever a tile stands. Vectors are those of the
/// compiler (GCC, clang) and as wide as registers of the instruction set; elsewhere the same loops over arrays.
/// Whether products are fused with sums is the compiler's choice: floats, not a definition of bits.
#pragma once

#include <notch/core/config.hpp>
#include <notch/simd/arch.hpp>

#include <cstddef>
#include <utility>

namespace notch::simd {

namespace detail {

#if defined(__GNUC__) || defined(__clang__)

/// Floats of one register.
template <std::size_t Width> struct float_register {
    typedef float type __attribute__((vector_size(Width * sizeof(float)), aligned(alignof(float)), may_alias));
};

#else

/// Floats of one register, as far as a compiler finds one.
template <std::size_t Width> struct float_register {
    struct type {
        float values[Width]{};
        friend NOTCH_INLINE type operator*(float a, const type& b) noexcept {
            type result;
            for (std::size_t i = 0; i < Width; ++i)
                result.values[i] = a * b.values[i];
            return result;
        }
        NOTCH_INLINE type& operator+=(const type& b) noexcept {
            for (std::size_t i = 0; i < Width; ++i)
                values[i] += b.values[i];
            return *this;
        }
    };
};

#endif

} // namespace detail

/// A tile of sums for an instruction set.
template <class Arch> struct float_tile {
    /// Floats of a register.
    static constexpr std::size_t width = extends<Arch, avx512bw> ? 16 : extends<Arch, avx2> ? 8 : 4;
    static constexpr std::size_t rows = 6;            ///< of a tile
    static constexpr std::size_t columns = 2 * width; ///< of a tile

    /// Writes the sums to rows of `columns` numbers each.
    static NOTCH_INLINE void multiply(std::size_t depth, const float* a, const float* b, float* sums) noexcept {
        multiply_rows(depth, a, b, sums, std::make_index_sequence<rows>{});
    }

private:
    /// Rows are named, so that their sums stay in registers at -O2 too.
    template <std::size_t... Row>
    static NOTCH_INLINE void multiply_rows(std::size_t depth, const float* a, const float* b, float* sums,
                                           std::index_sequence<Row...>) noexcept {
        using vector = typename detail::float_register<width>::type;
        vector low[rows]{};
        vector high[rows]{};
        for (std::size_t k = 0; k < depth; ++k, a += rows, b += columns) {
            const vector left = *reinterpret_cast<const vector*>(b);
            const vector right = *reinterpret_cast<const vector*>(b + width);
            ((low[Row] += a[Row] * left, high[Row] += a[Row] * right), ...);
        }
        ((*reinterpret_cast<vector*>(sums + Row * columns) = low[Row],
          *reinterpret_cast<vector*>(sums + Row * columns + width) = high[Row]),
         ...);
    }
};

} // namespace notch::simd
