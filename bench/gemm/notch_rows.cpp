/// @file
/// Our rows: every width, grain and requantization on a shape.
#include "notch_rows.hpp"

#include "notch_gemm.hpp"

namespace bench {

namespace {

using powers = notch::power_of_two<>;
template <int Bits, class Grain, class Scale = powers>
using weights = notch::quantizer<notch::bits<Bits>, Grain, Scale>;

template <int Bits> void add_width(const shape& s, const char* bits, int threads) {
    using per_channel = weights<Bits, notch::per_channel<0>>;
    using real_channel = weights<Bits, notch::per_channel<0>, notch::real_scale>;
    add_ours<per_channel>(s, bits, "per_channel", "shift", &notch_gemm<per_channel>::shift, threads, true);
    add_ours<real_channel>(s, bits, "per_channel", "fixed_point", &notch_gemm<real_channel>::fixed, threads, false);
    add_ours<real_channel>(s, bits, "per_channel", "real", &notch_gemm<real_channel>::real, threads, false);
    // Exponents of 8-bit blocks cannot be absorbed: their sums are shifted block by block.
    using group32 = weights<Bits, notch::per_group<32>>;
    using group128 = weights<Bits, notch::per_group<128>>;
    using block16 = weights<Bits, notch::sub_layer<16, 16>>;
    add_ours<group32>(s, bits, "per_group<32>", "shift", &notch_gemm<group32>::shift, threads, true);
    add_ours<group128>(s, bits, "per_group<128>", "shift", &notch_gemm<group128>::shift, threads, false);
    add_ours<block16>(s, bits, "sub_layer<16,16>", "shift", &notch_gemm<block16>::shift, threads, false);
    if constexpr (Bits < 8) {
        using real32 = weights<Bits, notch::per_group<32>, notch::real_scale>;
        add_ours<real32>(s, bits, "per_group<32>", "real", &notch_gemm<real32>::real_sums, threads, false);
    }
}

} // namespace

void add_notch(const shape& s, int threads) {
    add_width<8>(s, "w8a8", threads);
    add_width<4>(s, "w4a8", threads);
    add_width<2>(s, "w2a8", threads);
}

} // namespace bench
