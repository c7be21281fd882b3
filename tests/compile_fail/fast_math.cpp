// expect: altmin relies on NaN and infinity: add -fno-finite-math-only
// flags: -ffast-math
#include <altmin/altmin.hpp>

int main() {}
