/// @file
/// Fuzzing of the reader of plans: any bytes are a plan or a format_error; what was read gives its bytes again, and can be
/// simulated, lowered and exported, or these raise an error of notch.
#include "../deploy/plan_bytes.hpp"
#include "require.hpp"

#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/plan_file.hpp>
#include <notch/deploy/simulate.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace {

// Roughly the operations of a simulation of one image.
double work_of(const notch::plan& plan) {
    const auto size = [&](std::size_t t) {
        double count = 1;
        for (const std::size_t extent : plan.net.tensors[t].shape)
            count *= static_cast<double>(extent);
        return count;
    };
    double work = 0;
    for (std::size_t t = 0; t < plan.net.tensors.size(); ++t)
        work += size(t);
    for (const notch::planned_group& group : plan.groups) {
        const double results = size(group.where.output);
        const notch::operation& op = plan.net.layers[group.where.layer].op;
        double each = 1;
        if (group.weights)
            each = static_cast<double>(group.weights->codes.size()) / static_cast<double>(group.weights->shape[0]);
        if (const auto* pool = std::get_if<notch::average_pool>(&op))
            each = static_cast<double>(pool->kernel[0]) * static_cast<double>(pool->kernel[1]);
        if (const auto* pool = std::get_if<notch::max_pool>(&op))
            each = static_cast<double>(pool->kernel[0]) * static_cast<double>(pool->kernel[1]);
        if (std::holds_alternative<notch::global_average_pool_layer>(op))
            each = size(group.where.inputs[0]);
        work += results * each;
    }
    return work;
}

template <class Use> void try_to(const Use& use) {
    try {
        use();
    } catch (const notch::error&) {
    }
}

void check_plan(std::span<const std::byte> bytes) {
    notch::plan plan;
    try {
        plan = notch::plan_from_bytes(bytes);
    } catch (const notch::format_error&) {
        return;
    }
    require(std::ranges::equal(notch::plan_bytes(plan), bytes), "other bytes after reading and writing");
    static_cast<void>(notch::as_qdq(plan));
    if (work_of(plan) > 1e6)
        return;
    try_to([&] { static_cast<void>(notch::lower(plan)); });
    try_to([&] {
        std::vector<float> images(notch::element_count(plan.net.tensors[plan.input].shape));
        for (std::size_t i = 0; i < images.size(); ++i)
            images[i] = static_cast<float>(i % 7) - 3;
        std::vector<float> results(notch::element_count(plan.net.tensors[plan.net.output].shape));
        notch::simulator simulate(plan);
        simulate.run(images, 1, results, [](std::size_t, std::span<const float>) {});
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    check_plan(bytes);
    check_plan(notch_test::with_checksum(bytes));
    return 0;
}
