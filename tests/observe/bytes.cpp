// Serialized observers: round trips, the layout of the bytes, truncation, damage, nonsense.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/histogram.hpp>
#include <notch/observe/kl_divergence.hpp>
#include <notch/observe/min_max.hpp>
#include <notch/observe/moving_average.hpp>
#include <notch/observe/mse.hpp>
#include <notch/observe/percentile.hpp>

#include <cfloat>
#include <limits>
#include <span>

using namespace observe_test;
using namespace notch;

namespace {

using byte_string = std::vector<std::byte>;

void put(byte_string& bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
        bytes.at(offset + i) = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

std::uint64_t get(const byte_string& bytes, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value |= static_cast<std::uint64_t>(bytes.at(offset + i)) << (8 * i);
    return value;
}

/// Makes length and checksum right again after a change.
byte_string sealed(byte_string bytes) {
    put(bytes, 16, bytes.size() - 32, 8);
    put(bytes, bytes.size() - 8, reference_fnv(bytes.data(), bytes.size() - 8), 8);
    return bytes;
}

byte_string with(byte_string bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
    put(bytes, offset, value, size);
    return sealed(std::move(bytes));
}

template <class Observer> std::string refusal(const byte_string& bytes) {
    const std::string message =
        message_of<format_error>([&] { static_cast<void>(Observer::deserialize(bytes, "conv1")); });
    CHECK_THAT(message, containing("tensor 'conv1'"));
    return message;
}

template <class Observer> void check_round_trip(const Observer& original) {
    const byte_string bytes = original.serialize();
    const Observer read = Observer::deserialize(bytes, "again");
    CHECK(read == original);
    CHECK(read.name() == "again");
    CHECK(read.serialize() == bytes);
    Observer grown = read; // and the state still works
    Observer expected = original;
    grown.observe(std::vector<float>{0.25F, -1000.0F});
    expected.observe(std::vector<float>{0.25F, -1000.0F});
    CHECK(grown == expected);
}

template <class Observer> void check_every_defect(const Observer& original) {
    const byte_string bytes = original.serialize();
    std::size_t accepted = 0;
    const auto must_fail = [&accepted](std::span<const std::byte> damaged) {
        try {
            static_cast<void>(Observer::deserialize(damaged, "conv1"));
            ++accepted;
        } catch (const format_error&) {
        }
    };
    for (std::size_t length = 0; length < bytes.size(); ++length)
        must_fail(byte_string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)));
    byte_string longer = bytes;
    longer.push_back(std::byte{0});
    must_fail(longer);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (const unsigned mask : {0x01U, 0x80U, 0xffU, 0x5aU}) {
            byte_string damaged = bytes;
            damaged[i] ^= static_cast<std::byte>(mask);
            must_fail(damaged);
        }
    CHECK(accepted == 0);
}

template <class Observer> Observer filled(Observer empty) {
    empty.observe(std::vector<float>{0.5F, -1.25F, 0.0F, 0.50390625F});
    empty.observe(std::vector<float>{0.75F, -0.5F});
    return empty;
}

} // namespace

TEST_CASE("every observer comes back from its bytes") {
    for (const bool has_data : {false, true}) {
        check_round_trip(has_data ? filled(histogram()) : histogram());
        check_round_trip(has_data ? filled(min_max()) : min_max());
        check_round_trip(has_data ? filled(moving_average(0.75)) : moving_average(0.75));
        check_round_trip(has_data ? filled(percentile(99.5)) : percentile(99.5));
        check_round_trip(has_data ? filled(mse(2.4)) : mse(2.4));
        check_round_trip(has_data ? filled(kl_divergence(kl_metric::masked)) : kl_divergence(kl_metric::masked));
    }
}

