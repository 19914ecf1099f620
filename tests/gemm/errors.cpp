/// @file
/// Everything that gemm and pack refuse: the kind of the error, what its text names, and that nothing has been written.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

using w4 = quantizer<bits<4>, per_group<>, power_of_two<>>;
using w8a = quantizer<bits<8, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>;

packed_weights some_weights(std::size_t outputs = 18, std::size_t inputs = 32) {
    sequence random(1);
    return pack(weights<w4>(random, {outputs, inputs, 1, 16}));
}

template <class T> struct destination {
    std::vector<T> data;
    strided_view<T, 2> view;
    destination(std::size_t rows, std::size_t columns, T fill = T(77))
        : data(rows * columns, fill), view(data.data(), {rows, columns}) {}
    [[nodiscard]] bool untouched() const { return std::count(data.begin(), data.end(), T(77)) == std::ssize(data); }
};

/// Runs on every instruction set, expects one kind of error with these texts, and nothing written.
template <class Error, class Epilogue, class T>
void refused(const products::left_operand& left, const packed_weights& weights, const Epilogue& epilogue,
             const destination<T>& to, const std::vector<std::string>& texts, const gemm_options& options = {}) {
    for (const products::instruction_set& set : products::instruction_sets()) {
        INFO(set.name);
        const products::any_output out = products::output<Epilogue, T>{epilogue, to.view};
        CHECK_THROWS_AS(set.run(left, weights, out, options, {}), Error);
        for (const std::string& text : texts)
            CHECK_THROWS_WITH(set.run(left, weights, out, options, {}), containing(text));
        CHECK(to.untouched());
    }
}

} // namespace

TEST_CASE("extents that do not go together", "[gemm][error]") {
    sequence random(2);
    const packed_weights packed = some_weights();
    const activations a = left_of(random, 5, 31);
    refused<shape_error>(a.plain(), packed, identity{}, destination<std::int32_t>(5, 18),
                         {"activations [5, 31] times tensor 'w' [18, 32]: the inputs differ"});
    const activations b = left_of(random, 5, 32);
    refused<shape_error>(b.plain(), packed, identity{}, destination<std::int32_t>(5, 17),
                         {"'w'", "a destination of extents [5, 17] for a product of extents [5, 18]"});
    refused<shape_error>(b.plain(), packed, identity{}, destination<std::int32_t>(4, 18), {"extents [4, 18]"});
}

TEST_CASE("activations whose numbers mean nothing", "[gemm][error]") {
    sequence random(3);
    const packed_weights packed = some_weights();
    activations a = left_of(random, 5, 32);
    a.scale = 0;
    const destination<std::int32_t> to(5, 18);
    auto left = a.plain();
    left.zero_point = 256;
    refused<range_error>(left, packed, identity{}, to, {"activations: zero point 256 lies outside [0, 255]"});
    left.zero_point = -1;
    refused<range_error>(left, packed, identity{}, to, {"zero point -1 lies outside [0, 255]"});
    left.zero_point = 0;
    left.exponent = 128;
    refused<range_error>(left, packed, identity{}, to, {"activations: exponent 128 lies outside [-126, 127]"});
    left.exponent = -127;
    refused<range_error>(left, packed, identity{}, to, {"exponent -127"});
    for (const float scale : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        left.scale = scale;
        refused<range_error>(left, packed, identity{}, to, {"activations: scale", "is not positive and finite"});
    }
    const std::vector<std::int8_t> codes(5 * 32);
    const activation_codes<std::int8_t> flipped{strided_view<const std::int8_t, 2>(codes.data(), {5, 32}), -129, 0, 0};
    refused<range_error>(flipped, packed, identity{}, to, {"zero point -129 lies outside [-128, 127]"});
}

TEST_CASE("activations that are tensors with more than gemm takes", "[gemm][error]") {
    sequence random(9);
    const auto rows = weights<quantizer<bits<8>, per_channel<0>, fixed_point<>>>(random, {6, 32, 1, 32});
    CHECK_THROWS_AS(detail::operand_of(rows), unsupported_error);
    CHECK_THROWS_WITH(detail::operand_of(rows), containing("'w': activations with 6 scales"));
    auto ordered = weights<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(random, {6, 32, 6, 32});
    ordered.params.output_order = {1, 0, 2, 3, 4, 5};
    CHECK_THROWS_AS(detail::operand_of(ordered), unsupported_error);
    CHECK_THROWS_WITH(detail::operand_of(ordered), containing("channel order"));
    auto broken = weights<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(random, {6, 32, 6, 32});
    broken.params.zero_points = {3};
    CHECK_THROWS_AS(detail::operand_of(broken), shape_error);
}

