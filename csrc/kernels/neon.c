#if defined(__aarch64__)
#include "simd/neon.h"
#include "table.h"
#endif
