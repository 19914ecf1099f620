/// @file
/// Epilogues that numbers describe, which microkernels finish while they compute: with numbers at all ends, codes of both
/// signs, in rows that are left and right of others, equal to gemm/reference.hpp. Needs the instruction set of this program.
#include "catch.hpp"
#include "gemm/cases.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/real_factors.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace cases;

namespace {

constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max() - 1000;

/// What stands behind the requantization.
struct ending {
    clamp first{};
    add_zero_point zero_point{};
    clamp second{};
};

/// Endings of every kind: codes of a whole type, parts of them, nothing of them, and more than them.
std::vector<ending> endings() {
    constexpr clamp anything{-most, most};
    return {{anything, {0}, anything},       {{0, most}, {0}, {0, 255}},     {{0, most}, {0}, {0, 254}},
            {{-128, 127}, {0}, {-128, 127}}, {{-5, 9}, {0}, anything},       {{300, 400}, {-128}, anything},
            {{-900, -700}, {255}, anything}, {{most, most}, {3}, anything},  {{-most, -most}, {127}, anything},
            {{0, most}, {-128}, {-2, 250}},  {anything, {128}, {-1000, 99}}, {{-most, 0}, {255}, {1, most}}};
}

/// A product with an epilogue, and the same by the reference; what lies around the codes has to stay.
template <class T, class Q, class Epilogue>
std::string differs(const activations& a, const quantized_tensor<Q, 2>& w, const packed_weights& packed,
                    const Epilogue& epilogue) {
    const std::size_t n = w.shape()[0];
    std::vector<T> fast(a.rows * (n + 9), T{77});
    std::vector<T> slow(fast);
    const auto place = [&](std::vector<T>& v) {
        return strided_view<T, 2>(v.data() + 4, {a.rows, n}, {static_cast<std::ptrdiff_t>(n + 9), 1});
    };
    gemm(a.plain(), packed, epilogue, place(fast));
    reference_gemm(a.plain(), w, epilogue, place(slow));
    for (std::size_t i = 0; i < fast.size(); ++i)
        if (fast[i] != slow[i])
            return "row " + std::to_string(i / (n + 9)) + ", column " + std::to_string(i % (n + 9)) + ": " +
                   std::to_string(fast[i]) + " instead of " + std::to_string(slow[i]);
    return "";
}

/// A third of the endings, those whose turn it is, behind one requantization.
template <class T, class Q, class Requantize>
std::string first_difference(sequence& random, const activations& a, const quantized_tensor<Q, 2>& w,
                             const std::vector<std::int32_t>& bias, const Requantize& requantize) {
    const packed_weights packed = pack(w);
    const std::vector<ending> all = endings();
    for (std::size_t i = random.size(0, 2); i < all.size(); i += 3) {
        const auto epilogue = stages(add_bias{bias}, requantize, all[i].first, all[i].zero_point, all[i].second);
        const std::string found = differs<T>(a, w, packed, epilogue);
        if (!found.empty())
            return "ending " + std::to_string(i) + ": " + found;
    }
    return "";
}

/// A stage that is none of the library's, and says what it does.
struct at_most {
    std::int32_t limit;

    template <simd::lane Lane> Lane operator()(Lane x) const noexcept { return simd::lane_min(x, Lane(limit)); }
    bool describe(plain_codes& codes) const noexcept { return codes.then_clamp(-most, limit); }
};

struct problem {
    std::size_t rows;
    std::size_t inputs;
    std::size_t outputs;
};

/// Every number of rows that tiles are cut into, few and many steps, parts of dot products, columns that do not fill a tile.
constexpr problem problems[] = {{22, 4, 64},   {5, 60, 64},   {24, 64, 128}, {29, 12, 64},
                                {31, 256, 80}, {25, 100, 64}, {26, 519, 64}, {20, 3000, 64}};

template <class Q> weight_shape shape_of(const problem& p) { return {p.outputs, p.inputs, 1, p.inputs}; }

/// Rows enough for tiles that are finished while others are computed, and sums of exponent -7 or so.
class fixed_problem {
    using q = quantizer<bits<8>, per_channel<0>, power_of_two<>>;

public:
    explicit fixed_problem(std::uint64_t seed) : random_(seed) {
        left_.scale = 0;
        left_.exponent = 0;
    }
    template <class T, class Epilogue> [[nodiscard]] std::string differs(const Epilogue& epilogue) const {
        return ::differs<T>(left_, weights_, packed_, epilogue);
    }

private:
    sequence random_;
    quantized_tensor<q, 2> weights_ = weights<q>(random_, {64, 64, 1, 64});
    activations left_ = left_of(random_, 25, 64);
    packed_weights packed_ = pack(weights_);
};

} // namespace

