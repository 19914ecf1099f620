/// @file
/// Packing: every width and grain, beside a copy of the codes.
#include "pack_rows.hpp"

#include "notch_gemm.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr std::size_t side = 4096;

/// One allocation and one read of the codes by us; one read and one write of as many bytes in memory that is there
/// already by the peer. Bytes are those that both sides of ours read and write.
template <class Q> void add_pack_of(const char* bits, const char* grain, const char* scale) {
    row what;
    what.name = "pack";
    what.mnk = std::to_string(side) + "x" + std::to_string(side);
    what.bits = bits;
    what.grain = grain;
    what.requant = scale;
    what.rounding = "-";
    add(what, [] {
        const auto weights = std::make_shared<notch::quantized_tensor<Q, 2>>(random_weights<Q, 2>({side, side}));
        const auto copy = std::make_shared<std::vector<std::uint8_t>>(side * side);
        work task;
        task.ours = [weights] { benchmark::DoNotOptimize(notch::pack(*weights).bytes().data()); };
        task.peers.push_back({"memcpy", [weights, copy] {
                                  std::memcpy(copy->data(), weights->codes.data(), side * side);
                                  benchmark::DoNotOptimize(copy->data());
                              }});
        task.bytes = static_cast<double>(side * side + notch::packed_size(*weights));
        return task;
    });
}

template <int Bits> void add_width(const char* bits) {
    using namespace notch;
    add_pack_of<quantizer<notch::bits<Bits>, per_channel<0>, power_of_two<>>>(bits, "per_channel", "power_of_two");
    if constexpr (Bits == 4) {
        add_pack_of<quantizer<notch::bits<Bits>, per_group<32>, power_of_two<>>>(bits, "per_group<32>", "power_of_two");
        add_pack_of<quantizer<notch::bits<Bits>, per_group<32>, real_scale>>(bits, "per_group<32>", "real_scale");
    }
}

} // namespace

void add_pack() {
    add_width<8>("w8");
    add_width<4>("w4");
    add_width<2>("w2");
}

} // namespace bench
