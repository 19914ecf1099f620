#pragma once
#include <notch/notch.hpp>