TEMPLATE_TEST_CASE("Shifts of every length are those of the reference", "[plain]", bits<8>, bits<4>, bits<2>) {
    using q = quantizer<TestType, per_channel<0>, power_of_two<>>;
    sequence random(20);
    for (const problem& p : problems) {
        for (const filling fill : {filling::random, filling::highest}) {
            const auto w = weights<q>(random, shape_of<q>(p), fill);
            activations a = left_of(random, p.rows, p.inputs, fill);
            a.scale = 0;
            a.exponent = 0;
            // Sums have exponents from -7 to -1 here: shifts to the left, none, to the right.
            for (const std::int32_t exponent : {p.inputs < 300 ? -8 : -2, 4, 12, 29}) {
                std::vector<std::int32_t> bias(p.outputs);
                for (std::size_t c = 0; c < bias.size(); ++c)
                    bias[c] = random.between(-100000, 100000);
                INFO(p.rows << " x " << p.inputs << " x " << p.outputs << ", exponent " << exponent);
                REQUIRE(first_difference<std::uint8_t>(random, a, w, bias, shift_requantize<>{exponent}) == "");
                REQUIRE(first_difference<std::int8_t>(random, a, w, bias, shift_requantize<>{exponent}) == "");
            }
        }
    }
}

TEST_CASE("Sums just inside and outside what floats hold, and ties, are rounded as by the reference", "[plain]") {
    using q = quantizer<bits<8>, per_channel<0>, power_of_two<>>;
    sequence random(21);
    for (const std::size_t inputs : {512U, 516U, 520U, 524U}) { // 255 * 127 * 518 is 2^24
        const auto w = weights<q>(random, {64, inputs, 1, inputs}, filling::highest, 0);
        activations a = left_of(random, 27, inputs, filling::highest);
        a.zero_point = 0;
        a.scale = 0;
        a.exponent = 0;
        for (std::size_t i = 0; i < a.codes.size(); i += 5)
            a.codes[i] = static_cast<std::uint8_t>(random.between(0, 255));
        for (const std::int32_t exponent : {8, 10, 17}) {
            std::vector<std::int32_t> bias(64);
            for (std::int32_t& b : bias)
                b = random.between(-17000000, 0);
            REQUIRE(first_difference<std::int8_t>(random, a, w, bias, shift_requantize<>{exponent}) == "");
        }
    }
}

TEST_CASE("Real factors, also such as leave int32, are those of the reference", "[plain]") {
    using q = quantizer<bits<8>, per_channel<0>, real_scale>;
    sequence random(22);
    for (const problem& p : problems) {
        const auto w = weights<q>(random, {p.outputs, p.inputs, 1, p.inputs});
        activations a = left_of(random, p.rows, p.inputs);
        a.scale = 0.02F;
        std::vector<std::int32_t> bias(p.outputs);
        for (std::int32_t& b : bias)
            b = random.between(-100000, 100000);
        for (const float scale : {1e-6F, 0.001F, 0.37F, 20.0F, 1e9F}) {
            INFO(p.rows << " x " << p.inputs << " x " << p.outputs << ", scale " << scale);
            REQUIRE(first_difference<std::uint8_t>(random, a, w, bias, real_requantize<>{scale}) == "");
        }
        for (const float largest : {0.0001F, 0.03F, 5.0F, 1e7F}) {
            std::vector<float> factors(p.outputs);
            for (float& f : factors)
                f = largest * static_cast<float>(random.between(1, 1000)) * 0.001F;
            REQUIRE(first_difference<std::int8_t>(random, a, w, bias, real_requantize_by<>{factors}) == "");
        }
    }
}

TEST_CASE("Stages in an order that no numbers describe are run one by one", "[plain]") {
    const fixed_problem p(23);
    const std::vector<std::int32_t> bias(64, 5);
    CHECK(p.differs<std::uint8_t>(stages(clamp{-700, 900}, shift_requantize<>{4})) == "");
    CHECK(p.differs<std::uint8_t>(stages(add_zero_point{250}, shift_requantize<>{4})) == "");
    CHECK(p.differs<std::uint8_t>(stages(shift_requantize<>{4}, add_bias{bias})) == "");
    CHECK(p.differs<std::uint8_t>(stages(shift_requantize<>{2}, shift_right_by<>{2})) == "");
    CHECK(p.differs<std::int8_t>(stages(shift_requantize<nearest_up>{4}, relu{})) == "");
}

TEST_CASE("A stage of one's own that describes itself is obeyed", "[plain]") {
    const fixed_problem p(24);
    CHECK(p.differs<std::uint8_t>(stages(shift_requantize<>{4}, at_most{9}, add_zero_point{3})) == "");
}
