// Packed weights as files: round trips, truncation, damage, and hostile files whose checksum is right.
#include "catch.hpp"

#include <notch/core/random.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/packed_file.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace notch;

namespace {

using byte_string = std::vector<std::byte>;
using header = detail::packed_header;

constexpr std::size_t no_order = 0;
constexpr std::size_t reversed_order = 1;

/// Bytes at a multiple of 64, or some bytes beyond one.
class mapped {
public:
    explicit mapped(const byte_string& bytes, std::size_t beyond = 0)
        : memory_(bytes.size() + 64), size_(bytes.size()), beyond_(beyond) {
        if (size_ != 0)
            std::memcpy(memory_.data() + beyond, bytes.data(), size_);
    }
    [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.data() + beyond_, size_}; }

private:
    detail::aligned_buffer<std::byte> memory_;
    std::size_t size_;
    std::size_t beyond_;
};

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

/// The checksum of a file, written down again: the sum of its words where that of the checksum is 0.
std::uint64_t reference_checksum(byte_string bytes) {
    std::memset(bytes.data() + offsetof(header, checksum), 0, 8);
    const auto round = [](std::uint64_t hash, std::uint64_t word) {
        hash += word * 14029467366897019727ULL;
        return (hash << 31 | hash >> 33) * 11400714785074694791ULL;
    };
    std::uint64_t lanes[4] = {1, 2, 3, 4};
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
        std::uint64_t word = 0;
        for (std::size_t k = 8; k-- > 0;)
            word = word << 8 | static_cast<std::uint64_t>(bytes[i + k]);
        lanes[i / 8 % 4] = round(lanes[i / 8 % 4], word);
    }
    std::uint64_t hash = round(0, bytes.size());
    for (const std::uint64_t lane : lanes)
        hash = round(hash, lane);
    return hash;
}

/// A file with other bytes in one place and the checksum that fits them.
template <class T> byte_string patched(byte_string bytes, std::size_t offset, const T& value) {
    REQUIRE(offset + sizeof value <= bytes.size());
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    const std::uint64_t sum = reference_checksum(bytes);
    std::memcpy(bytes.data() + offsetof(header, checksum), &sum, sizeof sum);
    return bytes;
}

header header_of(const byte_string& bytes) {
    header head;
    std::memcpy(&head, bytes.data(), sizeof head);
    return head;
}

