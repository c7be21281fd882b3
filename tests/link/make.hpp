#pragma once

#include <altmin/altmin.hpp>

altmin::Network<float> make_network();
