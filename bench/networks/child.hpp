/// @file
/// A program that answers line by line.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace bench {

/// Another process, whose standard input we write and whose standard output we read.
class child {
public:
    /// Starts a program, which is looked for in PATH. Where that fails the first answer is missing.
    explicit child(std::vector<std::string> arguments) {
        std::signal(SIGPIPE, SIG_IGN); // NOLINT: a program that has ended is seen by its missing answer
        int to[2];
        int from[2];
        if (pipe2(to, O_CLOEXEC) != 0)
            return;
        if (pipe2(from, O_CLOEXEC) != 0) {
            close(to[0]);
            close(to[1]);
            return;
        }
        std::vector<char*> words;
        for (std::string& word : arguments)
            words.push_back(word.data());
        words.push_back(nullptr);
        pid_ = fork();
        if (pid_ == 0) {
            dup2(to[0], 0);
            dup2(from[1], 1);
            execvp(words[0], words.data());
            _exit(127);
        }
        close(to[0]);
        close(from[1]);
        to_ = fdopen(to[1], "w");
        from_ = fdopen(from[0], "r");
    }
    ~child() {
        if (to_ != nullptr)
            std::fclose(to_);
        if (from_ != nullptr)
            std::fclose(from_);
        if (pid_ > 0)
            waitpid(pid_, nullptr, 0);
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// The answer to a line, without its end; nothing where the program has ended.
    [[nodiscard]] std::optional<std::string> ask(const std::string& line) {
        if (to_ == nullptr || std::fprintf(to_, "%s\n", line.c_str()) < 0 || std::fflush(to_) != 0)
            return std::nullopt;
        return read();
    }
    /// The next line of output.
    [[nodiscard]] std::optional<std::string> read() {
        std::string text;
        for (int c = 0; from_ != nullptr && (c = std::fgetc(from_)) != EOF; text += static_cast<char>(c))
            if (c == '\n')
                return text;
        return std::nullopt;
    }

private:
    pid_t pid_ = -1;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

} // namespace bench
