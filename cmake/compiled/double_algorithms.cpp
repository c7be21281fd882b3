#include "altmin/altmin.hpp"

ALTMIN_ALGORITHMS(template, double);