template <class T> T number_at(const byte_string& bytes, std::size_t offset) {
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// Why both readers refuse bytes; they say the same.
std::string refusal(const byte_string& bytes) {
    const mapped file(bytes);
    const std::string copied = message_of<format_error>([&] { static_cast<void>(packed_copy(file.bytes(), "fc1")); });
    const std::string viewed = message_of<format_error>([&] { static_cast<void>(packed_view(file.bytes(), "fc1")); });
    CHECK(copied == viewed);
    if (copied != "no error")
        CHECK_THAT(copied, containing("tensor 'fc1': cannot read the packed weights: "));
    return copied;
}

bool is_refused(std::span<const std::byte> bytes) {
    return message_of<format_error>([&] { static_cast<void>(packed_copy(bytes)); }).starts_with("tensor: cannot read");
}

/// Random weights. Real and fixed-point scales have mantissas; exponents differ by up to 3.
template <class Q>
quantized_tensor<Q, 2> weights(std::size_t outputs, std::size_t inputs, Q policy = {}, std::size_t order = no_order,
                               std::uint64_t seed = 1) {
    quantized_tensor<Q, 2> w;
    w.name = "fc1";
    w.codes = dense_tensor<typename Q::code_type, 2>({outputs, inputs});
    w.params.policy = policy;
    const block_grid<2> grid = make_grid(policy.granularity, w.codes.shape());
    w.params.blocks = {grid.blocks[0], grid.blocks[1]};
    std::uint64_t next = 0;
    const auto below = [&](std::int64_t limit) {
        return static_cast<std::int32_t>((counter_bits(seed, next++) >> 8) % static_cast<std::uint64_t>(limit));
    };
    std::vector<std::int32_t> zeros(grid.count, 0);
    for (std::size_t b = 0; b < grid.count; ++b) {
        const bool mantissa = !std::is_same_v<typename Q::scale_value, std::int32_t>;
        w.params.scales.push_back(
            Q::scale_policy::snap((mantissa ? 1.0 + below(255) / 256.0 : 1.0) * exp2_exact(below(4) - 6)));
        if constexpr (Q::has_zero_point)
            w.params.zero_points.push_back(zeros[b] = Q::codes.lowest + below(Q::codes.steps() + 1));
    }
    for (std::size_t n = 0; n < outputs; ++n)
        for (std::size_t k = 0; k < inputs; ++k) {
            const std::int32_t zero = zeros[grid.block_of(n, k)];
            const std::int32_t lowest = std::max(Q::codes.lowest, zero - 128);
            const std::int32_t highest = std::min(Q::codes.highest, zero + 127);
            w.codes(n, k) = static_cast<typename Q::code_type>(lowest + below(highest - lowest + 1));
        }
    if (order == reversed_order) {
        w.params.input_order.resize(inputs);
        std::iota(w.params.input_order.rbegin(), w.params.input_order.rend(), 0U);
        w.params.output_order.resize(outputs);
        std::iota(w.params.output_order.rbegin(), w.params.output_order.rend(), 0U);
    }
    return w;
}

/// Products with fixed activations: sums, or reals where scales are real.
std::vector<float> products(const packed_weights& packed) {
    constexpr std::size_t rows = 5;
    std::vector<std::uint8_t> a(rows * packed.inputs());
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = static_cast<std::uint8_t>(counter_bits(9, i) >> 8);
    std::vector<float> result(rows * packed.outputs());
    const activation_codes<std::uint8_t> left{{a.data(), {rows, packed.inputs()}}, 3, 0, 0};
    gemm(left, packed, to_real{}, strided_view<float, 2>(result.data(), {rows, packed.outputs()}));
    return result;
}

void check_round_trip(const packed_weights& packed) {
    const byte_string bytes = packed_bytes(packed);
    CHECK(bytes.size() == packed.bytes().size());
    CHECK(header_of(bytes).checksum == reference_checksum(bytes));
    const packed_weights copy = packed_copy(mapped(bytes, 7).bytes(), "again");
    const mapped file(bytes);
    const packed_weights view = packed_view(file.bytes(), "again");
    CHECK(view.bytes().data() == file.bytes().data());
    for (const packed_weights* again : {&copy, &view}) {
        CHECK(again->name() == "again");
        CHECK(packed_bytes(*again) == bytes);
        CHECK(products(*again) == products(packed));
    }
}

template <class Bits, class Scale, class Zero = symmetric> void check_grains() {
    check_round_trip(pack(weights<quantizer<Bits, per_tensor, Scale, nearest_even, Zero>>(3, 5)));
    check_round_trip(pack(weights<quantizer<Bits, per_channel<0>, Scale, nearest_even, Zero>>(37, 70, {}, 1)));
    if constexpr (!std::is_same_v<typename Scale::value_type, q31>) {
        check_round_trip(pack(weights<quantizer<Bits, per_group<32>, Scale, nearest_even, Zero>>(17, 70, {}, 1)));
        check_round_trip(pack(weights<quantizer<Bits, sub_layer<3, 5>, Scale, nearest_even, Zero>>(16, 33)));
    }
}

template <class Bits> void check_kinds() {
    check_grains<Bits, power_of_two<>>();
    check_grains<Bits, fixed_point<>>();
    check_grains<Bits, real_scale>();
    check_grains<Bits, power_of_two<>, affine>();
    check_grains<Bits, real_scale, affine>();
}

using w4 = quantizer<bits<4>, per_group<8>, power_of_two<>, nearest_even, affine>;
using real4 = quantizer<bits<4>, per_group<8>, real_scale>;
using fixed8 = quantizer<bits<8>, per_channel<0>, fixed_point<>>;
using w2 = quantizer<bits<2>, per_channel<0>, power_of_two<>>;

/// Every section but multipliers and block_scales: 3 outputs, 2 blocks of 8 and 5 inputs.
byte_string small_file() { return packed_bytes(pack(weights<w4>(3, 13, {}, reversed_order))); }

} // namespace

