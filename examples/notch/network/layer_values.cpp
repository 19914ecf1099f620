/// @file
/// Sources of the numbers between layers.
#include "layer_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <notch/io/npz.hpp>
#include <stdexcept>
#include <utility>

namespace tool {

namespace {

/// Codes [count, H, W, C] as reals [count, C, H, W].
[[nodiscard]] std::vector<float> reals_of(std::span<const std::uint8_t> codes, const notch::run_tensor& tensor,
                                          std::size_t count) {
    const std::size_t places = tensor.shape[0] * tensor.shape[1];
    const std::size_t channels = tensor.shape[2];
    std::vector<float> reals(codes.size());
    for (std::size_t n = 0; n < count; ++n)
        for (std::size_t p = 0; p < places; ++p)
            for (std::size_t c = 0; c < channels; ++c)
                reals[(n * channels + c) * places + p] =
                    static_cast<float>((codes[(n * places + p) * channels + c] - tensor.zero_point) * tensor.scale);
    return reals;
}

[[nodiscard]] std::string without_slashes(std::string name) {
    std::replace(name.begin(), name.end(), '/', '_');
    return name;
}

[[nodiscard]] std::vector<notch::npz_entry> read_arrays(const std::string& path) {
    if (!std::filesystem::is_directory(path))
        return notch::read_npz(path);
    std::vector<notch::npz_entry> arrays;
    for (const auto& file : std::filesystem::directory_iterator(path))
        if (file.path().extension() == ".npy")
            arrays.push_back({file.path().stem().string(), notch::read_npy(file.path().string())});
    if (arrays.empty())
        throw std::runtime_error("--golden: the folder '" + path + "' holds no .npy file");
    std::ranges::sort(arrays, {}, &notch::npz_entry::name);
    return arrays;
}

/// The tensor that a name means; tensors.size() where it means none.
[[nodiscard]] std::size_t tensor_named(const notch::plan& plan, const std::string& name) {
    const auto fits = [&](const std::string& other) { return other == name || without_slashes(other) == name; };
    for (std::size_t t = 0; t < plan.net.tensors.size(); ++t)
        if (fits(plan.net.tensors[t].name))
            return t;
    for (const notch::planned_group& group : plan.groups)
        if (fits(plan.net.layers[group.where.layer].name))
            return group.where.output;
    return plan.net.tensors.size();
}

} // namespace

value_source float_values(const notch::plan& plan, const image_file& images, thread_pool& pool) {
    const auto program = std::make_shared<const notch::float_program>(plan.net);
    return [program, &images, &pool](std::size_t first, std::size_t count) {
        tensor_values values(program->tensors().size());
        std::vector<float> floats(count * images.size());
        images.floats(first, count, floats);
        std::vector<float> results(count * program->output_size());
        program->run(
            floats, count, results,
            [&](std::size_t tensor, std::span<const float> numbers) {
                values[tensor].assign(numbers.begin(), numbers.end());
            },
            pool);
        return values;
    };
}

value_source integer_values(const quantized_network& net, const image_file& images, std::size_t most,
                            thread_pool& pool) {
    const auto source = std::make_shared<const code_source>(net, images);
    const auto integers = std::make_shared<integer_network>(net.program, most, pool.size());
    return [source, integers, &net, &pool](std::size_t first, std::size_t count) {
        const notch::program_data& data = net.program.data();
        tensor_values values(net.plan.net.tensors.size());
        std::vector<std::uint8_t> codes(count * source->size());
        source->codes(first, count, codes);
        values[data.input] = reals_of(codes, data.tensors[data.input], count);
        std::vector<float> results(count * net.program.result_size());
        std::size_t real = data.tensors.size();
        integers->run(codes, count, results, pool, [&](std::size_t s) {
            const std::size_t output = data.steps[s].output;
            if (data.steps[s].to_reals)
                real = output;
            else
                values[output] = reals_of(integers->codes(output, count), data.tensors[output], count);
        });
        if (real < values.size() && !data.softmax)
            values[real] = results;
        values[net.plan.net.output] = std::move(results);
        return values;
    };
}

value_source golden_values(const std::string& path, const notch::plan& plan, std::size_t images) {
    auto arrays = std::make_shared<std::vector<notch::float_array>>(plan.net.tensors.size());
    bool any = false;
    std::string unknown;
    for (const notch::npz_entry& entry : read_arrays(path)) {
        const std::size_t tensor = tensor_named(plan, entry.name);
        if (tensor == plan.net.tensors.size()) {
            unknown += (unknown.empty() ? "" : ", ") + entry.name;
            continue;
        }
        const notch::float_array array = notch::to_floats(entry.array);
        const std::size_t wanted = images * notch::element_count(plan.net.tensors[tensor].shape);
        if (array.shape.empty() || array.shape[0] != images || array.values.size() != wanted)
            throw std::runtime_error("--golden: the array '" + entry.name + "' has the extents " +
                                     notch::detail::text(array.shape) + "; it needs " + std::to_string(images) +
                                     " images of " + notch::detail::text(plan.net.tensors[tensor].shape));
        const auto wrong =
            std::find_if_not(array.values.begin(), array.values.end(), [](float x) { return std::isfinite(x); });
        if (wrong != array.values.end())
            throw std::runtime_error("--golden: the array '" + entry.name + "' holds " + std::to_string(*wrong) +
                                     " at element " + std::to_string(wrong - array.values.begin()) +
                                     "; it takes finite floats");
        if (!(*arrays)[tensor].values.empty())
            throw std::runtime_error("--golden: the array '" + entry.name + "' and another one are both those of '" +
                                     plan.net.tensors[tensor].name + "'");
        (*arrays)[tensor] = array;
        any = true;
    }
    if (!any)
        throw std::runtime_error("--golden: '" + path + "' holds " + unknown +
                                 "; none of these is the name of a tensor or a layer of the network");
    if (!unknown.empty())
        std::fprintf(stderr, "notch: --golden: left out, as no tensor or layer has the name: %s\n", unknown.c_str());
    return [arrays, images](std::size_t first, std::size_t count) {
        tensor_values values(arrays->size());
        for (std::size_t t = 0; t < arrays->size(); ++t) {
            const std::vector<float>& all = (*arrays)[t].values;
            const auto size = static_cast<std::ptrdiff_t>(all.size() / images);
            values[t].assign(all.begin() + static_cast<std::ptrdiff_t>(first) * size,
                             all.begin() + static_cast<std::ptrdiff_t>(first + count) * size);
        }
        return values;
    };
}

} // namespace tool