TEST_CASE("a workspace that is too small", "[gemm][error]") {
    sequence random(4);
    const packed_weights packed = some_weights();
    activations a = left_of(random, 50, 32);
    const destination<std::int32_t> to(50, 18);
    for (const products::instruction_set& set : products::instruction_sets()) {
        const std::size_t needed = set.workspace(packed, 50, 1);
        // A left operand with strides: the whole of it is needed.
        const std::vector<std::uint8_t> codes(50 * 64);
        const activation_codes<std::uint8_t> left{strided_view<const std::uint8_t, 2>(codes.data(), {50, 32}, {64, 2}),
                                                  0, 0, 0};
        std::vector<std::byte> memory(needed);
        gemm_options options;
        options.workspace = {memory.data(), needed - 1};
        const products::any_output out = products::output<identity, std::int32_t>{{}, to.view};
        CHECK_THROWS_AS(set.run(left, packed, out, options, {}), range_error);
        CHECK_THROWS_WITH(
            set.run(left, packed, out, options, {}),
            containing(detail::text("'w': a workspace of ", needed - 1, " bytes; gemm_workspace asks for ", needed)));
        CHECK(to.untouched());
    }
}

TEST_CASE("float sums need an epilogue that takes floats, integers one that makes them real", "[gemm][error]") {
    sequence random(5);
    const packed_weights real = pack(weights<quantizer<bits<4>, sub_layer<>, real_scale>>(random, {18, 32, 1, 16}));
    activations a = left_of(random, 5, 32);
    a.scale = 0;
    refused<unsupported_error>(a.plain(), real, identity{}, destination<std::int32_t>(5, 18),
                               {"'w' has real scales that change along the inputs", "real_requantize", "to_real"});
    refused<unsupported_error>(a.plain(), real, shift_epilogue({}), destination<std::int8_t>(5, 18),
                               {"'w': shift_requantize needs power-of-two scales"});
    a.scale = 0.5F;
    refused<unsupported_error>(a.plain(), some_weights(), shift_epilogue({}), destination<std::int8_t>(5, 18),
                               {"'w': shift_requantize needs power-of-two scales"});
}

TEST_CASE("an executor that loses tasks", "[gemm][error]") {
    sequence random(6);
    const packed_weights packed = some_weights(64, 32);
    const activations a = left_of(random, 100, 32);
    const destination<std::int32_t> to(100, 64);
    gemm_options options;
    options.tasks = 2;
    const products::any_output out = products::output<identity, std::int32_t>{{}, to.view};
    const products::pool lazy = [](std::size_t, const std::function<void(std::size_t)>& body) { body(0); };
    CHECK_THROWS_AS(products::instruction_sets()[0].run(a.plain(), packed, out, options, lazy), state_error);
}

TEST_CASE("nothing to do is no error, and empty weights are one", "[gemm][error]") {
    const packed_weights packed = some_weights();
    const activation_codes<std::uint8_t> none{strided_view<const std::uint8_t, 2>(nullptr, {0, 32}), 0, 0, 0};
    for (const products::instruction_set& set : products::instruction_sets()) {
        set.run(none, packed, products::output<identity, std::int32_t>{{}, {nullptr, {0, 18}}}, {}, {});
        CHECK(set.workspace(packed, 0, 1) > 0);
    }
    refused<state_error>(none, packed_weights(), identity{}, destination<std::int32_t>(0, 18),
                         {"packed weights are empty; make them by pack()"});
}

TEST_CASE("what pack refuses", "[gemm][pack][error]") {
    sequence random(7);
    quantized_tensor<w4, 2> empty;
    empty.codes = dense_tensor<std::int8_t, 2>({0, 4});
    empty.params.policy.granularity = {16};
    empty.params.blocks = {0, 1};
    CHECK_THROWS_AS(pack(empty), shape_error);
    CHECK_THROWS_WITH(pack(empty), containing("at least one output and one input"));

    auto far = weights<w8a>(random, {3, 8, 3, 8});
    far.params.zero_points = {10};
    for (std::uint8_t& code : far.codes.elements())
        code = 5;
    far.codes(1, 5) = 138;
    CHECK_THROWS_AS(pack(far), range_error);
    CHECK_THROWS_WITH(pack(far), containing("'w': output 1, inputs from 0: values (code - zero point 10)"));
    CHECK_THROWS_WITH(pack(far), containing("to 128; kernels take [-128, 127]"));

    const auto eight =
        weights<quantizer<bits<8>, sub_layer<>, power_of_two<>>>(random, {1, 65794, 1, 65794}, filling::lowest);
    CHECK_THROWS_AS(pack(eight), range_error);
    CHECK_THROWS_WITH(pack(eight), containing("may reach 2147516160, beyond 2147483647 (65794 inputs"));

    // Sums that leave 64 bits: one block, and many of them, shifted by 31.
    using groups8 = quantizer<bits<8>, per_group<>, power_of_two<>>;
    for (const std::size_t block : {std::size_t{150016}, std::size_t{512}}) {
        auto huge = weights<groups8>(random, {1, 300032, 1, block}, filling::lowest);
        std::ranges::fill(huge.params.scales, 31);
        huge.params.scales[0] = 0;
        CHECK_THROWS_AS(pack(huge), range_error);
        CHECK_THROWS_WITH(pack(huge), containing("may reach more than"));
        CHECK_THROWS_WITH(pack(huge), containing("beyond 2147483647 (300032 inputs"));
    }

    using fixed_groups = quantizer<bits<4>, per_group<>, fixed_point<>>;
    const auto fixed = weights<fixed_groups>(random, {3, 8, 1, 4});
    CHECK_THROWS_AS(pack(fixed), unsupported_error);
    CHECK_THROWS_WITH(pack(fixed), containing("'w': fixed-point scales change 1 times along the inputs"));
    auto wrong = weights<w4>(random, {3, 8, 1, 4});
    wrong.params.scales.pop_back();
    CHECK_THROWS_AS(pack(wrong), shape_error);
}