TEST_CASE("packed weights come back from their bytes") {
    check_kinds<bits<8>>();
    check_kinds<bits<4>>();
    check_kinds<bits<2>>();
    check_kinds<bits<8, unsigned_codes>>();
    check_kinds<bits<4, unsigned_codes>>();
    check_grains<bits<3>, power_of_two<>>();
    check_grains<bits<6>, real_scale>();
}

TEST_CASE("two-term weights come back from their bytes") {
    const auto fine = weights<quantizer<bits<4>, per_channel<0>, power_of_two<>>>(20, 45, {}, 1, 3);
    check_round_trip(pack_terms(weights<quantizer<bits<4>, per_channel<0>, power_of_two<>>>(20, 45, {}, 1), fine));
    check_round_trip(pack_terms(weights<quantizer<bits<8>, per_group<16>, power_of_two<>>>(20, 45, {}, 1), fine));
    check_round_trip(
        pack_terms(weights<quantizer<bits<2, unsigned_codes>, per_tensor, power_of_two<>>>(20, 45, {}, 1), fine));
}

TEST_CASE("weights of zeros come back from their bytes") {
    auto zeros = weights<quantizer<bits<4>, per_group<4>, power_of_two<>>>(5, 9);
    std::fill_n(zeros.codes.data(), zeros.codes.size(), std::int8_t{0});
    check_round_trip(pack(zeros));
}

TEST_CASE("a file that was read is written again, and copies may be copied") {
    packed_weights copy;
    {
        const mapped file(small_file());
        copy = packed_copy(file.bytes());
    }
    const packed_weights another = copy;
    CHECK(packed_bytes(another) == small_file());
    byte_string there(another.bytes().size());
    packed_bytes_to(another, there);
    CHECK(there == small_file());
    there.pop_back();
    CHECK_THAT(message_of<shape_error>([&] { packed_bytes_to(another, there); }), containing("bytes for packed"));
    CHECK_THAT(message_of<state_error>([] { static_cast<void>(packed_bytes(packed_weights())); }), containing("empty"));
}

TEST_CASE("a view needs an alignment of 64 bytes, a copy does not") {
    const byte_string bytes = small_file();
    for (const std::size_t beyond : {1U, 8U, 32U, 63U}) {
        const mapped file(bytes, beyond);
        const std::string message =
            message_of<unsupported_error>([&] { static_cast<void>(packed_view(file.bytes(), "fc1")); });
        CHECK_THAT(message, containing(std::to_string(beyond) + " bytes beyond a multiple of 64"));
        CHECK(packed_bytes(packed_copy(file.bytes())) == bytes);
    }
}

TEST_CASE("every truncation and every extension is a format_error") {
    const byte_string bytes = small_file();
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < bytes.size(); ++length)
        accepted += is_refused(std::span(bytes).first(length)) ? 0U : 1U;
    byte_string longer = bytes;
    for (int i = 0; i < 130; ++i) {
        longer.push_back(std::byte{0});
        accepted += is_refused(longer) ? 0U : 1U;
    }
    CHECK(accepted == 0);
    CHECK_THAT(refusal({}), containing("truncated: 0 bytes"));
    CHECK_THAT(refusal(byte_string(bytes.begin(), bytes.end() - 64)), containing("truncated"));
    CHECK_THAT(refusal(longer), containing("behind the end"));
}

TEST_CASE("every changed bit is a format_error, and so are other changes of one or two bytes") {
    byte_string bytes = small_file();
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            bytes[i] ^= static_cast<std::byte>(1U << bit);
            accepted += is_refused(bytes) ? 0U : 1U;
            bytes[i] ^= static_cast<std::byte>(1U << bit);
        }
    for (std::size_t i = 0; i + 32 < bytes.size(); ++i) // the same change in two words of one lane
        for (const std::byte mask : {std::byte{0x80}, std::byte{0xff}, std::byte{0x5a}}) {
            bytes[i] ^= mask;
            accepted += is_refused(bytes) ? 0U : 1U;
            bytes[i + 32] ^= mask;
            accepted += is_refused(bytes) ? 0U : 1U;
            bytes[i] ^= mask;
            bytes[i + 32] ^= mask;
        }
    CHECK(accepted == 0);
    CHECK(!is_refused(bytes));
}

