/// @file
/// Files of images, checked against what the network takes.
#include "images.hpp"

#include <algorithm>
#include <functional>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/random.hpp>
#include <notch/io/npy.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace tool {

namespace {

using extents_list = std::vector<std::size_t>;

[[nodiscard]] std::string text_of(const extents_list& shape) {
    std::string text;
    for (const std::size_t extent : shape)
        text += (text.empty() ? "" : ",") + std::to_string(extent);
    return text;
}

/// [C, H, W] as bytes lie: [H, W, C]; [F] as it is.
[[nodiscard]] extents_list pixel_shape(const extents_list& shape) {
    return shape.size() == 3 ? extents_list{shape[1], shape[2], shape[0]} : shape;
}

/// The errors of the numbers that make floats of pixels, with the names of their flags.
void check_scaling(const notch::pixel_scaling& scaling, std::size_t channels) {
    try {
        scaling.check(channels);
    } catch (const notch::error& problem) {
        throw std::runtime_error(std::string("--scale-input, --mean, --std: ") + problem.what());
    }
}

/// Floats of a file must be numbers.
void check_finite(const std::string& where, const std::vector<float>& floats, std::size_t size) {
    const auto at = std::find_if(floats.begin(), floats.end(), [](float x) { return notch::is_non_finite(x); });
    if (at == floats.end())
        return;
    const auto index = static_cast<std::size_t>(at - floats.begin());
    throw std::runtime_error(where + ": image " + std::to_string(index / size) + ", number " +
                             std::to_string(index % size) + " is " + std::to_string(*at) +
                             "; images hold finite numbers");
}

[[nodiscard]] bool is_npy(const std::string& path) { return path.ends_with(".npy"); }

} // namespace

image_file::image_file(const std::string& option, const std::string& path, const network_settings& settings,
                       const std::vector<std::size_t>& shape)
    : scaling_(settings.pixels), channels_(shape[0]), size_(notch::element_count(shape)) {
    if (!settings.shape.empty() && settings.shape != pixel_shape(shape))
        throw std::runtime_error("--shape is " + text_of(settings.shape) + ", and the network '" + settings.model +
                                 "' takes images of " + text_of(pixel_shape(shape)) + " (height, width, channels)");
    if (is_npy(path)) {
        read_npy_file(option, path, shape);
    } else {
        pixels_ = notch::read_raw(path);
        if (pixels_.size() % size_ != 0)
            throw std::runtime_error(option + " '" + path + "' has " + std::to_string(pixels_.size()) +
                                     " bytes, no whole number of images of " + text_of(pixel_shape(shape)) + " = " +
                                     std::to_string(size_) + " bytes");
        count_ = pixels_.size() / size_;
    }
    if (count_ == 0)
        throw std::runtime_error(option + " '" + path + "' holds no image");
    check_scaling(scaling_, channels_);
}

image_file::image_file(std::size_t count, const network_settings& settings, const std::vector<std::size_t>& shape)
    : scaling_(settings.pixels), channels_(shape[0]), size_(notch::element_count(shape)), count_(count) {
    check_scaling(scaling_, channels_);
    pixels_.resize(count * size_);
    for (std::size_t i = 0; i < pixels_.size(); ++i)
        pixels_[i] = static_cast<std::uint8_t>(notch::counter_bits(settings.seed, i) >> 56);
}

void image_file::read_npy_file(const std::string& option, const std::string& path,
                               const std::vector<std::size_t>& shape) {
    notch::npy_array array = notch::read_npy(path);
    auto* bytes = std::get_if<std::vector<std::uint8_t>>(&array.values);
    const extents_list wanted = bytes != nullptr ? pixel_shape(shape) : shape;
    if (array.shape.size() != wanted.size() + 1 || !std::equal(wanted.begin(), wanted.end(), array.shape.begin() + 1))
        throw std::runtime_error(option + " '" + path + "' is an array of extents " + text_of(array.shape) +
                                 "; the network takes n," + text_of(wanted) + (bytes ? " of bytes" : " of floats"));
    count_ = array.shape[0];
    if (bytes != nullptr)
        pixels_ = std::move(*bytes);
    else if (std::holds_alternative<std::vector<float>>(array.values) ||
             std::holds_alternative<std::vector<double>>(array.values)) {
        floats_ = notch::to_floats(array).values;
        check_finite(option + " '" + path + "'", floats_, size_);
    } else
        throw std::runtime_error(option + " '" + path +
                                 "' holds integers that are no uint8; uint8 and floats are taken");
}

void image_file::floats(std::size_t first, std::size_t count, std::span<float> to) const {
    if (has_pixels())
        scaling_.floats(pixels(first, count), channels_, count, to);
    else
        std::copy_n(floats_.begin() + static_cast<std::ptrdiff_t>(first * size_), count * size_, to.begin());
}

bool image_file::is_constant() const noexcept {
    const auto same = [](const auto& numbers) {
        return std::adjacent_find(numbers.begin(), numbers.end(), std::not_equal_to<>()) == numbers.end();
    };
    return same(pixels_) && same(floats_);
}

void image_file::draw(std::size_t wanted, std::uint64_t seed) {
    if (wanted >= count_)
        return;
    std::vector<std::size_t> order(count_);
    for (std::size_t i = 0; i < count_; ++i)
        order[i] = i;
    for (std::size_t i = 0; i < wanted && seed != 0; ++i) // the first steps of a shuffle
        std::swap(order[i], order[i + notch::counter_bits(seed, i) % (count_ - i)]);
    order.resize(wanted);
    std::sort(order.begin(), order.end());
    const auto keep = [&](auto& numbers) {
        if (numbers.empty())
            return;
        for (std::size_t i = 0; i < wanted; ++i)
            std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(order[i] * size_), size_,
                        numbers.begin() + static_cast<std::ptrdiff_t>(i * size_));
        numbers.resize(wanted * size_);
    };
    keep(pixels_);
    keep(floats_);
    count_ = wanted;
}

std::vector<std::size_t> read_labels(const std::string& path, std::size_t count, std::size_t classes) {
    std::vector<std::size_t> labels;
    const auto add = [&](auto label) {
        if (label < 0 || static_cast<std::size_t>(label) >= classes)
            throw std::runtime_error("--labels '" + path + "': label " + std::to_string(labels.size()) + " is " +
                                     std::to_string(label) + "; the network has " + std::to_string(classes) +
                                     " results, 0 to " + std::to_string(classes - 1));
        labels.push_back(static_cast<std::size_t>(label));
    };
    const notch::npy_array array = is_npy(path) ? notch::read_npy(path) : notch::npy_array{{}, notch::read_raw(path)};
    const auto check_count = [&](std::size_t found) {
        if (found != count)
            throw std::runtime_error("--labels '" + path + "' has " + std::to_string(found) + " labels for " +
                                     std::to_string(count) + " images");
    };
    std::visit(
        [&](const auto& values) {
            check_count(values.size());
            if constexpr (std::is_integral_v<typename std::decay_t<decltype(values)>::value_type>)
                for (const auto label : values)
                    add(static_cast<std::int64_t>(label));
            else
                throw std::runtime_error("--labels '" + path + "' holds floats; integers are taken");
        },
        array.values);
    return labels;
}

} // namespace tool
