#include "altmin/altmin.hpp"

ALTMIN_RULES(template, double);
