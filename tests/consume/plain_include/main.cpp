#include <notch/version.hpp>

#include <cstdio>

int main() {
    std::printf("notch %d.%d.%d\n", NOTCH_VERSION_MAJOR, NOTCH_VERSION_MINOR, NOTCH_VERSION_PATCH);
    return 0;
}
