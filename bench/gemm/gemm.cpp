/// @file
/// Matrix products of the shapes of a file: --shapes FILE, by default shapes.txt beside this source.
///
///     peak     the arithmetic loops that percent_of_peak refers to
///     read     reading memory of 4, 8, 16 and 64 MB on one thread
///     notch    our own, beside the peer
///     pack     packing a weight matrix, beside a copy of its codes
///     onednn   the peer alone, on 8-bit codes and on floats, one and two threads
///
/// A row onednn on codes also reports on stderr how many of its codes are wrong.
#include "gemm_rows.hpp"
#include "notch_rows.hpp"
#include "pack_rows.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace {

bench::row row_of(const char* name, const std::string& bits, const std::string& grain, int threads) {
    bench::row row;
    row.name = name;
    row.bits = bits;
    row.grain = grain;
    row.requant = "-";
    row.rounding = "-";
    row.threads = threads;
    return row;
}

void add_peaks() {
    for (const bench::arithmetic_peak& peak : bench::peaks())
        bench::add(row_of("peak", bench::name_of(peak.kind), peak.name, 1), [peak] {
            bench::work task;
            task.ours = [peak] { peak(); };
            task.operations = peak.operations();
            return task;
        });
    for (const std::size_t megabytes : std::vector<std::size_t>{4, 8, 16, 64})
        bench::add(row_of("read", "-", std::to_string(megabytes) + " MB", 1), [megabytes] {
            const auto bytes = std::make_shared<std::vector<std::uint8_t>>(megabytes * 1'000'000, std::uint8_t{1});
            bench::work task;
            task.ours = [bytes] { bench::read_all(bytes->data(), bytes->size()); };
            task.bytes = static_cast<double>(bytes->size());
            task.warm = true;
            return task;
        });
}

#if defined(NOTCH_BENCH_ONEDNN)
using bench::onednn_matmul;

void add_onednn(const bench::shape& s, int threads) {
    bench::row codes = row_of("onednn", "u8s8u8", "per_channel", threads);
    codes.requant = "real_scale";
    codes.rounding = "nearest_even";
    const auto make = [threads](onednn_matmul::kind kind) {
        return [kind, threads](const std::shared_ptr<const bench::problem>& operands) {
            const auto matmul = std::make_shared<onednn_matmul>(operands, kind, threads);
            const bool is_int8 = kind == onednn_matmul::kind::int8;
            if (is_int8) {
                (*matmul)();
                bench::compare(*operands, matmul->codes())
                    .report("oneDNN " + operands->shape.name() + " (" + matmul->implementation() + ")");
            }
            // The packed weights are oneDNN's own; reading those they were made of takes as long.
            const void* const weights =
                is_int8 ? static_cast<const void*>(operands->weights.data()) : operands->real_weights.data();
            return bench::contender{[matmul] { (*matmul)(); }, weights,
                                    operands->weights.size() * (is_int8 ? 1 : sizeof(float))};
        };
    };
    bench::add_gemm(codes, s, bench::arithmetic::int8, make(onednn_matmul::kind::int8), false);
    bench::add_gemm(row_of("onednn", "f32", "-", threads), s, bench::arithmetic::f32, make(onednn_matmul::kind::f32),
                    false);
}
#else
void add_onednn(const bench::shape&, int) {}
#endif

} // namespace

int main(int argc, char** argv) {
    std::string path = bench::take_option(argc, argv, "--shapes");
    if (path.empty())
        path = NOTCH_BENCH_SHAPES;
    const std::vector<bench::shape> shapes = bench::read_shapes(path);
    add_peaks();
    bench::add_pack();
    for (const bench::shape& s : shapes)
        for (const int threads : {1, 2})
            bench::add_notch(s, threads);
    for (const bench::shape& s : shapes)
        for (const int threads : {1, 2})
            add_onednn(s, threads);
    return bench::run(argc, argv);
}