TEST_CASE("degenerate histograms come back from their bytes") {
    const std::vector<std::vector<float>> tensors{{0.0F},
                                                  {1.0F},
                                                  {-1.0F},
                                                  {0.0F, 1.0F},
                                                  {0.0F, -1.0F},
                                                  {-FLT_MAX, FLT_MAX},
                                                  {from_bits(1), 1e30F},
                                                  {from_bits(1)},
                                                  {from_bits(0x8000'0001U), 0.0F},
                                                  std::vector<float>(3000, 7.0F),
                                                  normal_values(1, 5000),
                                                  relu(normal_values(1, 5000))};
    for (const std::vector<float>& tensor : tensors) {
        histogram seen;
        seen.observe(tensor);
        check_round_trip(seen);
        CHECK(seen.serialize().size() <= 32824);
    }
}

TEST_CASE("every truncation, every extension and every changed byte is a format_error") {
    check_every_defect(filled(min_max()));
    check_every_defect(filled(moving_average()));
    check_every_defect(histogram());
    histogram narrow;
    narrow.observe(std::vector<float>{1.0F, 1.01F, 1.02F});
    check_every_defect(narrow);
    percentile other(99.0);
    other.observe(std::vector<float>{1.0F, 1.01F, 1.02F});
    check_every_defect(other);
}

TEST_CASE("in a histogram of all bins, changed bytes and truncations are noticed") {
    const byte_string bytes = filled(histogram()).serialize();
    REQUIRE(bytes.size() > 10000);
    numbers source(4);
    std::size_t accepted = 0;
    for (int i = 0; i < 300; ++i) {
        byte_string damaged = bytes;
        damaged[source.below(bytes.size())] ^= static_cast<std::byte>(1 + source.below(255));
        byte_string shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(source.below(bytes.size())));
        for (const byte_string& bad : {damaged, shorter})
            if (message_of<format_error>([&] { static_cast<void>(histogram::deserialize(bad)); }) == "no error")
                ++accepted;
    }
    CHECK(accepted == 0);
}

TEST_CASE("random bytes and random payloads never do more than raise format_error") {
    numbers source(8);
    std::size_t others = 0;
    for (int i = 0; i < 3000; ++i) {
        byte_string bytes = i % 2 == 0 ? filled(mse()).serialize() : filled(min_max()).serialize();
        const std::uint64_t kind = source.below(8);
        put(bytes, 12, kind, 4);
        for (std::size_t change = 0; change < 1 + source.below(6); ++change)
            put(bytes, 24 + source.below(bytes.size() - 32 - 4), source.below(1000) * 0x0101'0101U, 4);
        bytes = sealed(bytes);
        if (i % 5 == 0)
            for (std::byte& byte : bytes)
                byte = static_cast<std::byte>(source.below(256));
        const auto attempt = [&others](auto read) {
            const std::string message = message_of<format_error>(read);
            others += static_cast<std::size_t>(message.starts_with("another error"));
        };
        attempt([&] { static_cast<void>(histogram::deserialize(bytes)); });
        attempt([&] { static_cast<void>(min_max::deserialize(bytes)); });
        attempt([&] { static_cast<void>(moving_average::deserialize(bytes)); });
        attempt([&] { static_cast<void>(percentile::deserialize(bytes)); });
        attempt([&] { static_cast<void>(mse::deserialize(bytes)); });
        attempt([&] { static_cast<void>(kl_divergence::deserialize(bytes)); });
    }
    CHECK(others == 0);
}

TEST_CASE("the bytes of a histogram are laid out as documented") {
    histogram seen;
    seen.observe(std::vector<float>{1.0F, 1.0F, 1.001953125F}); // s = -11: bins 2048 and 2052
    const byte_string bytes = seen.serialize();
    REQUIRE(bytes.size() == 24 + 24 + 5 * 8 + 8);
    const std::string magic = "notchobs";
    for (std::size_t i = 0; i < 8; ++i)
        CHECK(bytes[i] == static_cast<std::byte>(magic[i]));
    CHECK(get(bytes, 8, 4) == 1);
    CHECK(get(bytes, 12, 4) == 1);
    CHECK(get(bytes, 16, 8) == 24 + 5 * 8);
    CHECK(get(bytes, 24, 8) == 3);
    CHECK(get(bytes, 32, 8) == 0);
    CHECK(get(bytes, 40, 4) == 0x3f80'0000U);
    CHECK(get(bytes, 44, 4) == 0x3f80'4000U);
    for (std::size_t bin = 0; bin < 5; ++bin)
        CHECK(get(bytes, 48 + 8 * bin, 8) == (bin == 0 ? 2U : bin == 4 ? 1U : 0U));
    CHECK(get(bytes, bytes.size() - 8, 8) == reference_fnv(bytes.data(), bytes.size() - 8));
}

TEST_CASE("messages say what is wrong with a frame") {
    const byte_string bytes = filled(histogram()).serialize();
    CHECK_THAT(refusal<histogram>({}), containing("truncated: 0 bytes"));
    CHECK_THAT(refusal<histogram>(byte_string(bytes.begin(), bytes.end() - 1)), containing("truncated"));
    byte_string longer = bytes;
    longer.push_back(std::byte{1});
    CHECK_THAT(refusal<histogram>(longer), containing("behind the end"));
    CHECK_THAT(refusal<histogram>(byte_string(64, std::byte{'x'})), containing("foreign"));
    CHECK_THAT(refusal<histogram>(with(bytes, 8, 7, 4)), containing("version 7"));
    CHECK_THAT(refusal<histogram>(with(bytes, 12, 99, 4)), containing("kind 99"));
    CHECK_THAT(refusal<min_max>(bytes), containing("kind 1, not 2"));
    byte_string damaged = bytes;
    damaged[40] ^= std::byte{1};
    CHECK_THAT(refusal<histogram>(damaged), containing("checksum"));
    byte_string huge = bytes; // a length that no memory holds
    put(huge, 16, std::numeric_limits<std::uint64_t>::max(), 8);
    CHECK_THAT(refusal<histogram>(huge), containing("truncated"));
}

TEST_CASE("numbers that no histogram has are refused although the checksum fits") {
    // One side, no zeros: payload of count, zeros, min, max, then bins 2048 (1.0) to 2052 (1.00195).
    histogram seen;
    seen.observe(std::vector<float>{1.0F, 1.0F, 1.001953125F});
    const byte_string bytes = seen.serialize();
    CHECK(histogram::deserialize(sealed(bytes)) == seen);
    const std::size_t count = 24;
    const std::size_t zeros = 32;
    const std::size_t min = 40;
    const std::size_t max = 44;
    const std::size_t first_bin = 48;
    const std::size_t last_bin = 48 + 4 * 8;
    CHECK_THAT(refusal<histogram>(with(bytes, count, 4, 8)), containing("1 below 4"));
    CHECK_THAT(refusal<histogram>(with(bytes, count, 2, 8)), containing("exceed 2"));
    CHECK_THAT(refusal<histogram>(with(bytes, count, 0, 8)), containing("no values"));
    CHECK_THAT(refusal<histogram>(with(bytes, zeros, 1, 8)), containing("1 zeros"));
    CHECK_THAT(refusal<histogram>(with(bytes, zeros, 4, 8)), containing("4 zeros among 3"));
    CHECK_THAT(refusal<histogram>(with(bytes, min, 0x7fc0'0000U, 4)), containing("not a range"));
    CHECK_THAT(refusal<histogram>(with(bytes, max, 0x7f80'0000U, 4)), containing("not a range"));
    CHECK_THAT(refusal<histogram>(with(bytes, min, 0x3f90'0000U, 4)), containing("not a range")); // min > max
    CHECK_THAT(refusal<histogram>(with(bytes, min, 0x8000'0000U, 4)), containing("not a range")); // -0
    CHECK_THAT(refusal<histogram>(with(bytes, min, 0, 4)), containing("no zero"));
    CHECK_THAT(refusal<histogram>(with(bytes, min, 0xbf80'0000U, 4)), containing("counts for")); // needs 2049 more bins
    CHECK_THAT(refusal<histogram>(with(bytes, first_bin, 0, 8)), containing("below"));
    CHECK_THAT(refusal<histogram>(with(bytes, first_bin, std::numeric_limits<std::uint64_t>::max(), 8)),
               containing("exceed"));
    byte_string moved = bytes; // the sum is right, the bin of max is empty
    put(moved, first_bin, 3, 8);
    CHECK_THAT(refusal<histogram>(with(moved, last_bin, 0, 8)), containing("empty"));
    byte_string lonely = bytes; // one value with two ends in one bin
    put(lonely, count, 1, 8);
    put(lonely, max, 0x3f80'0001U, 4);
    put(lonely, first_bin, 1, 8);
    lonely.resize(24 + 24 + 8 + 8);
    CHECK_THAT(refusal<histogram>(sealed(lonely)), containing("one value"));
    byte_string more = bytes; // eight bytes behind the last bin
    more.insert(more.end() - 8, 8, std::byte{0});
    CHECK_THAT(refusal<histogram>(sealed(more)), containing("too many"));
    byte_string none = histogram().serialize();
    CHECK_THAT(refusal<histogram>(with(none, max, 0x3f80'0000U, 4)), containing("no values"));
}

TEST_CASE("numbers that no other observer has are refused although the checksum fits") {
    const byte_string ends = filled(min_max()).serialize();
    CHECK_THAT(refusal<min_max>(with(ends, 32, 0x7f80'0000U, 4)), containing("not the range"));
    CHECK_THAT(refusal<min_max>(with(ends, 32, 0x4170'0000U, 4)), containing("not the range"));
    CHECK_THAT(refusal<min_max>(with(ends, 24, 0, 8)), containing("0 values"));
    CHECK_THAT(refusal<min_max>(with(ends, 24, 1, 8)), containing("1 values"));

    const byte_string average = filled(moving_average(0.5)).serialize();
    REQUIRE(average.size() == 88);
    CHECK_THAT(refusal<moving_average>(with(average, 24, 0x3ff0'0000'0000'0000ULL, 8)), containing("momentum is 1"));
    CHECK_THAT(refusal<moving_average>(with(average, 24, 0x7ff8'0000'0000'0000ULL, 8)), containing("momentum"));
    CHECK_THAT(refusal<moving_average>(with(average, 40, 100, 8)), containing("100 batches of 6 values"));
    CHECK_THAT(refusal<moving_average>(with(average, 40, 0, 8)), containing("0 batches of 6 values"));
    CHECK_THAT(refusal<moving_average>(with(average, 64, 0x7ff0'0000'0000'0000ULL, 8)), containing("not ranges"));
    CHECK_THAT(refusal<moving_average>(with(average, 64, 0x7fe0'0000'0000'0000ULL, 8)), containing("not ranges"));

    CHECK_THAT(refusal<percentile>(with(filled(percentile()).serialize(), 24, 0, 8)), containing("setting is 0"));
    CHECK_THAT(refusal<mse>(with(filled(mse()).serialize(), 24, 0x3fe0'0000'0000'0000ULL, 8)),
               containing("setting is 0.5"));
    CHECK_THAT(refusal<kl_divergence>(with(filled(kl_divergence()).serialize(), 24, 0x4008'0000'0000'0000ULL, 8)),
               containing("setting is 3"));
    CHECK_THAT(refusal<mse>(filled(percentile()).serialize()), containing("mse observer"));
}
