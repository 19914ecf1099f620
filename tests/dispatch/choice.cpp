// Which instruction sets there are, and what is refused.
#include "dispatch/problems.hpp"

#include <thread>

using namespace dispatch_test;

namespace {

using int8 = quantizer<bits<8>, per_channel<0>, power_of_two<>>;

template <class T> [[nodiscard]] dense_tensor<T, 2> destination(const problem& p) {
    return dense_tensor<T, 2>({p.rows, p.weights.outputs()});
}

} // namespace

TEST_CASE("scalar kernels are always there, and the choice is one of those that are", "[dispatch]") {
    CHECK(dispatched_isas().has(simd::isa::scalar));
    CHECK(dispatched_isas().has(dispatched_isa()));
    for_each_isa([](simd::isa which) { CHECK(simd::machine_has(which)); });
}

TEST_CASE("an instruction set of another family is refused", "[dispatch]") {
    const problem p = make_problem<int8>("int8", {3, 5, 8}, 1);
#if defined(__x86_64__)
    const simd::isa foreign = simd::isa::neon64;
#else
    const simd::isa foreign = simd::isa::avx2;
#endif
    auto dst = destination<std::int32_t>(p);
    const auto product = [&] { dispatched_gemm(p.left<std::uint8_t>(), p.weights, {}, dst, {}, serial{}, foreign); };
    CHECK_THROWS_AS(product(), unsupported_error);
    CHECK_THROWS_WITH(product(), containing(simd::name(foreign)) && containing("available here: scalar"));
    CHECK_THROWS_AS(dispatched_gemm_workspace(p.weights, 3, 1, foreign), unsupported_error);
}

TEST_CASE("destinations that do not fit the epilogue are refused", "[dispatch]") {
    const problem p = make_problem<int8>("int8", {3, 5, 8}, 1);
    const auto left = p.left<std::uint8_t>();
    auto codes = destination<std::int8_t>(p);
    auto reals = destination<float>(p);
    CHECK_THROWS_WITH(dispatched_gemm(left, p.weights, {.requantization = to_real{}}, codes),
                      containing("'w'") && containing("does not fit the destination"));
    CHECK_THROWS_WITH(dispatched_gemm(left, p.weights, {.requantization = shift_requantize{0}}, reals),
                      containing("does not fit the destination"));
    CHECK_THROWS_WITH(dispatched_gemm(left, p.weights, {}, reals), containing("needs the epilogue to_real"));
    CHECK_THROWS_WITH(dispatched_gemm(left, p.weights, {.requantization = to_real{}, .activation = relu{}}, reals),
                      containing("behind reals"));
    CHECK_THROWS_WITH(dispatched_gemm(left, p.weights, {.requantization = to_real{}, .zero_point = 1}, reals),
                      containing("behind reals"));
}

TEST_CASE("extents and workspaces are checked as gemm does", "[dispatch]") {
    const problem p = make_problem<int8>("int8", {3, 5, 8}, 1);
    const auto left = p.left<std::uint8_t>();
    dense_tensor<std::int8_t, 2> narrow({3, 4});
    CHECK_THROWS_AS(dispatched_gemm(left, p.weights, {.requantization = shift_requantize{0}}, narrow), shape_error);
    auto dst = destination<std::int8_t>(p);
    std::byte small[8];
    CHECK_THROWS_AS(
        dispatched_gemm(left, p.weights, {.requantization = shift_requantize{0}}, dst, {.workspace = small}),
        range_error);
    CHECK_THROWS_AS(dispatched_gemm(left, p.weights, {.bias = std::span(p.bias).first(2)}, dst), shape_error);
}

TEST_CASE("no row is no work", "[dispatch]") {
    problem p = make_problem<int8>("int8", {3, 5, 8}, 1);
    p.rows = 0;
    auto dst = destination<std::int8_t>(p);
    dispatched_gemm(p.left<std::uint8_t>(), p.weights, {.requantization = shift_requantize{0}}, dst);
    CHECK(dst.size() == 0);
}

TEST_CASE("tasks run on the executor of the caller", "[dispatch]") {
    const problem p = make_problem<int8>("int8", {40, 70, 65}, 5);
    const auto threads = [](std::size_t count, auto&& body) {
        std::vector<std::thread> pool;
        for (std::size_t task = 0; task < count; ++task)
            pool.emplace_back([&body, task] { body(task); });
        for (std::thread& thread : pool)
            thread.join();
    };
    const standard_epilogue epilogue{.bias = p.bias, .requantization = shift_requantize{output_exponent}};
    auto one = destination<std::int8_t>(p);
    auto four = destination<std::int8_t>(p);
    dispatched_gemm(p.left<std::int8_t>(), p.weights, epilogue, one);
    dispatched_gemm(p.left<std::int8_t>(), p.weights, epilogue, four, {.tasks = 4}, threads);
    CHECK(std::memcmp(one.data(), four.data(), one.size()) == 0);
}
