/// @file
/// The peer of quantize: oneDNN's reorder from f32 to s8 with scales, on one thread. Empty where oneDNN is not installed.
#pragma once

#include "../onednn.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

#if defined(NOTCH_BENCH_ONEDNN)
inline constexpr const char* reorder_peer = "oneDNN reorder";

/// A call that quantizes [rows, columns] with one factor, or one per row. The factors are 1 / scale.
inline std::function<void()> reorder(const float* x, std::int8_t* dst, std::size_t rows, std::size_t columns,
                                     const std::vector<float>& factors) {
    set_onednn_threads(1);
    using namespace dnnl;
    const engine cpu(engine::kind::cpu, 0);
    const memory::dims shape{static_cast<memory::dim>(rows), static_cast<memory::dim>(columns)};
    const memory::desc from({shape, memory::data_type::f32, memory::format_tag::ab});
    const memory::desc to({shape, memory::data_type::s8, memory::format_tag::ab});
    primitive_attr attributes;
    attributes.set_output_scales(factors.size() == 1 ? 0 : 1, factors);
    const memory source(from, cpu, const_cast<float*>(x));
    const memory target(to, cpu, dst);
    const dnnl::reorder work(dnnl::reorder::primitive_desc(cpu, from, cpu, to, attributes));
    return [=, queue = stream(cpu)]() mutable {
        memory a = source;
        memory b = target;
        work.execute(queue, a, b);
        queue.wait();
    };
}
#else
inline constexpr const char* reorder_peer = "";

inline std::function<void()> reorder(const float*, std::int8_t*, std::size_t, std::size_t, const std::vector<float>&) {
    return {};
}
#endif

} // namespace bench