TEST_CASE("the bytes of packed weights are laid out as documented") {
    // Codes 1 -2 3 -4 5 of one output, scale 2^-3: stored as 8 more, so that 0 is 8; steps 0 and 1 share a unit.
    using q = quantizer<bits<4>, per_channel<0>, power_of_two<>>;
    quantized_tensor<q, 2> w;
    w.codes = dense_tensor<std::int8_t, 2>({1, 5});
    for (std::size_t k = 0; k < 5; ++k)
        w.codes(0U, k) = static_cast<std::int8_t>((k % 2 == 0 ? 1 : -1) * static_cast<int>(k + 1));
    w.params.scales = {-3};
    const byte_string bytes = packed_bytes(pack(w));
    REQUIRE(bytes.size() == 256 + 3 * 64 + 64);
    CHECK(std::memcmp(bytes.data(), "notchwts", 8) == 0);
    const std::pair<std::size_t, std::uint64_t> words[] = {
        {16, 512},     {24, reference_checksum(bytes)},
        {32, 1},       {40, 5},
        {48, 5},       {56, 1}, // outputs, inputs, block, blocks
        {96, 255 * 9},          // bound: 1 + 3 + 5 above 2 + 4
        {104, 256},    {112, 0},
        {120, 320},    {128, 384},
        {136, 0},      {144, 0},
        {152, 0},      {160, 0},
        {168, 448}, // sections
    };
    for (const auto& [offset, value] : words)
        CHECK(number_at<std::uint64_t>(bytes, offset) == value);
    const std::pair<std::size_t, std::uint32_t> halves[] = {{8, 1},
                                                            {12, 1},
                                                            {64, 1},
                                                            {68, 4},
                                                            {72, 0},
                                                            {76, 8}, // version, layout, terms, bits, kind, bias
                                                            {80, 5},
                                                            {84, 0},
                                                            {88, 5},
                                                            {92, 4}, // largest value, shift, shifted; bits of a code
                                                            {176, 0x0102'0304},
                                                            {180, 0}}; // byte order, instruction set
    for (const auto& [offset, value] : halves)
        CHECK(number_at<std::uint32_t>(bytes, offset) == value);
    CHECK(number_at<std::int32_t>(bytes, 256) == -3);
    CHECK(number_at<float>(bytes, 320) == 0.125F);
    CHECK(number_at<std::int32_t>(bytes, 384) == 3);
    const unsigned codes[] = {0xd9, 0x86, 0x8b, 0x84};
    for (std::size_t i = 0; i < 64; ++i)
        CHECK(std::to_integer<unsigned>(bytes[448 + i]) == (i < 4 ? codes[i] : 0x88U));
}

TEST_CASE("files of another kind say what they are") {
    const byte_string bytes = small_file();
    CHECK(refusal(bytes) == "no error");
    CHECK_THAT(refusal(byte_string(1024, std::byte{'x'})), containing("foreign bytes: magic"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, version), 2U)), containing("version 2"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, layout), 7U)), containing("layout 7"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, isa), 3U)), containing("isa 3"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, byte_order), 0x0403'0201U)), containing("byte order"));
    byte_string damaged = bytes;
    damaged.back() ^= std::byte{1};
    CHECK_THAT(refusal(damaged), containing("checksum"));
}

