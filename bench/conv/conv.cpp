/// @file
/// Convolutions of the shapes of a file: --shapes FILE, by default shapes.txt beside this source.
///
///     conv, conv_zero             conv2d, beside the peer on 8-bit codes and on floats
///     depthwise, depthwise_zero   depthwise_conv2d, for shapes with a group for each channel
///
/// The rows on _zero have a zero point of the source, and so has the peer on codes.
///
/// All rows have a bias and ReLU and give codes of uint8. percent_of_peak is that of the arithmetic; products with padding
/// count. Before a row is measured, some of its codes are compared with a simple loop: one of ours that differs ends the
/// program, those of the peer are counted on stderr.
#include "../peak_work.hpp"
#include "notch_conv.hpp"
#include "onednn_conv.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using bench::conv_shape;

template <int Bits, class Grain> using filters = notch::quantizer<notch::bits<Bits>, Grain, notch::power_of_two<>>;

/// Registers a row that `Convolution` computes with filters of the quantizer Q.
template <class Convolution, class Q>
void add_conv(const std::string& name, const conv_shape& s, const char* grain, bool zero_point, int threads) {
    bench::row what;
    what.name = name;
    what.conv = s.name();
    what.bits = "w" + std::to_string(Q::bits_type::width) + "a8";
    what.grain = grain;
    what.requant = "shift";
    what.rounding = "nearest_even";
    what.threads = threads;
    bench::add(what, [s, zero_point, threads] {
        const auto operands = bench::problem_of(s);
        const auto ours = std::make_shared<Convolution>(operands, bench::random_weights<Q, 4>(s.filters()),
                                                        zero_point ? operands->zero_point : 0, threads);
        bench::work task;
        task.ours = [ours] { (*ours)(); };
        task.warm = true;
        task.operations = s.operations();
        bench::use_peak(task, Q::bits_type::width <= 4 ? bench::arithmetic::int4 : bench::arithmetic::int8, threads);
        task.peers = bench::onednn_peers(operands, zero_point, threads);
        return task;
    });
}

/// Every width per channel, and a zero point of the source.
template <class Convolution> void add_widths(const std::string& name, const conv_shape& s, int threads) {
    using per_channel = notch::per_channel<0>;
    add_conv<Convolution, filters<8, per_channel>>(name, s, "per_channel", false, threads);
    add_conv<Convolution, filters<4, per_channel>>(name, s, "per_channel", false, threads);
    add_conv<Convolution, filters<2, per_channel>>(name, s, "per_channel", false, threads);
    add_conv<Convolution, filters<8, per_channel>>(name + "_zero", s, "per_channel", true, threads);
}

void add_rows(const conv_shape& s, int threads) {
    using block16 = notch::sub_layer<16, 16>;
    if (s.is_depthwise()) {
        add_widths<bench::notch_depthwise>("depthwise", s, threads);
        return;
    }
    add_widths<bench::notch_conv>("conv", s, threads);
    if (s.kernel_h == 3 && s.kernel_w == 3 && s.groups == 1) {
        add_conv<bench::notch_conv, filters<8, block16>>("conv", s, "sub_layer<16,16>", false, threads);
        add_conv<bench::notch_conv, filters<4, block16>>("conv", s, "sub_layer<16,16>", false, threads);
    }
}

} // namespace

int main(int argc, char** argv) {
    std::string path = bench::take_option(argc, argv, "--shapes");
    if (path.empty())
        path = NOTCH_BENCH_SHAPES;
    for (const conv_shape& s : bench::read_conv_shapes(path))
        for (const int threads : {1, 2})
            add_rows(s, threads);
    return bench::run(argc, argv);
}
