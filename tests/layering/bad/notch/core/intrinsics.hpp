#pragma once
#include <immintrin.h>
// #include <arm_neon.h> in a comment is allowed.
