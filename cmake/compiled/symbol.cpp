// The symbol that programs refer to which are compiled for the same processors: see include/altmin/compiled.hpp.
#include "altmin/altmin.hpp"

extern "C" const int ALTMIN_COMPILED_FOR = 1;

ALTMIN_PRINTING(template);
