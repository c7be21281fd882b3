#include "altmin/io.hpp"

ALTMIN_IO(template, float);
ALTMIN_IO(template, double);
