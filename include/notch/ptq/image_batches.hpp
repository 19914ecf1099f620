/// @file
/// Images for calibration and methods, some at a time.
#pragma once

#include <notch/core/error.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace notch::detail {

/// Calls body(images [n, ...], n, number of the first) for all images of a network's input, at most `batch` at a time. Raises
/// shape_error unless the floats are whole images, at least one; `caller`: for the message.
template <class Body>
void for_each_batch(const char* caller, const std::vector<std::size_t>& shape, std::span<const float> images,
                    std::size_t batch, const Body& body) {
    const std::size_t size = element_count(shape);
    if (size == 0 || images.empty() || images.size() % size != 0)
        raise<shape_error>(caller, ": ", images.size(), " floats are no whole number of images of extents ", shape);
    const std::size_t count = images.size() / size;
    for (std::size_t first = 0; first < count; first += batch) {
        const std::size_t n = std::min(batch, count - first);
        body(images.subspan(first * size, n * size), n, first);
    }
}

} // namespace notch::detail
