/// @file
/// Convolutions and integer operators that say they allocate nothing do not.
#include "conv/cases.hpp"
#include "conv/filter_cases.hpp"

#include <notch/conv/average_pool2d.hpp>
#include <notch/conv/conv2d.hpp>
#include <notch/conv/depthwise.hpp>
#include <notch/conv/global_average_pool.hpp>
#include <notch/conv/max_pool2d.hpp>
#include <notch/conv/pack_depthwise.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/conv/resize_nearest.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> allocations{0};

[[nodiscard]] void* counted(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) noexcept {
    ++allocations;
    return std::aligned_alloc(alignment, (size / alignment + 1) * alignment);
}
[[nodiscard]] void* counted_or_thrown(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    if (void* memory = counted(size, alignment))
        return memory;
    throw std::bad_alloc();
}

} // namespace

// Every form: sanitizers have some of their own.
void* operator new(std::size_t size) { return counted_or_thrown(size); }
void* operator new(std::size_t size, std::align_val_t to) {
    return counted_or_thrown(size, static_cast<std::size_t>(to));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new(std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
    return counted(size, static_cast<std::size_t>(to));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void* operator new[](std::size_t size) { return counted_or_thrown(size); }
void* operator new[](std::size_t size, std::align_val_t to) {
    return counted_or_thrown(size, static_cast<std::size_t>(to));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
    return counted(size, static_cast<std::size_t>(to));
}
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace conv_cases;

namespace {

template <class Body> [[nodiscard]] std::size_t allocations_of(Body body) {
    const std::size_t before = allocations;
    body();
    return allocations - before;
}

} // namespace

TEST_CASE("calls with a workspace allocate nothing", "[conv]") {
    CHECK(allocations_of([] {
              int* volatile kept = new int(1);
              delete kept;
          }) == 1);
    CHECK(allocations_of([] { const dense_tensor<std::uint8_t, 1> kept({100}); }) == 1); // aligned
    using w8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(5);
    const dense_tensor<std::uint8_t, 4> images({2, 9, 8, 16});
    dense_tensor<std::uint8_t, 4> same({2, 9, 8, 16});
    const conv_geometry geometry{.padding = {1, 1, 1, 1}};
    const packed_filters dense = pack_filters(any_filters<w8>(random, {16, 16, 3, 3}, {1, 16}), geometry);
    const conv_geometry own{.padding = {1, 1, 1, 1}, .groups = 16};
    const packed_depthwise depthwise = pack_depthwise(any_filters<w8>(random, {16, 1, 3, 3}, {1, 1}));
    std::vector<std::byte> memory(
        std::max(conv_workspace(images, dense, geometry), depthwise_workspace(images, depthwise, own)));
    const shift_requantize<> requantize{4};
    CHECK(allocations_of([&] { conv2d(images, dense, geometry, requantize, same, {1, memory}); }) == 0);
    CHECK(allocations_of([&] { depthwise_conv2d(images, depthwise, own, requantize, same, {1, memory}); }) == 0);
    const pool_geometry pool{.kernel = {3, 3}, .padding = {1, 1, 1, 1}};
    CHECK(allocations_of([&] { max_pool2d(images, pool, same); }) == 0);
    CHECK(allocations_of([&] { average_pool2d(images, pool, same); }) == 0);
    CHECK(allocations_of([&] { resize_nearest(images, nearest_pixel::asymmetric, same); }) == 0);
    dense_tensor<std::uint8_t, 4> pixel({2, 1, 1, 16});
    CHECK(allocations_of([&] { global_average_pool(images, pixel); }) == 0);
}
