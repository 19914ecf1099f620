/// @file
/// Quantizing and dequantizing a [4096, 4096] tensor on one thread, against the copy bandwidth of this machine.
///
/// percent_of_peak = bytes read and written per second / the same of std::memcpy on a buffer of 64 MiB, measured between
/// the calls. A copy writes as much as it reads; quantize writes a quarter, so it can pass 100.
///
///     quantize      codes into a tensor that exists, with given parameters
///     quantize_new  quantize<Q>(x): fits the parameters, allocates the result
///     dequantize    reals into a tensor that exists
///     fake_quantize reals of reals, into a tensor that exists
#include "../rows.hpp"
#include "onednn_reorder.hpp"

#include <notch/core/random.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantize.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace {

using namespace notch;

constexpr std::size_t side = 4096;
constexpr double elements = 4096.0 * 4096.0;

/// Memory that all rows share, touched once.
struct arena {
    dense_tensor<float, 2> x{extents<2>{side, side}};
    dense_tensor<float, 2> reals{extents<2>{side, side}, 1.0F};
    dense_tensor<std::int8_t, 2> signed_codes{extents<2>{side, side}, std::int8_t{1}};
    dense_tensor<std::uint8_t, 2> unsigned_codes{extents<2>{side, side}, std::uint8_t{1}};
    dense_tensor<std::int8_t, 2> peer_codes{extents<2>{side, side}, std::int8_t{1}};

    arena() {
        for (std::size_t i = 0; i < side * side; ++i)
            x.data()[i] = static_cast<float>(counter_uniform(1, 3 * i) + counter_uniform(1, 3 * i + 1) +
                                             counter_uniform(1, 3 * i + 2) - 1.5);
    }
    template <class Code> dense_tensor<Code, 2>& codes() {
        if constexpr (std::is_signed_v<Code>)
            return signed_codes;
        else
            return unsigned_codes;
    }
};

arena& memory() {
    static arena all;
    return all;
}

bench::work work_of(double bytes) {
    bench::work task;
    task.peak = [] { std::memcpy(memory().reals.data(), memory().x.data(), side * side * sizeof(float)); };
    task.peak_name = "memcpy";
    task.operations = elements;
    task.bytes = bytes;
    task.units = bytes;
    task.peak_units = 2.0 * elements * sizeof(float);
    return task;
}

template <class Q> bench::work quantize_work(bool with_peer) {
    const auto params = std::make_shared<quant_params<Q>>(fit_params<Q>(memory().x));
    bench::work task = work_of(5.0 * elements);
    task.ours = [params] { quantize_to(memory().x, *params, memory().codes<typename Q::code_type>()); };
    if (with_peer) {
        std::vector<float> factors;
        for (std::size_t block = 0; block < params->scales.size(); ++block)
            factors.push_back(static_cast<float>(1.0 / params->scale(block)));
        if (auto call = bench::reorder(memory().x.data(), memory().peer_codes.data(), side, side, factors))
            task.peers.push_back({bench::reorder_peer, call});
    }
    return task;
}

template <class Q> bench::work quantize_new_work() {
    bench::work task = work_of(9.0 * elements); // two reads, one write
    task.ours = [] { benchmark::DoNotOptimize(quantize<Q>(memory().x).codes.data()); };
    return task;
}

template <class Q> bench::work dequantize_work() {
    const auto tensor = std::make_shared<quantized_tensor<Q, 2>>(quantize<Q>(memory().x));
    bench::work task = work_of(5.0 * elements);
    task.ours = [tensor] { dequantize_to(*tensor, memory().reals); };
    return task;
}

template <class Q> bench::work fake_quantize_work() {
    const auto params = std::make_shared<quant_params<Q>>(fit_params<Q>(memory().x));
    bench::work task = work_of(8.0 * elements);
    task.ours = [params] { fake_quantize_to(memory().x, *params, memory().reals); };
    return task;
}

/// Names of the policies of a row.
struct names {
    const char* bits;
    const char* grain;
    const char* scale;
    const char* rounding;
};

bench::row row_of(const char* what, const names& n) {
    bench::row row;
    row.name = what;
    row.bits = n.bits;
    row.grain = n.grain;
    row.requant = n.scale;
    row.rounding = n.rounding;
    return row;
}

template <class Q> void add_quantize(const names& n) {
    // The peer knows one factor, or one per row, and rounds to nearest even.
    constexpr bool whole = std::is_same_v<typename Q::granularity_type, per_tensor> ||
                           std::is_same_v<typename Q::granularity_type, per_channel<0>>;
    constexpr bool with_peer = whole && std::is_same_v<typename Q::bits_type, bits<8>> &&
                               std::is_same_v<typename Q::rounding_rule, nearest_even> && !Q::has_zero_point;
    bench::add(row_of("quantize", n), [] { return quantize_work<Q>(with_peer); });
}

template <class Q> void add_all(const names& n) {
    add_quantize<Q>(n);
    bench::add(row_of("quantize_new", n), [] { return quantize_new_work<Q>(); });
    bench::add(row_of("dequantize", n), [] { return dequantize_work<Q>(); });
    bench::add(row_of("fake_quantize", n), [] { return fake_quantize_work<Q>(); });
}

template <class Scale> void add_grains(const char* scale) {
    add_all<quantizer<bits<8>, per_tensor, Scale>>({"int8", "per_tensor", scale, "nearest_even"});
    add_all<quantizer<bits<8>, per_channel<>, Scale>>({"int8", "per_channel", scale, "nearest_even"});
    add_all<quantizer<bits<8>, per_group<32>, Scale>>({"int8", "per_group<32>", scale, "nearest_even"});
    add_all<quantizer<bits<8>, sub_layer<16, 16>, Scale>>({"int8", "sub_layer<16,16>", scale, "nearest_even"});
}

template <class Scale> void add_code_types(const char* scale) {
    using u8 = bits<8, unsigned_codes>;
    add_all<quantizer<u8, per_tensor, Scale, nearest_even, affine>>({"uint8", "per_tensor", scale, "nearest_even"});
    add_quantize<quantizer<u8, per_channel<>, Scale, nearest_even, affine>>(
        {"uint8", "per_channel", scale, "nearest_even"});
    add_all<quantizer<bits<4>, per_tensor, Scale>>({"int4", "per_tensor", scale, "nearest_even"});
    add_quantize<quantizer<bits<4>, per_channel<>, Scale>>({"int4", "per_channel", scale, "nearest_even"});
    add_all<quantizer<bits<4>, per_group<32>, Scale>>({"int4", "per_group<32>", scale, "nearest_even"});
}

template <class Rounding> void add_rounding(const char* rounding) {
    add_quantize<quantizer<bits<8>, per_tensor, real_scale, Rounding>>({"int8", "per_tensor", "real_scale", rounding});
    add_quantize<quantizer<bits<8>, per_tensor, power_of_two<>, Rounding>>(
        {"int8", "per_tensor", "power_of_two", rounding});
}

} // namespace

int main(int argc, char** argv) {
    add_grains<real_scale>("real_scale");
    add_grains<power_of_two<>>("power_of_two");
    add_code_types<real_scale>("real_scale");
    add_code_types<power_of_two<>>("power_of_two");
    add_rounding<nearest_up>("nearest_up");
    add_rounding<nearest_away>("nearest_away");
    add_rounding<toward_zero>("toward_zero");
    add_rounding<stochastic>("stochastic");
    // Scales that vary along a row: every element has its own.
    add_quantize<quantizer<bits<8>, per_channel<1>>>({"int8", "per_channel<1>", "real_scale", "nearest_even"});
    return bench::run(argc, argv);
}
