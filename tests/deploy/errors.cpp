// What is refused, and what a runner does with wrong numbers.
#include "catch.hpp"
#include "deploy/random_network.hpp"
#include "deploy/run_plan.hpp"

#include <notch/deploy/lower.hpp>
#include <notch/ptq/make_plan.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using namespace notch_test;

namespace {

struct small_case {
    notch::plan plan;
    std::vector<float> images;
};

small_case small() {
    network_builder b(1, {2, 5, 5});
    b.conv(4, 3, {});
    b.add(notch::clip{});
    b.product(3);
    const auto images = b.random.normals(4 * 50);
    return {notch::make_plan(notch::calibrate(b.net, images)), images};
}

} // namespace

TEST_CASE("a plan whose numbers do not go together is refused by the layer's name") {
    small_case it = small();
    it.plan.groups[0].weights->least[2] += 1;
    CHECK_THROWS_WITH(notch::lower(it.plan), containing("Conv0") && containing("output 2"));
    it = small();
    it.plan.groups[0].weights->bits = 2;
    CHECK_THROWS_WITH(notch::lower(it.plan), containing("Conv0") && containing("2 bits"));
    it = small();
    it.plan.groups[0].weights->bias[1] = std::numeric_limits<std::int32_t>::max();
    CHECK_THROWS_WITH(run_plan(it.plan, it.images, 4, 4, 1), containing("Conv0") && containing("bias"));
}

TEST_CASE("a reshape of channels among convolutions has no integer form") {
    network_builder b(1, {4, 2, 6});
    b.conv(4, 1, {});
    b.add(notch::reshape{{4, 3, 4}});
    b.conv(2, 1, {});
    const auto images = b.random.normals(2 * 48);
    const notch::plan plan = notch::make_plan(notch::calibrate(b.net, images));
    CHECK_THROWS_WITH(notch::lower(plan), containing("Reshape1"));
}

TEST_CASE("slices of what is neither a vector nor an image have no integer form") {
    network_builder b(1, {4, 12});
    b.add(notch::slice{{0, 2}, {4, 12}, {1, 2}});
    b.add(notch::reshape{});
    b.product(3);
    const auto images = b.random.normals(2 * 48);
    const notch::plan plan = notch::make_plan(notch::calibrate(b.net, images));
    CHECK_THROWS_WITH(notch::lower(plan), containing("Slice0") && containing("[4, 5]"));
}

TEST_CASE("runners take as many images as they have memory for") {
    const small_case it = small();
    CHECK_THROWS_WITH(run_plan(it.plan, it.images, 4, 0, 1), containing("0 images"));
    CHECK_THROWS_WITH(run_plan(it.plan, it.images, 4, 4, 0), containing("0 tasks"));
    std::vector<float> bad = it.images;
    bad[17] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(run_plan(it.plan, bad, 4, 4, 1), containing("element 17"));
    const auto one = run_plan(it.plan, it.images, 4, 1, 1);
    const auto all = run_plan(it.plan, it.images, 4, 4, 3);
    CHECK(one.codes == all.codes);
    CHECK(one.results == all.results);
}

TEST_CASE("tensors that live at the same time do not meet in the arena") {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const notch::network net = random_network(seed);
        numbers random(seed);
        const auto images = random.normals(notch::element_count(net.tensors[net.input].shape));
        const notch::program program = notch::lower(notch::make_plan(notch::calibrate(net, images)));
        const auto tenants = notch::detail::arena_tenants(program.data());
        std::size_t whole = 0;
        std::size_t neighbours = 0;
        for (std::size_t t = 0; t < tenants.size(); ++t) {
            const auto& a = tenants[t];
            const std::size_t begin = program.tensors()[t].offset;
            CHECK(begin % 64 == 0);
            CHECK(begin + a.size <= program.arena_bytes());
            whole += a.size;
            for (std::size_t u = 0; u < tenants.size(); ++u) {
                const auto& b = tenants[u];
                if (t == u || a.size == 0 || b.size == 0 || b.last < a.first || a.last < b.first)
                    continue;
                const std::size_t other = program.tensors()[u].offset;
                CHECK((other + b.size <= begin || begin + a.size <= other));
                ++neighbours;
            }
        }
        CHECK(neighbours > 0);
        CHECK(program.arena_bytes() <= whole);
    }
}
