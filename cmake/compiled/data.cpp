#include "altmin/data.hpp"

ALTMIN_DATA(template, float);
ALTMIN_DATA(template, double);
