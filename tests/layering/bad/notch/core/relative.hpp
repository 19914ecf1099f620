#pragma once
#include "bits.hpp"
