// Executors: every task once, errors of the lowest task, foreign pools.
#include "catch.hpp"
#include "threads_backwards.hpp"

#include <notch/core/error.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/executor_openmp.hpp>
#include <notch/core/executor_tbb.hpp>

#include <atomic>
#include <functional>
#include <vector>

using namespace notch;

namespace {

template <class Executor> std::vector<int> visits(Executor&& run, std::size_t n_tasks) {
    std::vector<std::atomic<int>> counts(n_tasks);
    detail::run_tasks(detail::executor_ref(run), n_tasks, [&](std::size_t task) { ++counts[task]; });
    return {counts.begin(), counts.end()};
}

} // namespace

TEST_CASE("every task runs once on every executor", "[executor]") {
    STATIC_REQUIRE(executor<serial>);
    STATIC_REQUIRE(executor<threads_backwards>);
    STATIC_REQUIRE(executor<std::function<void(std::size_t, std::function<void(std::size_t)>)>>);
    STATIC_REQUIRE_FALSE(executor<int>);
    for (const std::size_t n_tasks : {0U, 1U, 2U, 7U, 1000U}) {
        const std::vector<int> once(n_tasks, 1);
        CHECK(visits(serial{}, n_tasks) == once);
        CHECK(visits(threads_backwards{}, n_tasks) == once);
        CHECK(visits(
                  [](std::size_t n, auto&& body) {
                      for (std::size_t i = 0; i < n; ++i)
                          body(i);
                  },
                  n_tasks) == once);
#ifdef _OPENMP
        CHECK(visits(openmp{2}, n_tasks) == once);
        CHECK(visits(openmp{}, n_tasks) == once);
#endif
    }
}

TEST_CASE("of several errors the one of the lowest task is reported", "[executor]") {
    const auto fail_from_three = [](std::size_t task) {
        if (task >= 3)
            detail::raise<range_error>("task ", task);
    };
    const serial in_order;
    const threads_backwards backwards;
    CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(in_order), 9, fail_from_three), "task 3");
    CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(backwards), 9, fail_from_three), "task 3");
    std::vector<int> seen(9, 0);
    const auto note_and_fail = [&](std::size_t task) {
        seen[task] = 1;
        fail_from_three(task);
    };
    CHECK_THROWS_AS(detail::run_tasks(detail::executor_ref(backwards), 9, note_and_fail), range_error);
    CHECK(seen == std::vector<int>(9, 1));
}

TEST_CASE("an executor that does not run every task once is reported", "[executor]") {
    const auto nothing = [](std::size_t) {};
    const auto skips = [](std::size_t n_tasks, auto&& body) {
        for (std::size_t task = 0; task < n_tasks; task += 2)
            body(task);
    };
    const auto exceeds = [](std::size_t n_tasks, auto&& body) {
        for (std::size_t task = 0; task <= n_tasks; ++task)
            body(task);
    };
    CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(skips), 9, nothing), containing("ran 5 tasks of 9"));
    CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(exceeds), 9, nothing), containing("task 9 of 9"));
    const auto swaps = [](std::size_t n_tasks, auto&& body) { // as many as there are, but the last one is never run
        body(0);
        for (std::size_t task = 1; task < n_tasks; ++task)
            body(task - 1);
    };
    for (const std::size_t n_tasks : {2U, 3U, 9U, 1000U})
        CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(swaps), n_tasks, nothing),
                          containing("tasks twice and others never"));
    // Tasks whose numbers have the same sum and the same sum of squares: 1 + 2 + 6 = 0 + 4 + 5.
    const auto balances = [](std::size_t, auto&& body) {
        for (const std::size_t task : {1U, 1U, 2U, 2U, 3U, 6U, 6U})
            body(task);
    };
    CHECK_THROWS_WITH(detail::run_tasks(detail::executor_ref(balances), 7, nothing),
                      containing("tasks twice and others never"));
}
