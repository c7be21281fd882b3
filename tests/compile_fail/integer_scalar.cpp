// expect: altmin: the scalar must be float or double
#include <altmin/altmin.hpp>

#ifdef VALID
using Scalar = float;
#else
using Scalar = int;
#endif

altmin::Layers<Scalar> layers{3};
