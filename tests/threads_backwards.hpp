// A pool as a user would have it: starts threads and hands out the tasks in reverse order.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

struct threads_backwards {
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const {
        std::atomic<std::size_t> next{0};
        std::vector<std::thread> team;
        for (int i = 0; i < 3; ++i)
            team.emplace_back([&] {
                for (std::size_t task = next++; task < n_tasks; task = next++)
                    body(n_tasks - 1 - task);
            });
        for (auto& member : team)
            member.join();
    }
};
