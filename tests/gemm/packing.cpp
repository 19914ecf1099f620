/// @file
/// The packed bytes: as many as planned, the same each time, on every instruction set and with every compiler, and what
/// owns or borrows them.
#include "gemm/cases.hpp"

using namespace cases;

namespace {

bool same_bytes(const packed_weights& a, const packed_weights& b) {
    return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// FNV-1a of what stands behind the header.
std::uint64_t digest(const packed_weights& packed) {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
    for (const std::byte b : packed.bytes().subspan(sizeof(detail::packed_header)))
        hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100'0000'01b3ULL;
    return hash;
}

template <class Q> std::uint64_t packed_twice(weight_shape s) {
    sequence random(3);
    auto w = weights<Q>(random, s);
    const packed_weights one = pack(w);
    CHECK(one.bytes().size() == packed_size(w));
    const detail::weight_term term = detail::term_of(w);
    CHECK(packs_alike({&term, 1}, one));
    CHECK(one.bytes().size() % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(one.bytes().data()) % 64 == 0);
    {
        detail::aligned_buffer<std::byte> used(one.bytes().size()); // what memory held before does not show
        std::memset(used.data(), 0xee, used.size());
    }
    CHECK(same_bytes(one, pack(w)));
    w.name = std::string("another");
    CHECK(same_bytes(one, pack(w)));
    return digest(one);
}

} // namespace

TEST_CASE("packed bytes are the same everywhere", "[gemm][pack]") {
    CHECK(packed_twice<quantizer<bits<8>, sub_layer<>, power_of_two<>>>({33, 70, 16, 16}) == 0xad1e'4c2d'b57d'dca0ULL);
    CHECK(packed_twice<quantizer<bits<4>, per_group<>, power_of_two<>>>({17, 101, 1, 32}) == 0x5952'5fbc'ff36'ecb2ULL);
    CHECK(packed_twice<quantizer<bits<4, unsigned_codes>, sub_layer<>, power_of_two<>, nearest_even, affine>>(
              {31, 50, 3, 7}) == 0xb59a'6785'a6ff'87e1ULL);
    CHECK(packed_twice<quantizer<bits<2>, sub_layer<>, real_scale>>({20, 66, 1, 10}) == 0xaf4f'69e7'3f58'b460ULL);
    CHECK(packed_twice<quantizer<bits<3>, per_channel<0>, fixed_point<>>>({20, 66, 1, 66}) == 0xd720'5a84'896e'24abULL);
}

TEST_CASE("codes take as many bits as they are stored in", "[gemm][pack]") {
    const auto bytes_of = [](auto policy) {
        sequence random(4);
        return pack(weights<decltype(policy)>(random, {256, 512, 1, 512}));
    };
    CHECK(bytes_of(quantizer<bits<8>, sub_layer<>, power_of_two<>>{}).header().panel_bytes() == 16 * 512);
    CHECK(bytes_of(quantizer<bits<4>, per_group<>, power_of_two<>>{}).header().panel_bytes() == 16 * 512 / 2);
    const packed_weights two = bytes_of(quantizer<bits<2>, sub_layer<>, power_of_two<>>{});
    CHECK(two.header().panel_bytes() == 16 * 512 / 4);
    CHECK(two.bits() == 2);
    CHECK(two.outputs() == 256);
    CHECK(two.inputs() == 512);
    CHECK(two.kind() == scale_kind::power_of_two);
    CHECK(two.exponents().size() == 256);
    CHECK(two.multipliers().empty());
}

TEST_CASE("packed weights are copied, moved and borrowed", "[gemm][pack]") {
    sequence random(5);
    const packed_weights one = pack(weights<quantizer<bits<4>, per_group<>, power_of_two<>>>(random, {17, 40, 1, 16}));
    packed_weights copy = one;
    CHECK(copy.bytes().data() != one.bytes().data());
    CHECK(same_bytes(copy, one));
    CHECK(copy.name() == "w");
    const std::byte* const at = copy.bytes().data();
    const packed_weights moved = std::move(copy);
    CHECK(moved.bytes().data() == at);
    CHECK_THROWS_AS(copy.outputs(), state_error); // NOLINT(bugprone-use-after-move)
    packed_weights borrowed(one.bytes().data(), "borrowed");
    CHECK(borrowed.bytes().data() == one.bytes().data());
    const packed_weights second = borrowed; // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(second.bytes().data() == one.bytes().data());
    borrowed = moved;
    CHECK(borrowed.bytes().data() != at);
    CHECK(same_bytes(borrowed, one));
}
