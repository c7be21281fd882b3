#include "altmin/altmin.hpp"

ALTMIN_LAYERS(template, float);
