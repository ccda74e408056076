#if defined(__x86_64__)
#include "simd/avx512.h"
#include "table.h"
#endif
