// expect-abort: notch: .*'pool'.*observe
#include <notch/observe/min_max.hpp>
#include <notch/observe/observer.hpp>

int main() {
    const notch::min_max observer("pool");
    return static_cast<int>(notch::calibrated_params<notch::quantizer<notch::bits<8>>>(observer).count());
}
