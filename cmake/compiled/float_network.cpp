#include "altmin/altmin.hpp"

ALTMIN_NETWORK(template, float);
