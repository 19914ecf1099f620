/// @file
/// Ends with code 77 on a processor that lacks an instruction set level, and with 0 otherwise. CMake runs it.
#include "../require_level.cpp"

int main() { return 0; }