TEST_CASE("what pack_terms refuses", "[gemm][pack][error]") {
    sequence random(8);
    const auto fine = weights<w4>(random, {3, 8, 1, 4});
    const auto other = weights<w4>(random, {3, 9, 1, 4});
    CHECK_THROWS_AS(pack_terms(other, fine), shape_error);
    CHECK_THROWS_WITH(pack_terms(other, fine),
                      containing("coarse tensor 'w' has extents [3, 9], fine tensor 'w' [3, 8]"));
    const auto real = weights<quantizer<bits<4>, sub_layer<>, real_scale>>(random, {3, 8, 1, 4});
    CHECK_THROWS_AS(pack_terms(real, fine), unsupported_error);
    CHECK_THROWS_WITH(pack_terms(fine, real), containing("'w': two-term weights need power-of-two scales"));
    auto coarse = fine;
    for (std::int32_t& e : coarse.params.scales)
        e += 40;
    CHECK_THROWS_AS(pack_terms(coarse, fine), range_error);
    CHECK_THROWS_WITH(pack_terms(coarse, fine), containing("sums of int32 hold at most 31"));
}

TEST_CASE("pack refuses codes that its width does not have") {
    using whole4 = notch::quantizer<notch::bits<4>, notch::per_tensor, notch::power_of_two<>>;
    notch::quantized_tensor<whole4, 2> weights;
    weights.codes = notch::dense_tensor<std::int8_t, 2>({2, 4}, std::int8_t{1});
    weights.params = notch::params_from_scales<whole4>(weights.codes.shape(), {0.5});
    weights.name = "fc";
    CHECK_NOTHROW(notch::pack(weights));
    weights.codes(1, 2) = 100;
    CHECK_THROWS_WITH(notch::pack(weights), containing("fc") && containing("100") && containing("[-8, 7]"));
}

namespace {

/// Counts quarters of octaves in the type of an exponent.
struct quarter_octaves {
    using value_type = std::int32_t;
    static std::int32_t snap(double) { return -2; }
    static double to_real(std::int32_t) { return 0.7071067811865476; }
};

} // namespace

TEST_CASE("pack refuses int32 scales that are no exponents of two") {
    using quarters = notch::quantizer<notch::bits<8>, notch::per_tensor, quarter_octaves>;
    notch::quantized_tensor<quarters, 2> weights;
    weights.codes = notch::dense_tensor<std::int8_t, 2>({1, 4}, std::int8_t{1});
    weights.params = notch::params_from_scales<quarters>(weights.codes.shape(), {0.7});
    CHECK_THROWS_AS(notch::pack(weights), notch::unsupported_error);
}

TEST_CASE("the definition of gemm refuses what gemm refuses", "[gemm][error]") {
    sequence random(9);
    const auto w = weights<w4>(random, {18, 32, 1, 16});
    const destination<std::int32_t> to(5, 18);
    const activations other = left_of(random, 5, 31);
    CHECK_THROWS_AS(reference_gemm(other.plain(), w, identity{}, to.view), shape_error);
    const activations a = left_of(random, 5, 32);
    const destination<std::int32_t> small(5, 17);
    CHECK_THROWS_AS(reference_gemm(a.plain(), w, identity{}, small.view), shape_error);
    CHECK(small.untouched());
    const auto real = weights<quantizer<bits<4>, per_group<>, real_scale>>(random, {18, 32, 1, 16});
    CHECK_THROWS_AS(reference_gemm(a.plain(), real, identity{}, to.view), unsupported_error);
    CHECK(to.untouched());
}

TEST_CASE("an epilogue that does not take the sums is refused with no rows too", "[gemm][error]") {
    sequence random(10);
    const packed_weights real = pack(weights<quantizer<bits<4>, per_group<>, real_scale>>(random, {18, 32, 1, 16}));
    const activations none = left_of(random, 0, 32);
    refused<unsupported_error>(none.plain(), real, identity{}, destination<std::int32_t>(0, 18), {"sums are floats"});
}
