#pragma once
#include <notch/observe/observer.hpp>
