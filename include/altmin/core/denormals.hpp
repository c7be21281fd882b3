#pragma once

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace altmin {

/// While it lives, this thread's arithmetic takes numbers too small for full precision as 0. Well-fitted samples leave
/// such numbers in gradients and moments, and most processors are many times slower on them. Where the processor is not
/// known it does nothing.
class FlushDenormals {
 public:
#if defined(__SSE2__) || defined(_M_X64)
  FlushDenormals() : control_{_mm_getcsr()} { _mm_setcsr(control_ | 0x8040U); }  // flush to zero, denormals are zero
  ~FlushDenormals() { _mm_setcsr(control_); }

 private:
  unsigned control_;

 public:
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace altmin
