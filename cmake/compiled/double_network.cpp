#include "altmin/altmin.hpp"

ALTMIN_NETWORK(template, double);
