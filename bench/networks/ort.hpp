/// @file
/// ONNX Runtime as a peer, in a process of its own: ort_server.mjs, run by node. Its times are those that it measures.
#pragma once

#include "child.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// The process. There is none where the environment variable NOTCH_ORT is not set.
class ort_server {
public:
    /// The server, or nullptr where ONNX Runtime cannot be run, with the reason on stderr.
    static ort_server* get() {
        static const std::unique_ptr<ort_server> server = [] {
            std::unique_ptr<ort_server> made;
            if (std::getenv("NOTCH_ORT") == nullptr) {
                std::fprintf(stderr, "NOTCH_ORT is not set; there is no ONNX Runtime beside our rows\n");
                return made;
            }
            made.reset(new ort_server);
            const std::optional<std::string> version = made->ask({"hello"});
            if (!version)
                made.reset();
            else
                std::fprintf(stderr, "onnxruntime-node %s\n", version->c_str());
            return made;
        }();
        return server.get();
    }

    /// The answer to a command; nothing, and a line on stderr, for an error.
    std::optional<std::string> ask(const std::vector<std::string>& words) {
        std::string line;
        for (const std::string& word : words)
            line += (line.empty() ? "" : "\t") + word;
        std::optional<std::string> answer = process_.ask(line);
        if (answer && answer->rfind("error", 0) != 0)
            return answer;
        std::fprintf(stderr, "onnxruntime: %s: %s\n", words[0].c_str(), answer ? answer->c_str() : "no answer");
        return std::nullopt;
    }

private:
    ort_server() : process_({"node", NOTCH_BENCH_ORT_SERVER}) {}
    child process_;
};

/// A model that the server has opened; it is closed with this object.
class ort_model {
public:
    struct description {
        std::string path;
        std::vector<std::size_t> shape; ///< of one image
        std::string images;             ///< a file of floats
        int threads = 1;
        bool exact = false; ///< 8-bit products whose sums do not saturate
    };

    ort_model(ort_server& server, const description& what) : server_(&server), name_(next_name()) {
        std::string dims;
        for (const std::size_t extent : what.shape)
            dims += (dims.empty() ? "" : "x") + std::to_string(extent);
        is_open_ = server
                       .ask({"open", name_, std::to_string(what.threads), what.exact ? "1" : "0", dims, what.images,
                             what.path})
                       .has_value();
    }
    ~ort_model() {
        if (is_open_)
            server_->ask({"close", name_});
    }
    ort_model(const ort_model&) = delete;
    ort_model& operator=(const ort_model&) = delete;

    [[nodiscard]] bool is_open() const { return is_open_; }

    /// Nanoseconds of each run of some images, of a turn: so many nanoseconds untimed, and as many timed.
    [[nodiscard]] std::vector<double> turn(std::size_t batch, double ns) {
        std::vector<double> list =
            numbers({"run", name_, std::to_string(batch), std::to_string(static_cast<std::int64_t>(ns))});
        if (list.empty()) {
            std::fprintf(stderr, "onnxruntime has gone\n");
            std::exit(1);
        }
        return list;
    }

    /// What the model gives for some images.
    [[nodiscard]] std::vector<double> results(std::size_t batch) {
        return numbers({"results", name_, std::to_string(batch)});
    }

private:
    static std::string next_name() {
        static int count = 0;
        return "model" + std::to_string(count++);
    }
    [[nodiscard]] std::vector<double> numbers(const std::vector<std::string>& command) {
        std::vector<double> list;
        std::istringstream words(server_->ask(command).value_or(""));
        for (double x = 0; words >> x;)
            list.push_back(x);
        return list;
    }

    ort_server* server_;
    std::string name_;
    bool is_open_ = false;
};

} // namespace bench