TEST_CASE("headers that fit no file are refused although the checksum fits") {
    const byte_string bytes = small_file();
    const auto words = [&bytes](std::size_t offset, const char* name, std::initializer_list<std::uint64_t> values) {
        for (const std::uint64_t value : values) {
            INFO(name << " = " << value);
            CHECK_THAT(refusal(patched(bytes, offset, value)), containing(name));
        }
    };
    const auto halves = [&bytes](std::size_t offset, const char* name, std::initializer_list<std::uint32_t> values) {
        for (const std::uint32_t value : values) {
            INFO(name << " = " << value);
            CHECK_THAT(refusal(patched(bytes, offset, value)), containing(name));
        }
    };
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    words(offsetof(header, bytes), "bytes", {0, 1, 64, bytes.size() + 64, bytes.size() - 64, half, most});
    words(offsetof(header, outputs), "outputs", {0, 100000, half, most, most - 15, most / 16});
    words(offsetof(header, outputs), "lie at", {17, 33});
    words(offsetof(header, outputs), "codes: padding", {1, 2});
    words(offsetof(header, inputs), "inputs", {0, 1000, half, half + 13, most, most - 2});
    words(offsetof(header, inputs), "blocks", {8, 17, 24});
    words(offsetof(header, block), "block", {0, 1, 5, 6, 14, half, most});
    words(offsetof(header, blocks), "blocks", {0, 1, 3, half, most});
    halves(offsetof(header, terms), "terms", {0, 3, 7, 0x8000'0000U, 0xffff'ffffU});
    halves(offsetof(header, bits), "bits", {0, 1, 3, 5, 16, 0xffff'ffffU});
    halves(offsetof(header, kind), "kind", {3, 9, 0xffff'ffffU});
    halves(offsetof(header, kind), "blocks", {1}); // fixed point
    halves(offsetof(header, bias), "bias", {1, 7, 15, 16, 128, 255, 0xffff'ffffU});
    halves(offsetof(header, code_bits), "code_bits", {0, 1, 2, 5, 8, 9, 0xffff'ffffU});
    const header head = header_of(bytes);
    halves(offsetof(header, largest_value), "largest_value", {0, head.largest_value - 1, head.largest_value + 1});
    halves(offsetof(header, largest_shift), "largest_shift", {head.largest_shift + 1, 32, 0xffff'ffffU});
    halves(offsetof(header, largest_shifted), "largest_shifted", {0, head.largest_shifted - 1, 0xffff'ffffU});
    const auto bound = static_cast<std::uint64_t>(head.bound);
    words(offsetof(header, bound), "bound", {0, bound - 1, bound + 1, half, most});
    words(offsetof(header, first_inputs), "first_inputs", {1, 13, most});
    words(offsetof(header, first_block), "first_block", {1, 13, most});
    for (std::size_t i = 0; i < std::size(header{}.reserved); ++i)
        words(offsetof(header, reserved) + 8 * i, "reserved", {1, most});
    CHECK_THAT(refusal(patched(bytes, offsetof(header, terms), 2U)), containing("bytes is"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, bits), 8U)), containing("code_bits"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, kind), 2U)), containing("block_scales"));
}

TEST_CASE("sections that lie elsewhere are refused although the checksum fits") {
    const byte_string bytes = small_file();
    const header head = header_of(bytes);
    REQUIRE((head.block_shifts != 0 && head.biases != 0 && head.order != 0));
    const auto moved = [&bytes](std::size_t offset, const char* name) {
        const auto place = number_at<std::uint64_t>(bytes, offset);
        for (const std::uint64_t other :
             {std::uint64_t{0}, std::uint64_t{1}, place + 1, place + 64, place - 64, std::uint64_t{bytes.size()},
              std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max() - 63}) {
            INFO(name << " = " << other);
            const std::string message = refusal(patched(bytes, offset, other));
            CHECK_THAT(message, containing(" lie at ") || containing("bytes is"));
            if (other != 0) // where an optional section is left out, the next one is the wrong one
                CHECK_THAT(message, containing(std::string(name) + " lie at "));
        }
    };
    moved(offsetof(header, exponents), "exponents");
    moved(offsetof(header, scales), "scales");
    moved(offsetof(header, sums), "sums");
    moved(offsetof(header, block_shifts), "block_shifts");
    moved(offsetof(header, biases), "biases");
    moved(offsetof(header, order), "order");
    moved(offsetof(header, codes), "codes");
    CHECK_THAT(refusal(patched(bytes, offsetof(header, multipliers), std::uint64_t{256})), containing("multipliers"));
    CHECK_THAT(refusal(patched(bytes, offsetof(header, block_scales), std::uint64_t{256})), containing("block_scales"));
}

TEST_CASE("codes and tables that do not fit each other are refused although the checksum fits") {
    const byte_string bytes = small_file();
    const header head = header_of(bytes);
    const auto byte = [](unsigned value) { return static_cast<std::uint8_t>(value); };
    // Table [depth block][16] of one panel: outputs 0 to 2 exist.
    const std::size_t bias = head.biases;
    const auto old_bias = number_at<std::uint8_t>(bytes, bias);
    CHECK_THAT(refusal(patched(bytes, bias, byte(16))), containing("biases: 16 of output 0, depth block 0"));
    CHECK_THAT(refusal(patched(bytes, bias + 17, byte(255))), containing("biases: 255 of output 1, depth block 1"));
    CHECK_THAT(refusal(patched(bytes, bias, byte(old_bias ^ 1U))), containing("sums"));
    CHECK_THAT(refusal(patched(bytes, bias + 3, byte(7))), containing("codes: padding of output 3, depth block 0"));
    CHECK_THAT(refusal(patched(bytes, bias + 16, byte(old_bias ^ 1U))), containing("codes: padding of output 0"));
    CHECK_THAT(refusal(patched(bytes, head.block_shifts, byte(32))), containing("block_shifts: 32 of output 0"));
    CHECK_THAT(refusal(patched(bytes, head.block_shifts, byte(31))), containing("bound"));
    CHECK_THAT(refusal(patched(bytes, head.block_shifts + 5, byte(1))), containing("shifts zeros"));
    CHECK_THAT(refusal(patched(bytes, head.block_shifts + 32, byte(1))), containing("behind the block_shifts"));
    CHECK_THAT(refusal(patched(bytes, head.biases + 63, byte(1))), containing("behind the biases"));
    CHECK_THAT(refusal(patched(bytes, head.order + 52, byte(1))), containing("behind the order"));
    CHECK_THAT(refusal(patched(bytes, head.order, 13U)), containing("order: entry 0 is 13, which is no input"));
    CHECK_THAT(refusal(patched(bytes, head.order, 0xffff'ffffU)), containing("no input"));
    CHECK_THAT(refusal(patched(bytes, head.order + 4, 12U)), containing("order: entry 1 is 12, which occurs twice"));
    const auto sum = number_at<std::int32_t>(bytes, head.sums + 4);
    CHECK_THAT(refusal(patched(bytes, head.sums + 4, sum + 1)), containing("sums: that of output 1"));
    CHECK_THAT(refusal(patched(bytes, head.sums + 60, 1)), containing("sums: that of output 15"));
    CHECK_THAT(refusal(patched(bytes, head.exponents, 120)), containing("exponents"));
    CHECK_THAT(refusal(patched(bytes, head.exponents + 40, std::numeric_limits<std::int32_t>::min())),
               containing("exponents: that of output 10"));
    for (const float scale : {0.0F, -1.0F, std::bit_cast<float>(0x7fc0'0000U), std::bit_cast<float>(0x7f80'0000U)})
        CHECK_THAT(refusal(patched(bytes, head.scales + 8, scale)), containing("scales"));
    CHECK_THAT(refusal(patched(bytes, head.scales + 8, 3.0F)), containing("exponents: that of output 2"));
    CHECK_THAT(refusal(patched(patched(bytes, head.exponents, 120), head.scales, 0x1p120F)), containing("scales"));
    // Block 0 has 8 inputs, one whole unit; block 1 has 5, and the code behind them is that of a second step.
    const auto code = number_at<std::uint8_t>(bytes, head.codes);
    CHECK_THAT(refusal(patched(bytes, head.codes, byte(code ^ 1U))), containing("sums"));
    CHECK_THAT(refusal(patched(bytes, head.codes + 12, byte(0x98))), containing("codes: padding of output 3"));
    CHECK_THAT(refusal(patched(bytes, head.codes + 64 + 3, byte(0xff))), containing("codes: padding of output 0"));
}

TEST_CASE("a bound beyond int32 is refused, whatever the header says") {
    using q = quantizer<bits<8>, per_group<8>, power_of_two<>>;
    auto w = weights<q>(2, 16);
    std::fill_n(w.codes.data(), w.codes.size(), std::int8_t{127});
    w.params.scales = {0, 12, 0, 3}; // 8 * 127 * 2^12 * 255 fits, 2^13 does not
    const byte_string bytes = packed_bytes(pack(w));
    const header head = header_of(bytes);
    REQUIRE(number_at<std::uint8_t>(bytes, head.block_shifts + 16) == 12);
    for (const unsigned shift : {13U, 14U, 20U, 31U})
        CHECK_THAT(refusal(patched(bytes, head.block_shifts + 16, static_cast<std::uint8_t>(shift))),
                   containing("bound: products of output 0, depth block 1") || containing("sums"));
    // Everything consistent but too large: values that cancel in the sum.
    byte_string balanced = patched(bytes, head.codes, std::uint32_t{0x8181'7f7fU});
    balanced = patched(balanced, head.block_shifts + 16, std::uint8_t{16});
    CHECK_THAT(refusal(balanced), containing("bound"));
}

TEST_CASE("fixed-point and real scales that are none are refused although the checksum fits") {
    const byte_string fixed = packed_bytes(pack(weights<fixed8>(3, 5)));
    const header head = header_of(fixed);
    REQUIRE(head.multipliers != 0);
    const auto multiplier = number_at<std::int32_t>(fixed, head.multipliers);
    for (const std::int32_t other : {0, 1, -1, (1 << 30) - 1, std::numeric_limits<std::int32_t>::min()})
        CHECK_THAT(refusal(patched(fixed, head.multipliers, other)), containing("multipliers"));
    CHECK_THAT(refusal(patched(fixed, head.multipliers, multiplier ^ 0x0100'0000)), containing("exponents"));
    CHECK_THAT(refusal(patched(fixed, head.exponents, 300)), containing("exponents"));
    CHECK_THAT(refusal(patched(fixed, head.codes + 20, std::uint8_t{1})), containing("codes: padding of output 5"));

    const byte_string real = packed_bytes(pack(weights<real4>(3, 13)));
    const header second = header_of(real);
    REQUIRE(second.block_scales != 0);
    for (const float scale : {0.0F, -1.0F, 1e-31F, 0x1p120F, std::bit_cast<float>(0xffc0'0000U)})
        CHECK_THAT(refusal(patched(real, second.block_scales + 4 * 17, scale)),
                   containing("block_scales: ") && containing("of output 1"));
    CHECK_THAT(refusal(patched(real, second.block_scales + 4 * 3, 1.0F)), containing("block_scales: padding"));
    CHECK_THAT(refusal(patched(real, second.scales, 2.0F)), containing("not 1 beside block_scales"));
    CHECK_THAT(refusal(patched(real, second.exponents, 1)), containing("exponents"));
    CHECK(refusal(patched(real, second.block_scales, 2.0F)) == "no error"); // another matrix, and a right one
}

TEST_CASE("random changes with a checksum that fits never do more than raise format_error") {
    const byte_string files[] = {small_file(), packed_bytes(pack(weights<real4>(17, 29, {}, reversed_order))),
                                 packed_bytes(pack(weights<fixed8>(3, 70))), packed_bytes(pack(weights<w2>(18, 70)))};
    std::uint64_t next = 0;
    const auto below = [&next](std::size_t limit) { return (counter_bits(4, next++) >> 8) % limit; };
    std::size_t others = 0;
    std::size_t accepted = 0;
    for (int i = 0; i < 4000; ++i) {
        byte_string bytes = files[below(4)];
        const std::size_t end = i % 3 == 0 ? bytes.size() : sizeof(header); // the header more often
        for (std::size_t change = 0; change < 1 + below(3); ++change)
            bytes[28 + below(end - 28)] = static_cast<std::byte>(below(256));
        bytes = patched(bytes, 0, 'n');
        const mapped file(bytes);
        const std::string message = message_of<format_error>([&] {
            const packed_weights read = packed_view(file.bytes());
            ++accepted;
            CHECK(products(read).size() == 5 * read.outputs());
        });
        others += message.starts_with("another error") ? 1U : 0U;
    }
    CHECK(others == 0);
    CHECK(accepted < 400);
}
