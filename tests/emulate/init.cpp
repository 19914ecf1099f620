/// @file
/// The first and only process of the emulated machine, linked statically. It runs the programs /programs/0, /programs/1
/// and so on, with the arguments in /programs/<number>.arguments (each ended by a zero byte), and reports to run.sh on
/// the second serial port. Lines with @@ are reports; everything else on that port is output of the programs.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace {

std::string read_all(const char* path) {
    std::string text;
    if (std::FILE* file = std::fopen(path, "r")) {
        char piece[4096];
        while (const std::size_t count = std::fread(piece, 1, sizeof piece, file))
            text.append(piece, count);
        std::fclose(file);
    }
    return text;
}

// Standard input is empty; standard output and error are the second serial port, which must pass on bytes unchanged.
void open_streams() {
    mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
    mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65));
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    const int port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
    termios settings{};
    tcgetattr(port, &settings);
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL;
    cfsetspeed(&settings, B115200);
    tcsetattr(port, TCSANOW, &settings);
    dup2(port, STDOUT_FILENO);
    dup2(port, STDERR_FILENO);
}

// The lines of the first processor that begin with a key.
void report_processor(const char* key) {
    const std::string info = read_all("/proc/cpuinfo");
    const std::size_t begin = info.find(key);
    if (begin == std::string::npos)
        return;
    const std::size_t value = info.find(": ", begin) + 2;
    std::printf("@@%s: %s\n", key, info.substr(value, info.find('\n', value) - value).c_str());
}

int run(const std::string& program, std::string& arguments) {
    std::vector<char*> argv;
    for (std::size_t begin = 0; begin < arguments.size(); begin = arguments.find('\0', begin) + 1)
        argv.push_back(arguments.data() + begin);
    argv.push_back(nullptr);

    // A pipe, because programs write colours to a terminal.
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0)
        return 127;
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], STDOUT_FILENO);
        dup2(pipe_ends[1], STDERR_FILENO);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        execv(program.c_str(), argv.data());
        std::printf("cannot run the program: %s\n", std::strerror(errno));
        std::fflush(stdout);
        _exit(127);
    }
    close(pipe_ends[1]);
    char piece[4096];
    for (ssize_t count; (count = read(pipe_ends[0], piece, sizeof piece)) > 0;)
        std::fwrite(piece, 1, static_cast<std::size_t>(count), stdout), std::fflush(stdout);
    close(pipe_ends[0]);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 127;
    if (WIFSIGNALED(status)) {
        std::printf("ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

} // namespace

int main() {
    mount("proc", "/proc", "proc", 0, nullptr);
    open_streams();
    report_processor("model name");
    report_processor("flags");
    for (int number = 0;; ++number) {
        const std::string program = "/programs/" + std::to_string(number);
        if (access(program.c_str(), F_OK) != 0)
            break;
        std::string arguments = read_all((program + ".arguments").c_str());
        std::printf("@@run %d\n", number);
        const int code = run(program, arguments);
        std::printf("@@exit %d %d\n", number, code);
    }
    std::printf("@@end\n");
    std::fflush(stdout);
    // The kernel panics when its first process ends; run.sh ends the machine.
    for (;;)
        pause();
}
