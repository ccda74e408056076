#if defined(__aarch64__)
#include "simd/neon.h"
#include "table.h"
#include "tree_table.h"
#endif
