// The canonical form of quantized tensors: golden bytes, round trips, truncation, damage, and hostile bytes whose
// checksum is right.
#include "catch.hpp"

#include <iomanip> // std::quoted must not be taken for a function of ours

#include <notch/core/random.hpp>
#include <notch/quant/canonical_bytes.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantize.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace notch;

namespace {

using byte_string = std::vector<std::byte>;

/// The text of the error of type E that a call raises.
template <class E, class Call> std::string message_of(Call&& call) {
    try {
        std::forward<Call>(call)();
    } catch (const E& raised) {
        return raised.what();
    } catch (const std::exception& raised) {
        return std::string("another error: ") + raised.what();
    }
    return "no error";
}

void put(byte_string& bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
        bytes.at(offset + i) = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

/// The checksum, written down again.
std::uint64_t reference_checksum(std::span<const std::byte> bytes) {
    const auto round = [](std::uint64_t hash, std::uint64_t word) {
        hash += word * 14029467366897019727ULL;
        return (hash << 31 | hash >> 33) * 11400714785074694791ULL;
    };
    std::uint64_t lanes[4] = {1, 2, 3, 4};
    for (std::size_t i = 0; i < (bytes.size() + 31) / 32 * 32; i += 8) {
        std::uint64_t word = 0;
        for (std::size_t k = 8; k-- > 0;)
            word = word << 8 | (i + k < bytes.size() ? static_cast<std::uint64_t>(bytes[i + k]) : 0U);
        lanes[i / 8 % 4] = round(lanes[i / 8 % 4], word);
    }
    std::uint64_t hash = round(0, bytes.size());
    for (const std::uint64_t lane : lanes)
        hash = round(hash, lane);
    return hash;
}

/// Makes length and checksum right again after a change.
byte_string sealed(byte_string bytes) {
    put(bytes, 16, bytes.size() - 32, 8);
    put(bytes, bytes.size() - 8, reference_checksum(std::span(bytes).first(bytes.size() - 8)), 8);
    return bytes;
}

byte_string with(byte_string bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
    put(bytes, offset, value, size);
    return sealed(std::move(bytes));
}

/// A file from its numbers: pairs of value and bytes.
byte_string frame_of(std::uint32_t rank, const std::vector<std::pair<std::uint64_t, std::size_t>>& payload) {
    byte_string bytes;
    for (const char letter : std::string("notchqtz"))
        bytes.push_back(static_cast<std::byte>(letter));
    const auto append = [&bytes](std::uint64_t value, std::size_t size) {
        bytes.resize(bytes.size() + size);
        put(bytes, bytes.size() - size, value, size);
    };
    append(1, 4);
    append(rank, 4);
    append(0, 8);
    for (const auto& [value, size] : payload)
        append(value, size);
    append(0, 8);
    return sealed(std::move(bytes));
}

template <class Q, std::size_t Rank>
void check_equal(const quantized_tensor<Q, Rank>& a, const quantized_tensor<Q, Rank>& b) {
    CHECK(a.shape() == b.shape());
    CHECK(std::ranges::equal(a.codes.elements(), b.codes.elements()));
    CHECK(a.params.scales == b.params.scales);
    CHECK(a.params.zero_points == b.params.zero_points);
    CHECK(a.params.output_order == b.params.output_order);
    CHECK(a.params.input_order == b.params.input_order);
    CHECK(a.params.seed == b.params.seed);
    CHECK(a.grid().block == b.grid().block);
    CHECK(a.grid().blocks == b.grid().blocks);
}

template <class Q, std::size_t Rank> void check_round_trip(const quantized_tensor<Q, Rank>& tensor) {
    const byte_string bytes = canonical_bytes(tensor);
    const quantized_tensor<Q, Rank> read = from_canonical_bytes<Q, Rank>(bytes, "again");
    CHECK(read.name == "again");
    check_equal(tensor, read);
    CHECK(canonical_bytes(read) == bytes);
    const quantized_tensor<Q, Rank> given = from_canonical_bytes<Q, Rank>(bytes, "again", tensor.params.policy);
    CHECK(canonical_bytes(given) == bytes);
}

/// Random codes under random parameters.
template <class Q, std::size_t Rank>
quantized_tensor<Q, Rank> random_tensor(const extents<Rank>& shape, Q policy = {}, bool ordered = false) {
    quantized_tensor<Q, Rank> t;
    std::uint64_t next = 0;
    const auto below = [&next](std::int32_t limit) {
        return static_cast<std::int32_t>((counter_bits(5, next++) >> 8) % static_cast<std::uint64_t>(limit));
    };
    t.codes = dense_tensor<typename Q::code_type, Rank>(shape);
    for (std::size_t i = 0; i < t.codes.size(); ++i)
        t.codes.data()[i] = static_cast<typename Q::code_type>(Q::codes.lowest + below(Q::codes.steps() + 1));
    t.params.policy = policy;
    const block_grid<Rank> grid = make_grid(policy.granularity, shape);
    t.params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
    for (std::size_t b = 0; b < grid.count; ++b) {
        t.params.scales.push_back(Q::scale_policy::snap((1.0 + below(1000) / 1000.0) * exp2_exact(below(40) - 30)));
        if constexpr (Q::has_zero_point)
            t.params.zero_points.push_back(Q::codes.lowest + below(Q::codes.steps() + 1));
    }
    t.params.seed = 0x0123'4567'89ab'cdefULL;
    if (ordered) {
        t.params.output_order.resize(shape[0]);
        std::iota(t.params.output_order.rbegin(), t.params.output_order.rend(), 0U);
        if constexpr (Rank >= 2) {
            t.params.input_order.resize(shape[1]);
            std::iota(t.params.input_order.rbegin(), t.params.input_order.rend(), 0U);
        }
    }
    return t;
}

template <class Bits, class Scale, class Zero> void check_grains() {
    const auto check = [](auto granularity, bool ordered) {
        using q = quantizer<Bits, decltype(granularity), Scale, nearest_even, Zero>;
        check_round_trip(random_tensor<q, 2>({5, 7}, q{granularity}, ordered));
        check_round_trip(random_tensor<q, 4>({3, 4, 3, 1}, q{granularity}, ordered));
        check_round_trip(random_tensor<q, 2>({1, 1}, q{granularity}, ordered));
        check_round_trip(random_tensor<q, 2>({0, 3}, q{granularity}));
    };
    check(per_tensor{}, false);
    check(per_channel<0>{}, true);
    check(per_channel<-1>{}, false);
    check(per_channel<run_time_axis>{1}, false);
    check(per_channel<run_time_axis>{-2}, true);
    check(per_group<2>{}, true);
    check(per_group<>{3}, false);
    check(per_group<>{32}, false);
    check(sub_layer<2, 3>{}, true);
    check(sub_layer<>{2, 3}, true);
    using vector = quantizer<Bits, per_tensor, Scale, nearest_even, Zero>;
    for (std::size_t count = 0; count < 10; ++count)
        check_round_trip(random_tensor<vector, 1>({count}, {}, count != 0));
}

template <class Bits> void check_width() {
    using symmetric_codes = quantizer<Bits, per_group<2>, fixed_point<>>;
    check_round_trip(random_tensor<symmetric_codes, 2>({5, 7}, {}, true));
    using affine_codes = quantizer<Bits, per_channel<0>, real_scale, nearest_even, affine>;
    check_round_trip(random_tensor<affine_codes, 3>({3, 5, 1}));
}

using w4 = quantizer<bits<4>, per_channel<0>, power_of_two<>>;
using a3 = quantizer<bits<3>, per_group<2>, real_scale, nearest_even, affine>;

/// 3 bits in 4, zero points, both orders: 3 outputs, 5 inputs, 9 scales.
byte_string small_file() { return canonical_bytes(random_tensor<a3, 2>({3, 5}, {}, true)); }

template <class Q, std::size_t Rank = 2> std::string refusal(const byte_string& bytes) {
    const std::string message =
        message_of<format_error>([&] { static_cast<void>(from_canonical_bytes<Q, Rank>(bytes, "fc1")); });
    if (message != "no error")
        CHECK_THAT(message, containing("tensor 'fc1': "));
    return message;
}

/// A scale type of a user: quarters of octaves.
struct quarter_octaves {
    using value_type = std::int32_t;
    [[nodiscard]] static value_type snap(double) noexcept { return 4; }
    [[nodiscard]] static double to_real(value_type q) noexcept { return q == 0 ? 1.0 : 2.0; }
};

/// A granularity of a user: blocks of some rows.
struct row_blocks {
    static constexpr bool splits_reduction = false;
    std::size_t rows = 1;
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        extents<Rank> result = shape;
        result[0] = std::min(rows, shape[0]);
        return result;
    }
};

} // namespace

