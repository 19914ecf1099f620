// What histograms cost: 1,024 tensors of 10^6 values each, memory counted by the allocator.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/histogram.hpp>
#include <notch/observe/percentile.hpp>

#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <numeric>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NOTCH_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NOTCH_TEST_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(NOTCH_TEST_SANITIZED)
#define NOTCH_TEST_COUNTS_MEMORY 1
#include <malloc.h>

namespace {
std::size_t live_bytes = 0;
std::size_t largest_request = 0;
} // namespace

// Out of line, since gcc would otherwise see malloc next to delete and warn.
__attribute__((noinline)) void* operator new(std::size_t size) {
    void* memory = std::malloc(size);
    if (memory == nullptr)
        std::abort();
    live_bytes += malloc_usable_size(memory);
    largest_request = size > largest_request ? size : largest_request;
    return memory;
}

__attribute__((noinline)) void operator delete(void* memory) noexcept {
    live_bytes -= memory == nullptr ? 0 : malloc_usable_size(memory);
    std::free(memory);
}

__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
#endif

using namespace observe_test;
using notch::histogram;

TEST_CASE("1,024 histograms of a million values each stay under 64 MiB") {
#if defined(NDEBUG) && !defined(NOTCH_TEST_SANITIZED)
    const std::size_t count = 1'000'000;
#else
    const std::size_t count = 10'000;
    WARN("a build with checks: 10,000 values a histogram instead of 1,000,000");
#endif
    // Every histogram sees another window of one stream of activations: zeros, both signs, then an outlier.
    std::vector<float> stream = normal_values(1, count + 1024);
    for (std::size_t i = 0; i < stream.size(); i += 3)
        stream[i] = 0.0F;

    std::vector<histogram> seen(1024);
#if defined(NOTCH_TEST_COUNTS_MEMORY)
    const std::size_t before = live_bytes;
#endif
    for (std::size_t i = 0; i < seen.size(); ++i)
        seen[i].observe(notch::strided_view<const float, 1>(stream.data() + i, {count}));
#if defined(NOTCH_TEST_COUNTS_MEMORY)
    const std::size_t used = live_bytes - before + seen.size() * sizeof(histogram);
    CHECK(used >= seen.size() * 4096 * sizeof(std::uint64_t)); // the counter counts
    CHECK(used < std::size_t{64} << 20);
#else
    WARN("memory is not counted in this build");
#endif

    bool complete = true;
    for (const histogram& one : seen) {
        complete = complete && one.count() == count;
        complete = complete && std::accumulate(one.bins().begin(), one.bins().end(), one.zeros()) == count;
    }
    CHECK(complete);
    CHECK(seen[0].zeros() == (count + 2) / 3);
    histogram all;
    for (const histogram& one : seen)
        all.merge(one);
    CHECK(all.count() == count * seen.size());
}

TEST_CASE("the memory of a histogram does not grow with the data") {
    histogram seen;
    seen.observe(normal_values(1, 100));
#if defined(NOTCH_TEST_COUNTS_MEMORY)
    const std::size_t before = live_bytes;
#endif
    for (std::uint64_t i = 0; i < 60; ++i)
        seen.observe(std::vector<float>(5000, std::ldexp(i % 2 == 0 ? -1.0F : 1.0F, static_cast<int>(i))));
#if defined(NOTCH_TEST_COUNTS_MEMORY)
    CHECK(live_bytes == before);
#endif
    CHECK(seen.count() == 100 + 60 * 5000);
}

#if defined(NOTCH_TEST_COUNTS_MEMORY)
TEST_CASE("bytes from outside cannot make a histogram allocate more than its bins") {
    numbers source(2);
    histogram small;
    small.observe(std::vector<float>{1.0F, 1.5F});
    std::vector<std::byte> bytes = small.serialize();
    for (int i = 0; i < 500; ++i) {
        std::vector<std::byte> damaged = bytes;
        for (std::size_t offset : {std::size_t{16}, std::size_t{24}, std::size_t{32}, std::size_t{40}})
            if (source.below(2) == 0)
                for (std::size_t k = 0; k < 8; ++k)
                    damaged[offset + k] = static_cast<std::byte>(source.below(256));
        if (source.below(2) == 0) // right length and checksum
        {
            for (std::size_t k = 0; k < 8; ++k)
                damaged[16 + k] = static_cast<std::byte>((damaged.size() - 32) >> (8 * k) & 0xff);
            const std::uint64_t checksum = reference_fnv(damaged.data(), damaged.size() - 8);
            for (std::size_t k = 0; k < 8; ++k)
                damaged[damaged.size() - 8 + k] = static_cast<std::byte>(checksum >> (8 * k) & 0xff);
        }
        largest_request = 0;
        static_cast<void>(message_of<notch::format_error>([&] { static_cast<void>(histogram::deserialize(damaged)); }));
        if (largest_request > 4097 * 8)
            FAIL("a request of " << largest_request << " bytes");
    }
    largest_request = 0;
    static_cast<void>(histogram::deserialize(bytes));
    CHECK(largest_request == 4097 * 8);
}
#endif
