/// @file
/// What this machine can do, measured in the process of the benchmark and in turn with its rows.
///
///     arithmetic_peak   multiplications and additions per second of a loop of one instruction or a pair of them, on
///                       registers, without memory. An operation is one of either: two for a multiply-add.
///     read_all          a loop that loads bytes and does nothing with them: the bound of a product with one row
///
/// There are three kinds of arithmetic. A dot product instruction serves 8-bit and narrower weights alike; without one,
/// exact products of 8-bit codes go through 16 bits, while weights of at most 4 bits may use the 8-bit multiplication
/// that would saturate with wider ones. `fastest` picks among the instruction sets the program was compiled for by
/// measuring, since a wide one may run at half the rate.
#pragma once

#if defined(__x86_64__)
#include "peak_x86.hpp"
#elif defined(__aarch64__)
#include "peak_neon.hpp"
#else
#include <cstring>

namespace bench::loops {

/// Loads 64 bytes.
inline void load_line(const unsigned char* from) {
    unsigned char line[64];
    std::memcpy(line, from, sizeof line);
    asm volatile("" : : "r"(&line[0]) : "memory");
}

} // namespace bench::loops
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bench {

/// What is multiplied.
enum class arithmetic {
    int8, ///< 8-bit codes times 8-bit codes, exact
    int4, ///< 8-bit codes times codes of at most 4 bits, exact
    f32   ///< floats
};

inline const char* name_of(arithmetic kind) {
    constexpr std::array<const char*, 3> names = {"int8", "int4", "f32"};
    return names[static_cast<std::size_t>(kind)];
}

/// A loop at the peak. Without one for this processor, `loop` is null.
struct arithmetic_peak {
    arithmetic kind = arithmetic::int8;
    const char* name = "";                              ///< width and instructions
    void (*loop)(std::uint64_t, const void*) = nullptr; ///< takes the number of steps, and operands
    double operations_per_step = 0;
    std::uint64_t steps = 0; ///< of one call; calibrate() sets it

    void operator()() const { loop(steps, operands()); }

    /// Operations of one call.
    [[nodiscard]] double operations() const { return operations_per_step * static_cast<double>(steps); }

    /// Nanoseconds of one call, the least of five.
    [[nodiscard]] double least_ns() const {
        double least = 1e300;
        for (int i = 0; i < 5; ++i) {
            const auto start = std::chrono::steady_clock::now();
            (*this)();
            const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
            least = std::min(least, time.count());
        }
        return least;
    }

    /// Makes a call last about 30 microseconds.
    void calibrate() {
        for (steps = 64; least_ns() < 15'000.0;)
            steps *= 2;
        steps = static_cast<std::uint64_t>(static_cast<double>(steps) * 30'000.0 / least_ns()) + 1;
    }

private:
    /// Three vectors of 64 bytes: two factors without denormals, and 16-bit ones.
    [[nodiscard]] const void* operands() const {
        struct alignas(64) vectors {
            std::array<unsigned char, 192> bytes{};
            explicit vectors(bool real) {
                constexpr float small = 0x1p-10F;
                constexpr std::uint16_t one = 1;
                for (std::size_t i = 0; i < 128; ++i)
                    bytes[i] = static_cast<unsigned char>(i * 37 % 251);
                for (std::size_t i = 0; i < 128 && real; i += sizeof small)
                    std::memcpy(&bytes[i], &small, sizeof small);
                for (std::size_t i = 128; i < 192; i += sizeof one)
                    std::memcpy(&bytes[i], &one, sizeof one);
            }
        };
        static const vectors reals(true);
        static const vectors codes(false);
        return kind == arithmetic::f32 ? reals.bytes.data() : codes.bytes.data();
    }
};

/// Every loop that was compiled, calibrated.
inline const std::vector<arithmetic_peak>& peaks() {
    static const std::vector<arithmetic_peak> all = [] {
        using enum arithmetic;
        // Operations per step: accumulators (times steps of an unrolled body) times multiply-adds of a vector times two.
        std::vector<arithmetic_peak> list = {
#if defined(__x86_64__)
#if defined(__AVX512VNNI__)
            {int8, "zmm vpdpbusd", loops::zmm_vpdpbusd, 12.0 * 64 * 2},
#endif
#if defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
            {int8, "ymm vpdpbusd", loops::ymm_vpdpbusd, 12.0 * 32 * 2},
#endif
#if defined(__AVX512BW__)
            {int8, "zmm vpmaddwd+vpaddd", loops::zmm_vpmaddwd, 12.0 * 32 * 2},
            {int4, "zmm vpmaddubsw+vpaddw", loops::zmm_vpmaddubsw, 6.0 * 8 * 64 * 2},
            {f32, "zmm vfmadd231ps", loops::zmm_vfmadd231ps, 12.0 * 16 * 2},
#endif
#if defined(__AVX2__)
            {int8, "ymm vpmaddwd+vpaddd", loops::ymm_vpmaddwd, 12.0 * 16 * 2},
            {int4, "ymm vpmaddubsw+vpaddw", loops::ymm_vpmaddubsw, 6.0 * 8 * 32 * 2},
#if defined(__FMA__)
            {f32, "ymm vfmadd231ps", loops::ymm_vfmadd231ps, 12.0 * 8 * 2},
#endif
#else
            {int8, "xmm pmaddwd+paddd", loops::xmm_pmaddwd, 12.0 * 8 * 2},
#if defined(__SSSE3__)
            {int4, "xmm pmaddubsw+paddw", loops::xmm_pmaddubsw, 6.0 * 8 * 16 * 2},
#endif
            {f32, "xmm mulps+addps", loops::xmm_mulps, 12.0 * 4 * 2},
#endif
#elif defined(__aarch64__)
#if defined(__ARM_FEATURE_DOTPROD)
            {int8, "neon sdot", loops::neon_sdot, 12.0 * 16 * 2},
#endif
            {int8, "neon smlal.4s", loops::neon_smlal, 12.0 * 4 * 2},
            {int4, "neon smlal.8h+sadalp", loops::neon_smlal_8h, 12.0 * 8 * 8 * 2},
            {f32, "neon fmla", loops::neon_fmla, 12.0 * 4 * 2},
#endif
        };
        for (arithmetic_peak& peak : list)
            peak.calibrate();
        return list;
    }();
    return all;
}

/// The loop that does most operations per second of a kind; narrow weights may also be multiplied like wide ones.
inline const arithmetic_peak& fastest(arithmetic kind) {
    const auto pick = [](arithmetic wanted) {
        arithmetic_peak best;
        double rate = 0;
        for (const arithmetic_peak& peak : peaks()) {
            if (peak.kind != wanted && (wanted != arithmetic::int4 || peak.kind != arithmetic::int8))
                continue;
            const double now = peak.operations() / peak.least_ns();
            if (now > rate) {
                rate = now;
                best = peak;
            }
        }
        return best;
    };
    static const std::array<arithmetic_peak, 3> best = {pick(arithmetic::int8), pick(arithmetic::int4),
                                                        pick(arithmetic::f32)};
    return best[static_cast<std::size_t>(kind)];
}

/// Loads `bytes` bytes, up to the last whole kilobyte: eight streams, each through an eighth. Beyond the second-level cache
/// that is faster than one (1.5 to 2 times with 16 MB on Zen 3), because every stream has its own prefetches.
inline void read_all(const void* from, std::size_t bytes) {
    constexpr std::size_t streams = 8;
    constexpr std::size_t at_once = 128;
    const auto* const first = static_cast<const unsigned char*>(from);
    const std::size_t part = bytes / (streams * at_once) * at_once;
    for (std::size_t i = 0; i < part; i += at_once)
        for (std::size_t stream = 0; stream < streams; ++stream)
            for (std::size_t line = 0; line < at_once; line += 64)
                loops::load_line(first + stream * part + i + line);
}

} // namespace bench