TEST_CASE("int4 codes are stored as ONNX has them, low bits first") {
    quantized_tensor<w4, 2> t; // rows share a byte
    t.codes = dense_tensor<std::int8_t, 2>({3, 3});
    const std::vector<int> codes{1, -2, 3, -8, 7, 0, -1, 2, 5};
    std::copy(codes.begin(), codes.end(), t.codes.data());
    t.params = params_from_scales<w4>(t.shape(), {0.125, 1.0, 4.0});
    t.params.seed = 7;
    const byte_string expected = frame_of(2, {{4, 4},    {0, 4},
                                              {0, 4},    {0, 4},
                                              {0, 4},    {4, 4},
                                              {7, 8}, // policies, seed
                                              {3, 8},    {3, 8},
                                              {1, 8},    {3, 8}, // extents, blocks
                                              {3, 8},    {0xffff'fffdU, 4},
                                              {0, 4},    {2, 4},
                                              {0, 8},    {0, 8}, // exponents, orders
                                              {0xe1, 1}, {0x83, 1},
                                              {0x07, 1}, {0x2f, 1},
                                              {0x05, 1}}); // (1, -2) (3, -8) (7, 0) (-1, 2) (5)
    CHECK(canonical_bytes(t) == expected);
    check_equal(from_canonical_bytes<w4, 2>(expected), t);
}

TEST_CASE("int2 codes are stored as ONNX has them, low bits first") {
    using q = quantizer<bits<2>, per_tensor, fixed_point<>>;
    quantized_tensor<q, 1> t;
    t.codes = dense_tensor<std::int8_t, 1>({6});
    const std::vector<int> codes{1, -2, 0, -1, -1, 1};
    std::copy(codes.begin(), codes.end(), t.codes.data());
    t.params = params_from_scales<q>(t.shape(), {0.75});
    const byte_string expected = frame_of(1, {{2, 4},
                                              {0, 4},
                                              {0, 4},
                                              {1, 4},
                                              {0, 4},
                                              {2, 4},
                                              {0, 8}, // policies, seed
                                              {6, 8},
                                              {6, 8}, // extent, block
                                              {1, 8},
                                              {0x6000'0000U, 4},
                                              {0, 4},
                                              {0, 8},
                                              {0, 8}, // 0.75, orders
                                              {0xc9, 1},
                                              {0x07, 1}}); // 1 -2 0 -1, -1 1
    CHECK(canonical_bytes(t) == expected);
    check_equal(from_canonical_bytes<q, 1>(expected), t);
}

TEST_CASE("uint8, uint4 and affine tensors are stored as documented") {
    using a8 = quantizer<bits<8, unsigned_codes, narrow_range>, per_tensor, real_scale, nearest_even, affine>;
    quantized_tensor<a8, 1> t;
    t.codes = dense_tensor<std::uint8_t, 1>({3});
    t.codes(0U) = 1;
    t.codes(1U) = 255;
    t.codes(2U) = 128;
    t.params = params_from_scales<a8>(t.shape(), {1.5}, {131});
    t.params.output_order = {2, 0, 1};
    CHECK(
        canonical_bytes(t) ==
        frame_of(
            1, {{8, 4},   {1, 4}, {1, 4}, {2, 4}, {1, 4}, {8, 4}, {0, 8}, {3, 8},   {3, 8},  {1, 8}, {0x3fc0'0000U, 4},
                {131, 4}, {3, 8}, {2, 4}, {0, 4}, {1, 4}, {0, 8}, {1, 1}, {255, 1}, {128, 1}}));
    using u3 = quantizer<bits<3, unsigned_codes>, per_tensor, power_of_two<>>;
    quantized_tensor<u3, 1> narrow;
    narrow.codes = dense_tensor<std::uint8_t, 1>({3});
    narrow.codes(0U) = 7;
    narrow.codes(1U) = 1;
    narrow.codes(2U) = 6;
    narrow.params = params_from_scales<u3>(narrow.shape(), {1.0});
    const byte_string bytes = canonical_bytes(narrow);
    CHECK(std::to_integer<unsigned>(bytes[bytes.size() - 10]) == 0x17U);
    CHECK(std::to_integer<unsigned>(bytes[bytes.size() - 9]) == 0x06U);
}

TEST_CASE("tensors of every policy come back from their bytes") {
    check_grains<bits<4>, power_of_two<>, symmetric>();
    check_grains<bits<3>, real_scale, affine>();
    check_grains<bits<2, unsigned_codes>, fixed_point<>, affine>();
    check_width<bits<8>>();
    check_width<bits<7, unsigned_codes>>();
    check_width<bits<5>>();
    check_width<bits<4, unsigned_codes>>();
    check_width<bits<4, signed_codes, narrow_range>>();
    check_width<bits<2>>();
}

TEST_CASE("policies of users come back where the canonical form knows their numbers") {
    using rows = quantizer<bits<4>, row_blocks, power_of_two<>>;
    const auto tensor = random_tensor<rows, 2>({5, 3}, rows{{2}});
    const byte_string bytes = canonical_bytes(tensor);
    check_equal(from_canonical_bytes<rows, 2>(bytes, "fc1", rows{{2}}), tensor);
    CHECK_THAT(refusal<rows>(bytes), containing("granularity of the bytes: blocks of [2, 3]"));

    using quarters = quantizer<bits<4>, per_tensor, quarter_octaves>;
    quantized_tensor<quarters, 2> t;
    t.codes = dense_tensor<std::int8_t, 2>({1, 1}, 3);
    t.params.scales = {4};
    CHECK_THAT(message_of<unsupported_error>([&] { static_cast<void>(canonical_bytes(t)); }),
               containing("stands for 16"));
    t.params.scales = {0};
    check_round_trip(t); // 2^0 by either meaning
    using plain = quantizer<bits<4>, per_tensor, power_of_two<>>;
    CHECK_THAT(refusal<quarters>(canonical_bytes(random_tensor<plain, 2>({1, 1}))), containing("scale of block 0"));
}

TEST_CASE("tensors that are inconsistent are not written") {
    auto tensor = random_tensor<w4, 2>({2, 3});
    tensor.name = "fc1";
    tensor.codes(1U, 2U) = 8;
    CHECK_THAT(message_of<range_error>([&] { static_cast<void>(canonical_bytes(tensor)); }),
               containing("code 8 of element 5"));
    tensor.codes(1U, 2U) = 7;
    tensor.params.scales.pop_back();
    CHECK_THAT(message_of<shape_error>([&] { static_cast<void>(canonical_bytes(tensor)); }), containing("1 scales"));
}

TEST_CASE("bytes of another quantizer say which policy differs") {
    const byte_string bytes = canonical_bytes(random_tensor<w4, 2>({2, 6}));
    CHECK(refusal<w4>(bytes) == "no error");
    using g = per_channel<0>;
    using s = power_of_two<>;
    CHECK_THAT((refusal<quantizer<bits<2>, g, s>>(bytes)), containing("bits of the bytes: 4, of the quantizer: 2"));
    CHECK_THAT((refusal<quantizer<bits<3>, g, s>>(bytes)), containing("bits of the bytes: 4, of the quantizer: 3"));
    CHECK_THAT((refusal<quantizer<bits<4, unsigned_codes>, g, s>>(bytes)),
               containing("signedness of the bytes: signed, of the quantizer: unsigned"));
    CHECK_THAT((refusal<quantizer<bits<4, signed_codes, narrow_range>, g, s>>(bytes)),
               containing("code span of the bytes: full range, of the quantizer: narrow range"));
    CHECK_THAT((refusal<quantizer<bits<4>, g, real_scale>>(bytes)),
               containing("scale type of the bytes: power of two, of the quantizer: real"));
    CHECK_THAT((refusal<quantizer<bits<4>, g, fixed_point<>>>(bytes)), containing("of the quantizer: fixed point"));
    CHECK_THAT((refusal<quantizer<bits<4>, g, s, nearest_even, affine>>(bytes)),
               containing("zero points of the bytes: symmetric, of the quantizer: affine"));
    CHECK_THAT((refusal<quantizer<bits<4>, per_tensor, s>>(bytes)),
               containing("granularity of the bytes: blocks of [1, 6], of the quantizer: blocks of [2, 6] in [2, 6]"));
    CHECK_THAT((refusal<quantizer<bits<4>, per_group<3>, s>>(bytes)), containing("blocks of [1, 3]"));
    CHECK(refusal<quantizer<bits<4>, per_group<6>, s>>(bytes) == "no error"); // the same blocks
    CHECK_THAT((refusal<w4, 3>(bytes)), containing("a tensor of rank 2, not 3"));
    CHECK_THAT(refusal<w4>(with(bytes, 24 + 4, 7, 4)), containing("signedness of the bytes: 7"));
}

TEST_CASE("every truncation, extension and changed bit of a tensor is a format_error") {
    byte_string bytes = small_file();
    std::size_t accepted = 0;
    const auto must_fail = [&accepted](std::span<const std::byte> damaged) {
        accepted += message_of<format_error>([&] {
                        static_cast<void>(from_canonical_bytes<a3, 2>(damaged));
                    }).starts_with("tensor: cannot read")
                        ? 0U
                        : 1U;
    };
    for (std::size_t length = 0; length < bytes.size(); ++length)
        must_fail(std::span(bytes).first(length));
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            bytes[i] ^= static_cast<std::byte>(1U << bit);
            must_fail(bytes);
            bytes[i] ^= static_cast<std::byte>(1U << bit);
        }
    CHECK(refusal<a3>(bytes) == "no error");
    bytes.push_back(std::byte{0});
    must_fail(bytes);
    CHECK(accepted == 0);
    CHECK_THAT(refusal<a3>(with(bytes, 8, 2, 4)), containing("version 2"));
    CHECK_THAT(refusal<a3>(byte_string(100, std::byte{'x'})), containing("foreign bytes"));
}

TEST_CASE("numbers that no tensor has are refused although the checksum fits") {
    const byte_string bytes = small_file();
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    const std::size_t shape = 24 + 24 + 8;
    const std::size_t block = shape + 16;
    const std::size_t count = block + 16;
    const std::size_t scales = count + 8;
    const std::size_t zeros = scales + 9 * 4;
    const std::size_t outputs = zeros + 9 * 4;
    const std::size_t inputs = outputs + 8 + 3 * 4;
    const std::size_t codes = inputs + 8 + 5 * 4;
    REQUIRE(bytes.size() == codes + 8 + 8);
    const auto refused = [&bytes](std::size_t offset, std::uint64_t value, std::size_t size, const char* text) {
        INFO(offset << " = " << value);
        CHECK_THAT(refusal<a3>(with(bytes, offset, value, size)), containing(text));
    };
    for (const std::uint64_t extent : {half, most, most / 5, std::uint64_t{1} << 32, half + 3})
        refused(shape, extent, 8, "more elements than");
    refused(shape, 4, 8, "9 scales for 12 blocks");
    refused(shape, 0, 8, "output_order has 3 entries for 0");
    refused(shape + 8, 6, 8, "input_order has 5 entries for 6");
    refused(block, 0, 8, "the blocks have extents [0, 2]");
    refused(block, 2, 8, "granularity");
    refused(block + 8, most, 8, "granularity");
    for (const std::uint64_t number : {half, most, most / 4 + 1, std::uint64_t{1000}})
        refused(count, number, 8, "scales in");
    refused(count, 8, 8, "8 scales for 9 blocks");
    refused(count, 0, 8, "0 scales for 9 blocks");
    for (const std::uint32_t scale :
         {0x0000'0000U, 0x8000'0000U, 0xbf80'0000U, 0x7f80'0000U, 0x7fc0'0000U, 0x0080'0000U, 0x7f00'0000U})
        refused(scales + 4, scale, 4, "of block 1 lies outside");
    for (const std::uint32_t zero : {4U, 0xffff'fffbU, 0x8000'0000U, 256U})
        refused(zeros + 8, zero, 4, "zero point");
    for (const std::uint64_t number : {std::uint64_t{2}, std::uint64_t{4}, half, most, half / 2 + 3})
        refused(outputs, number, 8, "output_order has");
    refused(outputs + 8, 3, 4, "output_order[0] = 3 is not a channel");
    refused(outputs + 8, 0xffff'ffffU, 4, "is not a channel");
    refused(outputs + 8, 1, 4, "output_order[1] = 1 occurs twice");
    refused(inputs, 3, 8, "input_order has 3 entries");
    refused(inputs + 12, 4, 4, "input_order[1] = 4 occurs twice");
    refused(codes + 2, 0x04, 1, "the codes: 4 of element 4 lies outside [-4, 3]");
    refused(codes, 0xb0, 1, "the codes: -5 of element 1");
    refused(codes + 7, 0x10, 1, "bits behind the last one");
    byte_string longer = bytes;
    longer.insert(longer.end() - 8, std::byte{0});
    CHECK_THAT(refusal<a3>(sealed(longer)), containing("1 bytes too many"));
    longer.erase(longer.end() - 10, longer.end() - 8);
    CHECK_THAT(refusal<a3>(sealed(longer)), containing("ends before the codes"));

    using fixed = quantizer<bits<8>, per_tensor, fixed_point<>>;
    const byte_string q = canonical_bytes(random_tensor<fixed, 1>({4}));
    const std::size_t scale = 24 + 24 + 8 + 16 + 8;
    for (const std::uint32_t multiplier : {0U, 0x3fff'ffffU, 0x8000'0000U})
        CHECK_THAT((refusal<fixed, 1>(with(q, scale, multiplier, 4))), containing("scale 0 of block 0"));
    for (const std::uint32_t exponent : {200U, 0x8000'0000U, 0x7fff'ffffU, 0xffff'ff00U})
        CHECK_THAT((refusal<fixed, 1>(with(q, scale + 4, exponent, 4))), containing("of block 0 lies outside"));
    const byte_string p = canonical_bytes(random_tensor<quantizer<bits<8>, per_tensor, power_of_two<>>, 1>({4}));
    for (const std::uint32_t exponent : {120U, 0x8000'0000U, 0x7fff'ffffU, 0xffff'ff9bU})
        CHECK_THAT((refusal<quantizer<bits<8>, per_tensor, power_of_two<>>, 1>(with(p, scale, exponent, 4))),
                   containing("of block 0 lies outside"));
}

TEST_CASE("random payloads never do more than raise format_error") {
    const byte_string files[] = {small_file(), canonical_bytes(random_tensor<a3, 2>({0, 3}))};
    std::uint64_t next = 0;
    const auto below = [&next](std::size_t limit) { return (counter_bits(6, next++) >> 8) % limit; };
    std::size_t others = 0;
    for (int i = 0; i < 5000; ++i) {
        byte_string bytes = files[below(2)];
        for (std::size_t change = 0; change < 1 + below(4); ++change)
            bytes[24 + below(bytes.size() - 32)] = static_cast<std::byte>(below(3) == 0 ? below(256) : below(8));
        bytes = sealed(bytes);
        others += message_of<format_error>([&] {
                      const auto read = from_canonical_bytes<a3, 2>(bytes);
                      CHECK(canonical_bytes(read) == bytes); // what is accepted is a tensor
                  }).starts_with("another error")
                      ? 1U
                      : 0U;
    }
    CHECK(others == 0);
}
