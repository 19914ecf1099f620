/// Codes of pixels by a table equal those of floats, one by one.
#include "catch.hpp"

#include <array>
#include <limits>
#include <notch/core/random.hpp>
#include <notch/deploy/pixel_table.hpp>
#include <notch/model/forward.hpp>
#include <string>
#include <vector>

namespace {

using notch::pixel_scaling;

/// A program that takes images [H, W, C] and does nothing.
notch::program taking(std::array<std::size_t, 3> shape, double scale, std::int32_t zero_point, std::int32_t highest) {
    notch::program_data data;
    notch::run_tensor tensor;
    tensor.shape = shape;
    tensor.scale = scale;
    tensor.zero_point = zero_point;
    tensor.highest = highest;
    data.tensors.push_back(tensor);
    return notch::program(data);
}

/// Every pixel once in every channel, and then random ones.
std::vector<std::uint8_t> pixels_of(std::size_t count) {
    std::vector<std::uint8_t> pixels(count);
    for (std::size_t i = 0; i < count; ++i)
        pixels[i] = static_cast<std::uint8_t>(i < 768 ? i / 3 : notch::counter_bits(7, i) >> 56);
    return pixels;
}

const pixel_scaling photos{.mean = {0.485, 0.456, 0.406}, .deviation = {0.229, 0.224, 0.225}};

template <class Error, class Body> std::string message_of(const Body& body) {
    try {
        body();
    } catch (const Error& problem) {
        return problem.what();
    }
    return "no error";
}

} // namespace

TEST_CASE("a pixel becomes the float that its formula says, rounded once") {
    CHECK(pixel_scaling{}(255, 0) == 1.0F);
    CHECK(pixel_scaling{.scale = 1}(200, 2) == 200.0F);
    CHECK(pixel_scaling{.scale = 1, .mean = {127.5}, .deviation = {64}}(127, 1) == -0.0078125F);
    CHECK(photos(124, 0) == static_cast<float>((124.0 / 255 - 0.485) / 0.229));
    std::vector<float> floats(2 * 2 * 3);
    const std::vector<std::uint8_t> pixels{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; // two images of 1 x 2 pixels
    pixel_scaling{.scale = 1}.floats(pixels, 3, 2, floats);
    CHECK(floats == std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
}

TEST_CASE("codes of a table equal those of floats") {
    struct {
        double scale;
        std::int32_t zero_point;
        std::int32_t highest;
    } const targets[] = {{0x1p-6, 135, 255}, {0.0187, 114, 255}, {0x1p-2, 8, 15}, {1.5, 2, 3}, {0x1p-30, 0, 255}};
    constexpr std::size_t images = 3;
    const std::vector<std::uint8_t> pixels = pixels_of(images * 16 * 20 * 3);
    for (const auto& target : targets)
        for (const pixel_scaling& scaling : {photos, pixel_scaling{}, pixel_scaling{.scale = 1}}) {
            const notch::program to = taking({16, 20, 3}, target.scale, target.zero_point, target.highest);
            std::vector<float> floats(pixels.size());
            scaling.floats(pixels, 3, images, floats);
            std::vector<std::uint8_t> expected(pixels.size());
            to.encode(floats, images, expected);
            std::vector<std::uint8_t> codes(pixels.size());
            const notch::pixel_table table(to, scaling);
            table.codes(pixels, images, codes);
            CHECK(codes == expected);
            CHECK(table.code(pixels[4], 1) == codes[4]);
        }
}

TEST_CASE("constant maps behind the input go into the table") {
    notch::plan plan;
    notch::network& net = plan.net;
    net.input = net.add_tensor("pixels", {3, 16, 20});
    const std::size_t scaled = net.add_tensor("scaled");
    plan.input = net.output = net.add_tensor("normal");
    const notch::affine_map first{.factor = {1.0F / 255}, .offset = {-0.5F}};
    const notch::affine_map second{.factor = {4.3F, 4.4F, 4.5F}, .offset = {0.1F, 0.2F, 0.3F}};
    net.layers.push_back({"scale", first, {net.input}, scaled});
    net.layers.push_back({"normalize", second, {scaled}, net.output});
    const std::vector<notch::affine_map> front = notch::front_of(plan);
    REQUIRE(front.size() == 2);
    CHECK(front[1].factor == second.factor);

    const notch::program to = taking({16, 20, 3}, 0.0171, 120, 255);
    const std::vector<std::uint8_t> pixels = pixels_of(16 * 20 * 3);
    const pixel_scaling plain{.scale = 1};
    std::vector<float> floats(pixels.size());
    plain.floats(pixels, 3, 1, floats);
    std::vector<float> entering(pixels.size());
    notch::float_program(net).run(floats, 1, entering);
    std::vector<std::uint8_t> expected(pixels.size());
    to.encode(entering, 1, expected);
    std::vector<std::uint8_t> codes(pixels.size());
    notch::pixel_table(to, plain, front).codes(pixels, 1, codes);
    CHECK(codes == expected);

    plan.input = plan.net.add_tensor("elsewhere", {3, 16, 20});
    CHECK(message_of<notch::state_error>([&] { static_cast<void>(notch::front_of(plan)); }) ==
          "pixels: codes enter 'elsewhere', and there is more than constant maps before it");
}

TEST_CASE("errors of pixels name the number") {
    const notch::program to = taking({2, 2, 3}, 1, 0, 255);
    const auto table_of = [&](const pixel_scaling& scaling) {
        return message_of<notch::error>([&] { notch::pixel_table{to, scaling}; });
    };
    CHECK(table_of({.mean = {1, 2}}) == "pixels: 2 numbers of the mean for 3 channels");
    CHECK(table_of({.deviation = {1, 0, 1}}) == "pixels: the deviation is 0; it has to be finite and not 0");
    CHECK(table_of({.mean = {std::numeric_limits<double>::infinity()}}) ==
          "pixels: the mean is inf; it has to be finite");
    CHECK(table_of({.scale = 1, .deviation = {1, 1, 1e-300}}) ==
          "pixels: those of channel 2 become 0 to 2.55e+302; these have to be two different floats, at most "
          "3.40282347e+38 in magnitude");
    CHECK(table_of({.scale = 1e308}).starts_with("pixels: those of channel 0 become 0 to inf; "));
    CHECK(table_of({.mean = {0, 1e38, 0}}).starts_with("pixels: those of channel 1 become -1e+38 to -1e+38; "));
    CHECK(table_of({.scale = 1e-60}).starts_with("pixels: those of channel 0 become 0 to 2.55e-58; "));
    std::vector<std::uint8_t> codes(12);
    const std::vector<std::uint8_t> pixels(11);
    CHECK(message_of<notch::shape_error>([&] { notch::pixel_table(to).codes(pixels, 1, codes); }) ==
          "pixels: 11 bytes and 12 codes for 1 images of 12 bytes");
    std::vector<float> floats(12);
    CHECK(message_of<notch::shape_error>([&] { photos.floats(pixels, 3, 1, floats); }) ==
          "pixels: 11 bytes and 12 floats for 1 images of 3 channels");
}
