#include "altmin/altmin.hpp"

ALTMIN_RULES(template, float);
