/// @file
/// float_gemm: c = a b + bias, row-major floats: [M, K] x [K, N] -> [M, N].
///
/// On CBLAS where the macro NOTCH_WITH_CBLAS is defined (for every file of a program, which then links a CBLAS, such as
/// OpenBLAS), otherwise on blocks that are packed and multiplied by simd/float_tile.hpp:
///
///     for 256 of K:   for 48 of M:   pack a        for 512 of N:   pack b        for each tile: c (+)= sums
///
/// Both round differently, and neither promises bits: what is exact in this library are codes. Without CBLAS a sum depends
/// on its row, its column and K alone, not on M, N and where the matrices lie. Nothing starts threads: threads are those of
/// the caller's executor, and OpenBLAS is told to keep to one, for the whole process, at the first product.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/int_math.hpp>
#include <notch/simd/float_tile.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

#if defined(NOTCH_WITH_CBLAS)
#include <cblas.h>
#endif

namespace notch {

/// A matrix operand: element (i, j) is data[i * stride + j], or data[j * stride + i] where it is transposed.
struct float_operand {
    const float* data = nullptr; ///< first element
    std::size_t stride = 0;      ///< elements between two rows of what lies in memory
    bool transposed = false;     ///< rows are columns

    /// The element of a row and a column.
    [[nodiscard]] const float* at(std::size_t row, std::size_t column) const noexcept {
        return data + (transposed ? column * stride + row : row * stride + column);
    }
};

/// What is added to a product.
enum class float_gemm_start {
    zero, ///< c = a b
    bias, ///< c = a b + bias, one number for each row
    sum   ///< c += a b
};

namespace detail {

/// Blocks of a product. A packed block of `a` has 48 KiB, one of `b` 512 KiB at most.
struct float_blocks {
    static constexpr std::size_t rows = 48;
    static constexpr std::size_t depth = 256;
    static constexpr std::size_t columns = 512;
};

/// Writes [outer, depth] of an operand as panels of Panel of the outer ones: [outer / Panel][depth][Panel]; zeros behind the
/// last.
template <std::size_t Panel>
void pack_floats(const float_operand& from, std::size_t outer, std::size_t depth, float* to) noexcept {
    for (std::size_t first = 0; first < outer; first += Panel) {
        const std::size_t count = std::min(Panel, outer - first);
        if (from.transposed)
            for (std::size_t k = 0; k < depth; ++k, to += Panel) {
                const float* line = from.at(first, k);
                if (count == Panel)
                    std::copy_n(line, Panel, to);
                else
                    std::fill(std::copy_n(line, count, to), to + Panel, 0.0F);
            }
        else {
            for (std::size_t i = 0; i < Panel; ++i) {
                const float* line = i < count ? from.at(first + i, 0) : nullptr;
                for (std::size_t k = 0; k < depth; ++k)
                    to[k * Panel + i] = line != nullptr ? line[k] : 0.0F;
            }
            to += depth * Panel;
        }
    }
}

/// Adds one tile to c, or puts it there with the bias of its rows.
template <std::size_t Columns>
void store_sums(const float* sums, std::size_t rows, std::size_t columns, const float* bias, bool add, float* c,
                std::size_t stride) noexcept {
    for (std::size_t r = 0; r < rows; ++r, sums += Columns, c += stride) {
        const float start = bias != nullptr ? bias[r] : 0.0F;
        if (add)
            for (std::size_t i = 0; i < columns; ++i)
                c[i] += sums[i];
        else
            for (std::size_t i = 0; i < columns; ++i)
                c[i] = sums[i] + start;
    }
}

/// One packed block of a times one of b. `bias`: of the first row, or null.
template <class Arch>
void multiply_block(std::size_t m, std::size_t n, std::size_t depth, const float* a, const float* b, const float* bias,
                    bool add, float* c, std::size_t stride) noexcept {
    using tile = simd::float_tile<Arch>;
    alignas(64) float sums[tile::rows * tile::columns];
    for (std::size_t j = 0; j < n; j += tile::columns)
        for (std::size_t i = 0; i < m; i += tile::rows) {
            tile::multiply(depth, a + i * depth, b + j * depth, sums);
            store_sums<tile::columns>(sums, std::min(tile::rows, m - i), std::min(tile::columns, n - j),
                                      bias != nullptr ? bias + i : nullptr, add, c + i * stride + j, stride);
        }
}

/// float_gemm without CBLAS. Precondition: m, n, k > 0.
template <class Arch>
void blocked_gemm(std::size_t m, std::size_t n, std::size_t k, const float_operand& a, const float_operand& b,
                  float_gemm_start start, const float* bias, float* c, std::size_t stride) {
    using tile = simd::float_tile<Arch>;
    using blocks = float_blocks;
    const std::size_t depth = std::min(k, blocks::depth);
    aligned_buffer<float> packed_a(round_up(std::min(m, blocks::rows), tile::rows) * depth);
    aligned_buffer<float> packed_b(round_up(std::min(n, blocks::columns), tile::columns) * depth);
    for (std::size_t j = 0; j < n; j += blocks::columns)
        for (std::size_t l = 0; l < k; l += blocks::depth) {
            const std::size_t deep = std::min(k - l, blocks::depth);
            const std::size_t wide = std::min(n - j, blocks::columns);
            const float_operand right{b.at(l, j), b.stride, !b.transposed};
            pack_floats<tile::columns>(right, wide, deep, packed_b.data());
            for (std::size_t i = 0; i < m; i += blocks::rows) {
                const std::size_t high = std::min(m - i, blocks::rows);
                pack_floats<tile::rows>({a.at(i, l), a.stride, a.transposed}, high, deep, packed_a.data());
                multiply_block<Arch>(high, wide, deep, packed_a.data(), packed_b.data(),
                                     start == float_gemm_start::bias ? bias + i : nullptr,
                                     l != 0 || start == float_gemm_start::sum, c + i * stride + j, stride);
            }
        }
}

#if defined(NOTCH_WITH_CBLAS)

/// True where CBLAS takes these numbers.
[[nodiscard]] inline bool fits_blas(std::size_t number) noexcept {
    return number <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

/// Keeps OpenBLAS from starting threads of its own.
inline void one_blas_thread() noexcept {
#if defined(OPENBLAS_VERSION)
    static const bool done = (openblas_set_num_threads(1), true);
    static_cast<void>(done);
#endif
}

/// float_gemm on CBLAS.
inline void blas_gemm(std::size_t m, std::size_t n, std::size_t k, const float_operand& a, const float_operand& b,
                      float_gemm_start start, const float* bias, float* c, std::size_t stride) noexcept {
    one_blas_thread();
    if (start == float_gemm_start::bias)
        for (std::size_t i = 0; i < m; ++i)
            std::fill_n(c + i * stride, n, bias[i]);
    const auto number = [](std::size_t value) { return static_cast<int>(value); };
    const auto order = [](const float_operand& it) { return it.transposed ? CblasTrans : CblasNoTrans; };
    cblas_sgemm(CblasRowMajor, order(a), order(b), number(m), number(n), number(k), 1.0F, a.data, number(a.stride),
                b.data, number(b.stride), start == float_gemm_start::zero ? 0.0F : 1.0F, c, number(stride));
}

#endif

} // namespace detail

/// Multiplies two matrices of floats. `bias`: M numbers with float_gemm_start::bias, else not read. `c`: rows of N numbers,
/// `stride` elements apart, which overlap neither operand. Allocates two blocks. Nothing is checked.
template <class Arch = simd::default_arch>
void float_gemm(std::size_t m, std::size_t n, std::size_t k, const float_operand& a, const float_operand& b,
                float_gemm_start start, const float* bias, float* c, std::size_t stride) {
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        for (std::size_t i = 0; i < m && start != float_gemm_start::sum; ++i)
            std::fill_n(c + i * stride, n, start == float_gemm_start::bias ? bias[i] : 0.0F);
        return;
    }
#if defined(NOTCH_WITH_CBLAS)
    using detail::fits_blas;
    if (fits_blas(m) && fits_blas(n) && fits_blas(k) && fits_blas(a.stride) && fits_blas(b.stride) && fits_blas(stride))
        return detail::blas_gemm(m, n, k, a, b, start, bias, c, stride);
#endif
    detail::blocked_gemm<Arch>(m, n, k, a, b, start, bias, c, stride);
}

} // namespace notch
